#include <nn/serialize/model.hpp>
#include <stdexcept>

namespace xgrad::nn {

void save(const Module& model, const std::filesystem::path& path, const Metadata& metadata) {
  save_safetensors(path, model.state_dict(), metadata);
}

void load(Module& model, const std::filesystem::path& path, const LoadOptions& options) {
  const SafetensorsFile file = load_safetensors(path);
  try {
    model.load_state_dict(file.tensors, options);
  } catch (const std::invalid_argument& error) {
    throw std::runtime_error("load: '" + path.string() + "' does not fit the model: " + error.what());
  }
}

}  // namespace xgrad::nn
