#include <algorithm>
#include <autodiff/evaluate/evaluate.hpp>
#include <autodiff/tape.hpp>
#include <bit>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <nn/serialize/atomic_file.hpp>
#include <nn/serialize/safetensors.hpp>
#include <numeric>
#include <set>
#include <stdexcept>

static_assert(std::endian::native == std::endian::little,
              "safetensors are little-endian; this reader copies bytes as they are");
static_assert(sizeof(bool) == 1);

namespace xgrad::nn {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t largest_header = 100'000'000;  // as the reference implementation
constexpr std::pair<std::string_view, DType> dtypes[] = {
    {"F32", DType::float32}, {"F64", DType::float64}, {"I64", DType::int64}, {"BOOL", DType::bool_}};

std::string_view format_name(DType dtype) {
  return std::find_if(std::begin(dtypes), std::end(dtypes), [=](const auto& entry) { return entry.second == dtype; })
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
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& [name, tensor] = tensors[i];
    header[name] = {{"dtype", format_name(tensor.dtype())},
                    {"shape", std::vector<std::int64_t>(tensor.shape().begin(), tensor.shape().end())},
                    {"data_offsets", {begins[i], begins[i] + byte_size(tensor)}}};
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

struct Entry {
  std::string name;
  DType dtype;
  Shape shape;
  std::uint64_t begin, end;
};

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
    const std::vector<Entry> entries = read_header(file.metadata);
    for (const Entry& entry : entries)
      file.tensors.emplace_back(entry.name, xgrad::detail::make_leaf(entry.shape, entry.dtype, [&](void* values) {
                                  read_values(entry, values);
                                }));
    return file;
  }

 private:
  [[noreturn]] void fail(const std::string& reason) const {
    throw std::runtime_error("load_safetensors: '" + path_.string() + "': " + reason);
  }
  void require(bool condition, const std::string& reason) const {
    if (!condition) fail(reason);
  }

  void read_bytes(void* target, std::uint64_t bytes) {
    stream_.read(static_cast<char*>(target), static_cast<std::streamsize>(bytes));
    require(static_cast<std::uint64_t>(stream_.gcount()) == bytes, "ends early");
  }

  std::vector<Entry> read_header(Metadata& metadata) {
    require(size_ >= 8, "no safetensors file: " + std::to_string(size_) + " bytes, too few for the length of a header");
    std::uint64_t length;
    read_bytes(&length, 8);
    require(length <= largest_header,
            "no safetensors file: a header of " + std::to_string(length) + " bytes is too long");
    require(length <= size_ - 8,
            "truncated: a header of " + std::to_string(length) + " bytes in a file of " + std::to_string(size_));
    std::string text(length, '\0');
    read_bytes(text.data(), length);
    require(text.starts_with('{'), "no safetensors file: the header does not start with '{'");
    // The parser would take a zero byte for the end.
    require(text.find('\0') == text.npos, "the header is no JSON: it holds a zero byte");
    data_ = 8 + length;
    std::vector<Entry> entries;
    const Json header = parse(text);
    for (const auto& [name, value] : header.items()) {
      if (name == "__metadata__") metadata = read_metadata(value);
      else entries.push_back(read_entry(name, value));
    }
    check_layout(entries);
    return entries;
  }

  Json parse(const std::string& text) const {
    std::vector<std::set<std::string>> keys;  // of the objects that are open
    try {
      return Json::parse(text, [&](int, Json::parse_event_t event, Json& value) {
        if (event == Json::parse_event_t::object_start) keys.emplace_back();
        if (event == Json::parse_event_t::object_end) keys.pop_back();
        if (event == Json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second)
          fail("the header names '" + value.get<std::string>() + "' twice");
        return true;
      });
    } catch (const Json::exception& error) {
      fail(std::string("the header is no JSON: ") + error.what());
    }
  }

  Metadata read_metadata(const Json& value) const {
    require(value.is_object(), "__metadata__ is no map of strings");
    Metadata metadata;
    for (const auto& [key, text] : value.items()) {
      require(text.is_string(), "__metadata__ is no map of strings: '" + key + "'");
      metadata.emplace(key, text.get<std::string>());
    }
    return metadata;
  }

