#pragma once

#include <autodiff/tensor.hpp>
#include <cstdint>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

namespace xgrad::nn {

/// Options of `read_csv`.
struct CsvOptions {
  /// What becomes of an empty field, or one that says NA, N/A, NaN or null, in capitals or not.
  enum class Missing : std::uint8_t { refuse, nan };

  char delimiter = ',';
  bool header = true;  ///< the first line names the columns
  /// The columns wanted, by name or by position from 0, in the order wanted; none named means all.
  std::vector<std::variant<std::int64_t, std::string>> columns = {};
  Missing missing = Missing::refuse;
};

/// What `read_csv` returns.
struct CsvTable {
  std::vector<std::string> names;  ///< of the columns in `values`; empty without a header
  Tensor values;                   ///< float64, (rows, columns)

  /// One column as a vector, (rows,). Throws std::invalid_argument when no column, or more than one, has that name.
  Tensor column(const std::string& name) const;
};

/// The numbers of a CSV file (RFC 4180), gzipped or plain. Fields may be quoted with `"`, a quote inside doubled;
/// quoted fields may hold delimiters and line breaks. Lines end with LF or CRLF; empty ones and blanks around numbers
/// are skipped. Numbers are written with a decimal point whatever the locale. Columns not asked for may hold any text.
/// Throws std::runtime_error naming file, line, column and field: for what is not a number, a missing value (unless
/// `missing` makes it NaN), a row of another length than the first, an open quote, an empty file;
/// std::invalid_argument for a delimiter that is a quote or a line break and for a column that is not there.
CsvTable read_csv(const std::filesystem::path& path, const CsvOptions& options = {});

}  // namespace xgrad::nn
