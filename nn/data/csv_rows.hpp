// For read_csv: the rows and fields of a text.
#pragma once

#include <cstddef>
#include <nn/data/input_file.hpp>
#include <string>
#include <string_view>

namespace xgrad::nn::detail {

/// Splits a text into rows of fields, of which it holds one at a time.
class CsvRows {
 public:
  CsvRows(const InputFile& file, std::string_view text, char delimiter)
      : file_(file), text_(text), delimiter_(delimiter) {}

  /// Goes to the next row that is not an empty line; false at the end. The fields of the row before must have been
  /// read.
  bool next_row();
  /// The next field of the row, valid until another one is read; false after the last.
  bool next_field(std::string_view& field);

  /// The line, from 1, on which the row began.
  std::size_t line() const { return row_line_; }

 private:
  bool at_line_end() const { return text_[at_] == '\n' || text_[at_] == '\r'; }
  void skip_line_end();
  std::string_view quoted_field();

  const InputFile& file_;
  std::string_view text_;
  char delimiter_;
  std::size_t at_ = 0, line_ = 1, row_line_ = 1;
  bool in_row_ = false;
  std::string unquoted_;
};

}  // namespace xgrad::nn::detail