  /// A whole number of at least 0 that fits int64.
  std::uint64_t read_number(const std::string& name, const Json& value) const {
    require(value.is_number_unsigned() && value.get<std::uint64_t>() <= std::numeric_limits<std::int64_t>::max(),
            "tensor '" + name + "' has " + value.dump() + " where a size belongs");
    return value.get<std::uint64_t>();
  }

  Entry read_entry(const std::string& name, const Json& value) const {
    const std::string which = "tensor '" + name + "'";
    require(value.is_object() && value.size() == 3 && value.contains("dtype") && value.contains("shape") &&
                value.contains("data_offsets"),
            which + " needs dtype, shape and data_offsets, and nothing else");
    const Json &dtype = value["dtype"], &shape = value["shape"], &offsets = value["data_offsets"];
    require(dtype.is_string() && shape.is_array() && offsets.is_array() && offsets.size() == 2,
            which + " has a dtype, shape or data_offsets of the wrong kind");
    const auto known = std::find_if(std::begin(dtypes), std::end(dtypes),
                                    [&](const auto& pair) { return pair.first == dtype.get<std::string>(); });
    require(known != std::end(dtypes), which + " has dtype " + dtype.dump() + "; only F32, F64, I64 and BOOL are read");
    Entry entry{name, known->second, {}, read_number(name, offsets[0]), read_number(name, offsets[1])};
    std::int64_t capacity = static_cast<std::int64_t>(size_of(entry.dtype));  // with 1 in place of 0, for strides
    bool empty = false;
    for (const Json& extent : shape) {
      const auto n = static_cast<std::int64_t>(read_number(name, extent));
      entry.shape.push_back(n);
      empty = empty || n == 0;
      require(!__builtin_mul_overflow(capacity, std::max<std::int64_t>(n, 1), &capacity),
              which + " has a shape too large: " + shape.dump());
    }
    const std::uint64_t bytes = empty ? 0 : static_cast<std::uint64_t>(capacity);
    require(entry.begin <= entry.end && entry.end - entry.begin == bytes,
            which + " of shape " + to_string(entry.shape) + " takes " + std::to_string(bytes) +
                " bytes, but has offsets " + offsets.dump());
    return entry;
  }

  /// The data of the tensors must follow one another without gaps to the end of the file.
  void check_layout(const std::vector<Entry>& entries) const {
    std::vector<const Entry*> order;
    for (const Entry& entry : entries) order.push_back(&entry);
    std::sort(order.begin(), order.end(),
              [](const Entry* a, const Entry* b) { return std::pair(a->begin, a->end) < std::pair(b->begin, b->end); });
    std::uint64_t end = 0;
    for (const Entry* entry : order) {
      require(entry->begin == end, "tensor '" + entry->name + "' starts at byte " + std::to_string(entry->begin) +
                                       " of the data, " + (entry->begin < end ? "inside another one" : "after a gap") +
                                       "; expected " + std::to_string(end));
      end = entry->end;
    }
    const std::uint64_t available = size_ - data_;
    require(available >= end, "truncated: " + std::to_string(available) + " bytes of data where the header describes " +
                                  std::to_string(end));
    require(available == end, std::to_string(available - end) + " bytes too many at the end");
  }

  void read_values(const Entry& entry, void* values) {
    stream_.seekg(static_cast<std::streamoff>(data_ + entry.begin));
    read_bytes(values, entry.end - entry.begin);
    if (entry.dtype != DType::bool_) return;
    const auto* bytes = static_cast<const unsigned char*>(values);
    require(std::all_of(bytes, bytes + (entry.end - entry.begin), [](unsigned char byte) { return byte <= 1; }),
            "tensor '" + entry.name + "' has a BOOL that is neither 0 nor 1");
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
  } catch (const Json::exception& error) {
    throw std::invalid_argument(std::string("save_safetensors: names and metadata must be UTF-8: ") + error.what());
  }
  if (header.size() > largest_header)
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
