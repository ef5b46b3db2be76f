#include <nn/data/csv.hpp>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <nn/data/csv_rows.hpp>
#include <nn/data/input_file.hpp>
#include <nn/detail/excerpt.hpp>
#include <stdexcept>
#include <string_view>

namespace xgrad::nn {

namespace {

using detail::CsvRows;
using detail::InputFile;

constexpr std::size_t max_columns = std::size_t{1} << 20;

std::string read_text(InputFile& file) {
  std::string text;
  for (std::size_t step = 4096, got = step; got == step;) {
    const std::size_t before = text.size();
    step = std::clamp(before, std::size_t{4096}, std::size_t{1} << 20);
    text.resize(before + step);
    got = file.read(text.data() + before, step);
    text.resize(before + got);
  }
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (text.starts_with(byte_order_mark)) text.erase(0, byte_order_mark.size());
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) file.fail("is UTF-16; convert it to UTF-8");
  return text;
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view()
                                         : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool says_missing(std::string_view field) {
  if (field.size() > 4) return false;
  std::string lower(field);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower.empty() || lower == "na" || lower == "n/a" || lower == "null";
}

/// Whether the absolute value of a decimal number, which no floating type holds, is below 1 rather than above.
bool is_small(std::string_view number) {
  std::int64_t exponent = 0;
  const std::size_t mark = std::min(number.size(), number.find_first_of("eE"));
  if (mark < number.size()) {
    std::string_view digits = number.substr(mark + 1);
    if (digits.starts_with('+')) digits.remove_prefix(1);
    if (std::from_chars(digits.data(), digits.data() + digits.size(), exponent).ec != std::errc())
      return digits.starts_with('-');
  }
  const std::string_view mantissa = number.substr(0, mark);
  const auto first = static_cast<std::int64_t>(mantissa.find_first_of("123456789")),
             point = static_cast<std::int64_t>(std::min(mantissa.size(), mantissa.find('.')));
  // The first digit that counts stands for 10 to the power of point - first - 1, or of point - first behind the point.
  const std::int64_t place = first < point ? point - first - 1 : point - first;
  return (exponent < 0 && place < 0) || exponent < -place;
}

/// The number a field writes out, or what is wrong with it. A missing value is NaN.
template <class T>
struct Parsed {
  T value = std::numeric_limits<T>::quiet_NaN();
  const char* problem = nullptr;
};

template <class T>
Parsed<T> parse_number(std::string_view field) {
  Parsed<T> result;
  if (says_missing(field)) return result;
  if (field.starts_with('+') && !field.starts_with("+-")) field.remove_prefix(1);
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), result.value);
  if (end != field.data() + field.size() || error == std::errc::invalid_argument) result.problem = "is not a number";
  else if (error == std::errc::result_out_of_range && is_small(field))
    result.value = field.starts_with('-') ? -T{0} : T{0};
  else if (error == std::errc::result_out_of_range)
    result.problem = sizeof(T) == sizeof(float) ? "is out of the range of float32" : "is out of the range of float64";
  return result;
}

std::string column_label(std::size_t column, const std::vector<std::string>& header) {
  std::string label = "column " + std::to_string(column + 1);
  if (column < header.size()) label += " (" + detail::excerpt(header[column]) + ")";
  return label;
}

/// The position of the one column called `name`.
std::size_t find_column(const std::string& place, const std::vector<std::string>& header, const std::string& name) {
  const auto count = std::count(header.begin(), header.end(), name);
  if (count == 1) return static_cast<std::size_t>(std::find(header.begin(), header.end(), name) - header.begin());
  if (count > 1)
    throw std::invalid_argument(place + ": " + std::to_string(count) + " columns are called \"" + name +
                                "\"; ask by position");
  std::string names;
  for (const auto& each : header) names += (names.empty() ? "" : ", ") + each;
  throw std::invalid_argument(place + ": no column is called \"" + name +
                              "\"; there are: " + detail::excerpt(names, 400));
}

/// A column of the file, and the one of the result that it becomes.
struct Selected {
  std::size_t column, target;
};

/// The columns asked for, in the order of the file; none when all are.
std::vector<Selected> select_columns(const std::string& place, const CsvOptions& options, std::size_t width,
                                     const std::vector<std::string>& header) {
  std::vector<Selected> selected;
  for (const auto& column : options.columns) {
    std::size_t found = 0;
    if (const auto* name = std::get_if<std::string>(&column)) {
      if (header.empty())
        throw std::invalid_argument(place + ": without a header no column is called \"" + *name + "\"");
      found = find_column(place, header, *name);
    } else {
      const auto position = std::get<std::int64_t>(column);
      if (position < 0 || position >= static_cast<std::int64_t>(width))
        throw std::invalid_argument(place + ": no column " + std::to_string(position) + "; there are " +
                                    std::to_string(width) + ", counted from 0");
      found = static_cast<std::size_t>(position);
    }
    selected.push_back({found, selected.size()});
  }
  std::stable_sort(selected.begin(), selected.end(),
                   [](const Selected& a, const Selected& b) { return a.column < b.column; });
  return selected;
}

