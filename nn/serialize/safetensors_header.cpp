#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <nn/detail/excerpt.hpp>
#include <nn/serialize/safetensors_header.hpp>
#include <stdexcept>

namespace xgrad::nn::detail {
namespace {

using Json = nlohmann::json;

[[noreturn]] void fail(const std::string& reason) { throw std::runtime_error(reason); }

/// Takes the header as the parser comes upon its parts: no tree of them is built, and nothing is said that is not
/// thrown.
class HeaderEvents : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderEvents(Metadata& metadata) : metadata_(metadata) {}

  std::vector<SafetensorsEntry> take_entries() { return std::move(entries_); }

  bool null() override {
    if (where_ == Where::header && key_ == metadata_key) return true;
    return other_value("null");
  }
  bool boolean(bool value) override { return other_value(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return other_value(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return other_value(text); }
  bool binary(binary_t&) override { return other_value("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (where_ != Where::list || value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      return other_value(std::to_string(value));
    (field_ == Field::shape ? shape_ : offsets_).push_back(static_cast<std::int64_t>(value));
    return true;
  }

  bool string(string_t& value) override {
    if (where_ == Where::metadata) {
      metadata_.insert_or_assign(key_, std::move(value));
      return true;
    }
    if (where_ != Where::entry || field_ != Field::dtype) return other_value(value);
    dtype_ = std::move(value);
    return true;
  }

  bool key(string_t& value) override {
    switch (where_) {
      case Where::header:
        key_ = std::move(value);
        if (key_ == metadata_key && std::exchange(has_metadata_, true)) fail_twice(key_);
        break;
      case Where::metadata:
        key_ = std::move(value);
        if (metadata_.contains(key_)) fail_twice(key_);
        break;
      case Where::entry: {
        const auto known = std::find(field_names.begin(), field_names.end(), value);
        field_ = static_cast<Field>(known - field_names.begin());
        if (field_ != Field::other && std::exchange(given_[static_cast<std::size_t>(field_)], true)) fail_twice(value);
        break;
      }
      default: break;
    }
    return true;
  }

  bool start_object(std::size_t) override { return open(true); }
  bool start_array(std::size_t) override { return open(false); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool parse_error(std::size_t, const std::string&, const Json::exception& error) override {
    fail("the header is no JSON: " + excerpt(error.what(), 300));
  }

 private:
  enum class Where : std::uint8_t { outside, header, metadata, entry, list, skipped };
  enum class Field : std::uint8_t { dtype, shape, offsets, other };
  static constexpr std::array<std::string_view, 3> field_names{"dtype", "shape", "data_offsets"};
  static constexpr std::string_view metadata_key = "__metadata__";

  bool open(bool object) {
    if (++depth_ > max_safetensors_depth)
      fail("the header nests deeper than " + std::to_string(max_safetensors_depth) + " levels");
    switch (where_) {
      case Where::outside: where_ = Where::header; break;
      case Where::header:
        if (!object) wrong_value("");
        where_ = key_ == metadata_key ? Where::metadata : Where::entry;
        begin_entry();
        break;
      case Where::entry:
        if (field_ != Field::other && (object || field_ == Field::dtype)) wrong_value("");
        where_ = field_ == Field::other ? Where::skipped : Where::list;
        break;
      case Where::metadata:
      case Where::list: wrong_value(object ? "an object" : "a list");
      case Where::skipped: break;
    }
    return true;
  }

  bool close() {
    --depth_;
    if (depth_ == 0) where_ = Where::outside;
    if (depth_ == 1) {
      if (where_ == Where::entry) end_entry();
      where_ = Where::header;
    }
    if (depth_ == 2) where_ = Where::entry;
    return true;
  }

  /// A value that is no size in a list of sizes, no name of a dtype, and no metadata: right where it is skipped.
  bool other_value(std::string_view shown) const {
    if (where_ == Where::skipped || (where_ == Where::entry && field_ == Field::other)) return true;
    wrong_value(shown);
  }

  [[noreturn]] void wrong_value(std::string_view shown) const {
    if (where_ == Where::metadata || key_ == metadata_key)
      fail("__metadata__ is no map of strings" + (where_ == Where::metadata ? ": '" + excerpt(key_) + "'" : ""));
    if (where_ == Where::header) fail(which() + " needs dtype, shape and data_offsets");
    if (where_ == Where::list) fail(which() + " has " + excerpt(shown) + " where a size belongs");
    fail(which() + " has a dtype, shape or data_offsets of the wrong kind");
  }

  [[noreturn]] void fail_twice(const std::string& name) const {
    fail("the header names '" + excerpt(name) + "' twice");
  }

  /// The tensor that the events are about, in messages.
  std::string which() const { return "tensor '" + excerpt(key_) + "'"; }

  void begin_entry() {
    given_ = {};
    shape_.clear();
    offsets_.clear();
  }

  void end_entry() {
    if (!std::all_of(given_.begin(), given_.end(), [](bool given) { return given; }))
      fail(which() + " needs dtype, shape and data_offsets");
    if (offsets_.size() != 2) fail(which() + " has a dtype, shape or data_offsets of the wrong kind");
    const auto known = std::find_if(safetensors_dtypes.begin(), safetensors_dtypes.end(),
                                    [&](const auto& pair) { return pair.first == dtype_; });
    if (known == safetensors_dtypes.end())
      fail(which() + " has dtype \"" + excerpt(dtype_) + "\"; only F32, F64, I64 and BOOL are read");
    const DType dtype = known->second;
    auto capacity = static_cast<std::int64_t>(size_of(dtype));  // with 1 in place of 0, for strides
    bool empty = false;
    for (const std::int64_t n : shape_) {
      empty = empty || n == 0;
      if (__builtin_mul_overflow(capacity, std::max<std::int64_t>(n, 1), &capacity))
        fail(which() + " has a shape too large: " + shown_shape());
    }
    const std::int64_t bytes = empty ? 0 : capacity;
    if (offsets_[1] - offsets_[0] != bytes || offsets_[0] > offsets_[1])
      fail(which() + " of shape " + shown_shape() + " takes " + std::to_string(bytes) + " bytes, but has offsets [" +
           std::to_string(offsets_[0]) + "," + std::to_string(offsets_[1]) + "]");
    entries_.push_back({key_, dtype, Shape(shape_.begin(), shape_.end()), static_cast<std::uint64_t>(offsets_[0]),
                        static_cast<std::uint64_t>(offsets_[1])});
  }

  std::string shown_shape() const {
    constexpr std::size_t most = 16;
    const auto end = shape_.begin() + static_cast<std::ptrdiff_t>(std::min(shape_.size(), most));
    return to_string(Shape(shape_.begin(), end)) +
           (shape_.size() > most ? " and so on, " + std::to_string(shape_.size()) + " extents" : "");
  }

  Metadata& metadata_;
  std::vector<SafetensorsEntry> entries_;
  Where where_ = Where::outside;
  int depth_ = 0;
  bool has_metadata_ = false;
  std::string key_;  ///< name of the tensor, or key of the metadata
  Field field_ = Field::other;
  std::array<bool, field_names.size()> given_{};  ///< the fields of the entry so far
  std::string dtype_;
  std::vector<std::int64_t> shape_, offsets_;
};

}  // namespace

std::vector<SafetensorsEntry> parse_safetensors_header(const std::string& text, Metadata& metadata) {
  // The parser would skip a byte order mark, and take a zero byte for the end.
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos || text[first] != '{') fail("no safetensors file: the header does not start with '{'");
  if (text.find('\0') != text.npos) fail("the header is no JSON: it holds a zero byte");
  HeaderEvents events(metadata);
  Json::sax_parse(text, &events);
  std::vector<SafetensorsEntry> entries = events.take_entries();

  // By sorting, not by hashing: no choice of names makes it slow.
  std::vector<const SafetensorsEntry*> by_name;
  for (const SafetensorsEntry& entry : entries) by_name.push_back(&entry);
  std::sort(by_name.begin(), by_name.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  const auto twice = std::adjacent_find(by_name.begin(), by_name.end(),
                                        [](const auto* a, const auto* b) { return a->name == b->name; });
  if (twice != by_name.end()) fail("the header names '" + excerpt((*twice)->name) + "' twice");
  return entries;
}

}  // namespace xgrad::nn::detail
