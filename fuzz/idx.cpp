// read_idx of any bytes; with XGRAD_FUZZ_GZIP, of compressed ones.
#include <fuzz/gzip.hpp>
#include <nn/data/idx.hpp>

using namespace xgrad;

namespace {

void read_file(const std::filesystem::path& path) {
  constexpr std::uint64_t limit = std::uint64_t{1} << 20;
  const Tensor x = nn::read_idx(path, {}, limit);
  fuzz::require(x.dtype() == nn::read_idx(path, x.dtype(), limit).dtype());
  fuzz::require(nn::read_idx(path, DType::float32, limit).shape() == x.shape());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
#ifdef XGRAD_FUZZ_GZIP
  return fuzz::run_gzip(data, size, read_file);
#else
  return fuzz::run(data, size, read_file);
#endif
}
