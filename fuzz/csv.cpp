// read_csv of any bytes; with XGRAD_FUZZ_GZIP, of compressed ones. A table without missing values has no NaN.
#include <cmath>
#include <fuzz/gzip.hpp>
#include <nn/data/csv.hpp>

using namespace xgrad;

namespace {

constexpr std::uint64_t limit = std::uint64_t{1} << 20;

void read_as_is(const std::filesystem::path& path) {
  const nn::CsvTable table = nn::read_csv(path, {.max_decompressed = limit});
  fuzz::require(table.names.size() == static_cast<std::size_t>(table.values.shape(1)));
  for (const double value : table.values.array<double>()) fuzz::require(!std::isnan(value));
}

void read_numbers(const std::filesystem::path& path) {
  const nn::CsvTable table = nn::read_csv(
      path,
      {.header = false, .missing = nn::CsvOptions::Missing::nan, .dtype = DType::float32, .max_decompressed = limit});
  fuzz::require(table.names.empty() && table.values.size() > 0);
}

void read_a_column(const std::filesystem::path& path) {
  const nn::CsvTable table =
      nn::read_csv(path, {.delimiter = ';', .header = true, .columns = {0, 0}, .max_decompressed = limit});
  fuzz::require(table.names.size() == 2 && table.values.shape(1) == 2);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
#ifdef XGRAD_FUZZ_GZIP
  return fuzz::run_gzip(data, size, read_as_is, read_numbers, read_a_column);
#else
  return fuzz::run(data, size, read_as_is, read_numbers, read_a_column);
#endif
}
