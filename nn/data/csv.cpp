#include <nn/data/csv.hpp>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>
#include <nn/data/input_file.hpp>
#include <optional>
#include <stdexcept>
#include <string_view>

namespace xgrad::nn {

namespace {

using detail::InputFile;

std::string read_text(InputFile& file) {
  std::string text;
  constexpr std::size_t step = std::size_t{1} << 20;
  for (std::size_t got = step; got == step;) {
    const std::size_t before = text.size();
    text.resize(before + step);
    got = file.read(text.data() + before, step);
    text.resize(before + got);
  }
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (text.starts_with(byte_order_mark)) text.erase(0, byte_order_mark.size());
  return text;
}

/// Splits a text into rows of fields.
class Rows {
 public:
  Rows(const InputFile& file, std::string_view text, char delimiter)
      : file_(file), text_(text), delimiter_(delimiter) {}

  /// The line, from 1, on which the last row began.
  std::size_t line() const { return row_line_; }

  /// Reads the next row that is not an empty line; false at the end.
  bool next(std::vector<std::string>& fields) {
    while (at_ < text_.size() && end_of_line()) skip_line_end();
    if (at_ >= text_.size()) return false;
    row_line_ = line_;
    std::size_t count = 0;
    for (bool more = true; more; ++count) {
      if (fields.size() <= count) fields.emplace_back();
      fields[count].clear();
      if (at_ < text_.size() && text_[at_] == '"') read_quoted(fields[count]);
      else
        while (at_ < text_.size() && text_[at_] != delimiter_ && !end_of_line()) fields[count] += text_[at_++];
      more = at_ < text_.size() && text_[at_] == delimiter_;
      if (more) ++at_;
    }
    fields.resize(count);
    if (at_ < text_.size()) skip_line_end();
    return true;
  }

 private:
  bool end_of_line() const {
    return text_[at_] == '\n' || (text_[at_] == '\r' && (at_ + 1 == text_.size() || text_[at_ + 1] == '\n'));
  }
  void skip_line_end() {
    at_ = std::min(text_.size(), at_ + (text_[at_] == '\r' ? 2 : 1));
    ++line_;
  }

  void read_quoted(std::string& field) {
    const std::size_t opened = line_;
    for (++at_;; ++at_) {
      if (at_ >= text_.size()) file_.fail("line " + std::to_string(opened) + ": a quote is opened and not closed");
      if (text_[at_] == '"') {
        if (at_ + 1 >= text_.size() || text_[at_ + 1] != '"') break;
        ++at_;
      }
      if (text_[at_] == '\n') ++line_;
      field += text_[at_];
    }
    ++at_;
    if (at_ < text_.size() && text_[at_] != delimiter_ && !end_of_line())
      file_.fail("line " + std::to_string(line_) + ": text follows a closing quote");
  }

  const InputFile& file_;
  std::string_view text_;
  char delimiter_;
  std::size_t at_ = 0, line_ = 1, row_line_ = 1;
};

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view()
                                         : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool is_missing(std::string_view field) {
  std::string lower(field);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower.empty() || lower == "na" || lower == "n/a" || lower == "nan" || lower == "null";
}

/// The number a field writes out, or what is wrong with it.
struct Parsed {
  double value = 0;
  const char* problem = nullptr;
};

Parsed parse_number(std::string_view field) {
  if (field.starts_with('+') && !field.starts_with("+-")) field.remove_prefix(1);
  Parsed result;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), result.value);
  if (error == std::errc::result_out_of_range) result.problem = "is out of the range of float64";
  else if (error != std::errc() || end != field.data() + field.size()) result.problem = "is not a number";
  return result;
}

std::string column_label(std::size_t column, const std::vector<std::string>& header) {
  std::string label = "column " + std::to_string(column + 1);
  if (column < header.size()) label += " (" + header[column] + ")";
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
  throw std::invalid_argument(place + ": no column is called \"" + name + "\"; there are: " + names);
}

std::vector<std::size_t> select_columns(const std::string& place, const CsvOptions& options, std::size_t width,
                                        const std::vector<std::string>& header) {
  std::vector<std::size_t> selected;
  if (options.columns.empty())
    for (std::size_t i = 0; i < width; ++i) selected.push_back(i);
  for (const auto& column : options.columns) {
    if (const auto* name = std::get_if<std::string>(&column)) {
      if (!options.header)
        throw std::invalid_argument(place + ": without a header no column is called \"" + *name + "\"");
      selected.push_back(find_column(place, header, *name));
    } else {
      const auto position = std::get<std::int64_t>(column);
      if (position < 0 || position >= static_cast<std::int64_t>(width))
        throw std::invalid_argument(place + ": no column " + std::to_string(position) + "; there are " +
                                    std::to_string(width) + ", counted from 0");
      selected.push_back(static_cast<std::size_t>(position));
    }
  }
  return selected;
}

}  // namespace

Tensor CsvTable::column(const std::string& name) const {
  return values.slice(xt::all(), static_cast<std::int64_t>(find_column("column", names, name)));
}

CsvTable read_csv(const std::filesystem::path& path, const CsvOptions& options) {
  if (std::string_view("\"\r\n").find(options.delimiter) != std::string_view::npos)
    throw std::invalid_argument("read_csv: a quote or a line break cannot be the delimiter");
  InputFile file("read_csv", path);
  const std::string text = read_text(file);
  Rows rows(file, text, options.delimiter);

  std::vector<std::string> fields, header;
  bool has_row = rows.next(fields);
  if (!has_row) file.fail("empty");
  const std::size_t width = fields.size();
  if (options.header) {
    for (const auto& field : fields) header.emplace_back(trim(field));
    has_row = rows.next(fields);
  }
  const auto selected = select_columns(file.place(), options, width, header);

  std::vector<double> numbers;
  std::int64_t row_count = 0;
  for (; has_row; has_row = rows.next(fields), ++row_count) {
    const std::string line = "line " + std::to_string(rows.line());
    if (fields.size() != width)
      file.fail(line + ": " + std::to_string(fields.size()) + " fields, where the first row has " +
                std::to_string(width));
    for (const std::size_t column : selected) {
      const std::string_view field = trim(fields[column]);
      if (is_missing(field)) {
        if (options.missing == CsvOptions::Missing::refuse)
          file.fail(line + ", " + column_label(column, header) +
                    ": the value is missing; CsvOptions::Missing::nan lets it be NaN");
        numbers.push_back(std::numeric_limits<double>::quiet_NaN());
        continue;
      }
      const Parsed number = parse_number(field);
      if (number.problem)
        file.fail(line + ", " + column_label(column, header) + ": \"" + std::string(field) + "\" " + number.problem);
      numbers.push_back(number.value);
    }
  }

  CsvTable table;
  if (options.header)
    for (const std::size_t column : selected) table.names.push_back(header[column]);
  table.values = xgrad::detail::make_leaf_copy({row_count, static_cast<std::int64_t>(selected.size())}, DType::float64,
                                               numbers.data());
  return table;
}

}  // namespace xgrad::nn
