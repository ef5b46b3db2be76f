// load_safetensors of any bytes. What it accepts comes back the same when it is saved and loaded again.
#include <bit>
#include <cstring>
#include <fuzz/input.hpp>
#include <nn/serialize/safetensors.hpp>

using namespace xgrad;

namespace {

void require_same(const Tensor& a, const Tensor& b) {
  fuzz::require(a.dtype() == b.dtype() && a.shape() == b.shape());
  const std::size_t bytes = static_cast<std::size_t>(a.size()) * size_of(a.dtype());
  fuzz::require(bytes == 0 || std::memcmp(a.data(a.dtype()), b.data(b.dtype()), bytes) == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::run(data, size, [](const std::filesystem::path& path) {
    const nn::SafetensorsFile file = nn::load_safetensors(path);
    if (file.tensors.size() > 8) return;
    static const std::filesystem::path saved =
        std::filesystem::temp_directory_path() / ("xgrad-fuzz-" + std::to_string(::getpid()) + ".safetensors");
    nn::save_safetensors(saved, file.tensors, file.metadata);
    const nn::SafetensorsFile again = nn::load_safetensors(saved);
    std::filesystem::remove(saved);
    fuzz::require(again.metadata == file.metadata && again.tensors.size() == file.tensors.size());
    for (std::size_t i = 0; i < file.tensors.size(); ++i) {
      fuzz::require(again.tensors[i].first == file.tensors[i].first);
      require_same(again.tensors[i].second, file.tensors[i].second);
    }
  });
}
