#pragma once

#include <nn/serialize/safetensors.hpp>

namespace xgrad::nn {

/// Writes the `state_dict` of a model as `save_safetensors` does, in one go or not at all.
void save(const Module& model, const std::filesystem::path& path, const Metadata& metadata = {});

/// Reads the parameters of a model from a safetensors file. Throws std::runtime_error naming the file and the reason
/// when it cannot be read (see `load_safetensors`) or does not fit the model (see `Module::load_state_dict`); the model
/// is then unchanged.
void load(Module& model, const std::filesystem::path& path, const LoadOptions& options = {});

}  // namespace xgrad::nn