/// One file while it is read: twice, first for its shape, then for its values, which go to where they stay.
class CsvReader {
 public:
  CsvReader(const std::filesystem::path& path, const CsvOptions& options)
      : options_(options), file_("read_csv", path, options.max_decompressed), text_(read_text(file_)) {}

  CsvTable read() {
    CsvRows rows(file_, text_, options_.delimiter);
    if (!rows.next_row()) file_.fail("empty");
    read_first_row(rows);
    const std::vector<Selected> selected = select_columns(file_.place(), options_, width_, header_);
    const CsvRows values = options_.header.value_or(true) ? rows : CsvRows(file_, text_, options_.delimiter);
    const std::size_t columns = options_.columns.empty() ? width_ : selected.size();
    CsvTable table;
    table.values = xgrad::detail::make_leaf({count_rows(values), static_cast<std::int64_t>(columns)}, options_.dtype,
                                            [&](void* target) {
                                              if (options_.dtype == DType::float32)
                                                read_values(values, static_cast<float*>(target), columns, selected);
                                              else read_values(values, static_cast<double*>(target), columns, selected);
                                            });
    if (options_.columns.empty() || header_.empty()) {
      table.names = std::move(header_);
    } else {
      table.names.resize(columns);
      for (const auto& [column, to] : selected) table.names[to] = header_[column];
    }
    return table;
  }

 private:
  /// Counts the fields of the first row, and keeps them when they are names.
  void read_first_row(CsvRows& rows) {
    for (std::string_view field; rows.next_field(field); ++width_) {
      if (width_ == max_columns) file_.fail("more than " + std::to_string(max_columns) + " columns");
      if (!options_.header.value_or(true)) continue;
      const std::string_view name = trim(field);
      if (!options_.header && is_number(name))
        file_.fail("the first line holds \"" + detail::excerpt(name) +
                   "\", a number, where names of columns belong; pass {.header = false} if the line is data, or "
                   "{.header = true} if it is names");
      header_.emplace_back(name);
    }
  }

  static bool is_number(std::string_view field) {
    const auto parsed = parse_number<double>(field);
    return !parsed.problem && !std::isnan(parsed.value);
  }

  std::int64_t count_rows(CsvRows rows) const {
    std::int64_t count = 0;
    for (; rows.next_row(); ++count) {
      std::size_t fields = 0;
      for (std::string_view field; rows.next_field(field);) ++fields;
      if (fields != width_)
        file_.fail("line " + std::to_string(rows.line()) + ": " + std::to_string(fields) +
                   " fields, where the first row has " + std::to_string(width_));
    }
    return count;
  }

  template <class T>
  void read_values(CsvRows rows, T* target, std::size_t columns, const std::vector<Selected>& selected) const {
    for (; rows.next_row(); target += columns) {
      auto wanted = selected.begin();
      std::string_view field;
      for (std::size_t column = 0; rows.next_field(field); ++column) {
        if (options_.columns.empty()) target[column] = read_value<T>(rows, column, field);
        for (; wanted != selected.end() && wanted->column == column; ++wanted)
          target[wanted->target] = read_value<T>(rows, column, field);
      }
    }
  }

  template <class T>
  T read_value(const CsvRows& rows, std::size_t column, std::string_view field) const {
    field = trim(field);
    const auto [value, problem] = parse_number<T>(field);
    if (problem) fail(rows, column, "\"" + detail::excerpt(field) + "\" " + problem);
    if (std::isnan(value) && options_.missing == CsvOptions::Missing::refuse)
      fail(rows, column, "the value is missing; CsvOptions::Missing::nan lets it be NaN");
    return value;
  }

  [[noreturn]] void fail(const CsvRows& rows, std::size_t column, const std::string& reason) const {
    file_.fail("line " + std::to_string(rows.line()) + ", " + column_label(column, header_) + ": " + reason);
  }

  const CsvOptions& options_;
  InputFile file_;
  std::string text_;
  std::size_t width_ = 0;
  std::vector<std::string> header_;
};

}  // namespace

Tensor CsvTable::column(const std::string& name) const {
  return values.slice(xt::all(), static_cast<std::int64_t>(find_column("column", names, name)));
}

CsvTable read_csv(const std::filesystem::path& path, const CsvOptions& options) {
  if (std::string_view("\"\r\n").find(options.delimiter) != std::string_view::npos)
    throw std::invalid_argument("read_csv: a quote or a line break cannot be the delimiter");
  if (!is_floating(options.dtype))
    throw std::invalid_argument("read_csv: the values cannot be " + std::string(name_of(options.dtype)) +
                                "; read float64 and convert with to()");
  return CsvReader(path, options).read();
}

}  // namespace xgrad::nn
