#include <algorithm>
#include <autodiff/core/runtime.hpp>
#include <autodiff/core/tape.hpp>
#include <bit>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <nn/detail/excerpt.hpp>
#include <nn/serialize/atomic_file.hpp>
#include <nn/serialize/safetensors_header.hpp>
#include <numeric>
#include <set>
#include <stdexcept>

static_assert(std::endian::native == std::endian::little,
              "safetensors are little-endian; this reader copies bytes as they are");
static_assert(sizeof(bool) == 1);

namespace xgrad::nn {
namespace {

using detail::SafetensorsEntry;

std::string_view format_name(DType dtype) {
  return std::find_if(detail::safetensors_dtypes.begin(), detail::safetensors_dtypes.end(),
                      [=](const auto& entry) { return entry.second == dtype; })
      ->first;
}

std::size_t byte_size(const Tensor& tensor) {
  return static_cast<std::size_t>(tensor.size()) * size_of(tensor.dtype());
}

/// Order in the data section: wide elements first, so that all lie aligned.
std::vector<std::size_t> data_order(const NamedTensors& tensors) {
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return size_of(tensors[a].second.dtype()) > size_of(tensors[b].second.dtype());
  });
  return order;
}

std::string header_of(const NamedTensors& tensors, const std::vector<std::size_t>& order, const Metadata& metadata) {
  std::vector<std::uint64_t> begins(tensors.size());
  std::uint64_t end = 0;
  for (const std::size_t i : order) {
    begins[i] = end;
    end += byte_size(tensors[i].second);
  }
  // Written piece by piece: a tree of JSON looks every name up among those before it.
  const auto quoted = [](const std::string& value) { return nlohmann::json(value).dump(); };
  std::string text = "{";
  if (!metadata.empty()) text += "\"__metadata__\":" + nlohmann::json(metadata).dump();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& [name, tensor] = tensors[i];
    if (text.size() > 1) text += ',';
    text.append(quoted(name)).append(":{\"dtype\":\"").append(format_name(tensor.dtype())).append("\",\"shape\":[");
    for (std::size_t axis = 0; axis < tensor.shape().size(); ++axis)
      text.append(axis > 0 ? "," : "").append(std::to_string(tensor.shape()[axis]));
    text.append("],\"data_offsets\":[").append(std::to_string(begins[i])).append(",");
    text.append(std::to_string(begins[i] + byte_size(tensor))).append("]}");
  }
  text += '}';
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

/// A reader of one file, whose errors name it.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : path_(path) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) fail(error ? error.message() : "no regular file");
    size_ = std::filesystem::file_size(path, error);
    if (error) fail(error.message());
    stream_.open(path, std::ios::binary);
    if (!stream_) fail("cannot be opened");
  }

  SafetensorsFile read() {
    SafetensorsFile file;
    const std::vector<SafetensorsEntry> entries = read_header(file.metadata);
    for (const auto& entry : entries) file.tensors.emplace_back(entry.name, Tensor());
    // In the order of the data, which check_layout has found to be without gaps: the file is read from front to back.
    for (const std::size_t i : check_layout(entries))
      file.tensors[i].second = xgrad::detail::make_leaf(entries[i].shape, entries[i].dtype,
                                                        [&](void* values) { read_values(entries[i], values); });
    return file;
  }

 private:
  [[noreturn]] void fail(const std::string& reason) const {
    throw std::runtime_error("load_safetensors: '" + path_.string() + "': " + reason);
  }
  void read_bytes(void* target, std::uint64_t bytes) {
    stream_.read(static_cast<char*>(target), static_cast<std::streamsize>(bytes));
    if (static_cast<std::uint64_t>(stream_.gcount()) != bytes) fail("ends early");
  }

  std::vector<SafetensorsEntry> read_header(Metadata& metadata) {
    if (size_ < 8) fail("no safetensors file: " + std::to_string(size_) + " bytes, too few for the length of a header");
    std::uint64_t length;
    read_bytes(&length, 8);
    if (length > detail::max_safetensors_header)
      fail("no safetensors file: a header of " + std::to_string(length) + " bytes is too long");
    if (length > size_ - 8)
      fail("truncated: a header of " + std::to_string(length) + " bytes in a file of " + std::to_string(size_));
    std::string text(length, '\0');
    read_bytes(text.data(), length);
    data_ = 8 + length;
    try {
      return detail::parse_safetensors_header(text, metadata);
    } catch (const std::runtime_error& error) {
      fail(error.what());
    }
  }

  /// The order of the tensors in the data, where they must follow one another without gaps to the end of the file.
  std::vector<std::size_t> check_layout(const std::vector<SafetensorsEntry>& entries) const {
    std::vector<std::size_t> order(entries.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return std::pair(entries[a].begin, entries[a].end) < std::pair(entries[b].begin, entries[b].end);
    });
    std::uint64_t end = 0;
    for (const std::size_t i : order) {
      const SafetensorsEntry& entry = entries[i];
      if (entry.begin != end)
        fail("tensor '" + detail::excerpt(entry.name) + "' starts at byte " + std::to_string(entry.begin) +
             " of the data, " + (entry.begin < end ? "inside another one" : "after a gap") + "; expected " +
             std::to_string(end));
      end = entry.end;
    }
    const std::uint64_t available = size_ - data_;
    if (available < end)
      fail("truncated: " + std::to_string(available) + " bytes of data where the header describes " +
           std::to_string(end));
    if (available > end) fail(std::to_string(available - end) + " bytes too many at the end");
    return order;
  }

  void read_values(const SafetensorsEntry& entry, void* values) {
    read_bytes(values, entry.end - entry.begin);
    if (entry.dtype != DType::bool_) return;
    const auto* bytes = static_cast<const unsigned char*>(values);
    if (std::any_of(bytes, bytes + (entry.end - entry.begin), [](unsigned char byte) { return byte > 1; }))
      fail("tensor '" + detail::excerpt(entry.name) + "' has a BOOL that is neither 0 nor 1");
  }

  std::filesystem::path path_;
  std::ifstream stream_;
  std::uint64_t size_ = 0, data_ = 0;
};

}  // namespace

void save_safetensors(const std::filesystem::path& path, const NamedTensors& tensors, const Metadata& metadata) {
  std::set<std::string_view> names{"__metadata__"};
  std::vector<Tensor> values;
  for (const auto& [name, tensor] : tensors) {
    xgrad::detail::check_defined("save_safetensors", tensor);
    if (!names.insert(name).second)
      throw std::invalid_argument("save_safetensors: " + (name == "__metadata__"
                                                              ? "no tensor can be named '" + name + "'"
                                                              : "two tensors are named '" + name + "'"));
    values.push_back(tensor);
  }
  const std::vector<std::size_t> order = data_order(tensors);
  std::string header;
  try {
    header = header_of(tensors, order, metadata);
  } catch (const nlohmann::json::exception& error) {
    throw std::invalid_argument(std::string("save_safetensors: names and metadata must be UTF-8: ") + error.what());
  }
  if (header.size() > detail::max_safetensors_header)
    throw std::invalid_argument("save_safetensors: a header of " + std::to_string(header.size()) +
                                " bytes is too long");
  evaluate(values);
  detail::AtomicFile file("save_safetensors", path);
  const std::uint64_t length = header.size();
  file.write(&length, sizeof length);
  file.write(header.data(), header.size());
  for (const std::size_t i : order) file.write(values[i].data(values[i].dtype()), byte_size(values[i]));
  file.commit();
}

SafetensorsFile load_safetensors(const std::filesystem::path& path) { return Reader(path).read(); }

}  // namespace xgrad::nn
