#pragma once

#include <autodiff/core/tensor.hpp>
#include <cstdint>
#include <filesystem>
#include <nn/data/idx.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace xgrad::nn {

/// Options of `read_csv`.
struct CsvOptions {
  /// What becomes of an empty field, or one that says NA, N/A, NaN or null, in capitals or not; NaN may have a sign and
  /// a payload, `-nan(1)`.
  enum class Missing : std::uint8_t { refuse, nan };

  char delimiter = ',';
  /// Whether the first line names the columns. Where nothing is said it does, but must not hold a number: a file
  /// without names is refused, since its first row would be lost.
  std::optional<bool> header = {};
  /// The columns wanted, by name or by position from 0, in the order wanted; none named means all.
  std::vector<std::variant<std::int64_t, std::string>> columns = {};
  Missing missing = Missing::refuse;
  DType dtype = DType::float64;                               ///< of the values: float64 or float32
  std::uint64_t max_decompressed = default_max_decompressed;  ///< what a gzipped file may grow to, in bytes
};

/// What `read_csv` returns.
struct CsvTable {
  std::vector<std::string> names;  ///< of the columns in `values`; empty without a header
  Tensor values;                   ///< (rows, columns), of the type asked for

  /// One column as a vector, (rows,). Throws std::invalid_argument when no column, or more than one, has that name.
  Tensor column(const std::string& name) const;
};

/// The numbers of a CSV file (RFC 4180) in UTF-8, gzipped or plain. Fields may be quoted with `"`, a quote inside
/// doubled; quoted fields may hold delimiters and line breaks. Lines end with LF, CRLF or CR; empty ones and blanks
/// around numbers are skipped. Numbers are decimal, with a point whatever the locale; `inf` and `infinity` are numbers
/// too, in capitals or not. A number is rounded once to the type asked for: one too small for it is zero, one too large
/// is refused. Columns not asked for may hold any text.
///
/// Memory: at most 12 bytes for each byte of the text, beside the names of the columns, of which there may be
/// 1,048,576. A gzipped file must be whole down to its checksum, may be followed by zero bytes and nothing else, and
/// may grow to `max_decompressed` bytes. Throws std::runtime_error naming file, line, column and field: for what is not
/// a number, a missing value (unless `missing` makes it NaN), a row of another length than the first, an open quote, a
/// first line with a number (unless `header` says what it is), an empty file, one that grows beyond the limit;
/// std::invalid_argument for a delimiter that is a quote or a line break, a column that is not there, and another
/// `dtype`.
CsvTable read_csv(const std::filesystem::path& path, const CsvOptions& options = {});

}  // namespace xgrad::nn
