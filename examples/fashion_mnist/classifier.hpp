// The model, and how it is kept in a file together with what it needs to be used.
#pragma once

#include <charconv>
#include <filesystem>
#include <map>
#include <nn/nn.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace fashion_mnist {

using Activation = xgrad::Tensor (*)(const xgrad::Tensor&);

/// The activations that can be asked for, by name.
inline const std::map<std::string, Activation>& activations() {
  namespace nn = xgrad::nn;
  using xgrad::Tensor;
  static const std::map<std::string, Activation> all = {
      {"relu", [](const Tensor& x) { return xgrad::relu(x); }},
      {"tanh", [](const Tensor& x) { return xgrad::tanh(x); }},
      {"sigmoid", [](const Tensor& x) { return xgrad::sigmoid(x); }},
      {"leaky_relu", [](const Tensor& x) { return nn::leaky_relu(x); }},
      {"elu", [](const Tensor& x) { return nn::elu(x); }},
      {"gelu", [](const Tensor& x) { return nn::gelu(x); }},
      {"silu", [](const Tensor& x) { return nn::silu(x); }},
      {"softplus", [](const Tensor& x) { return nn::softplus(x); }},
  };
  return all;
}

/// Dense layers with an activation between them: images (n, 784) to logits (n, 10).
struct Classifier : xgrad::nn::Module {
  std::vector<xgrad::nn::Linear> layers;
  XGRAD_MODULE(layers)

  /// `widths` of the hidden layers, from the images on.
  Classifier(std::vector<std::int64_t> widths, std::string activation_name)
      : hidden_widths(std::move(widths)), activation(std::move(activation_name)) {
    std::int64_t in = 28 * 28;
    for (const std::int64_t out : hidden_widths) {
      layers.emplace_back(in, out);
      in = out;
    }
    layers.emplace_back(in, 10);
  }

  xgrad::Tensor operator()(const xgrad::Tensor& images) const {
    const Activation activate = activations().at(activation);
    xgrad::Tensor x = images;
    for (std::size_t i = 0; i + 1 < layers.size(); ++i) x = activate(layers[i](x));
    return layers.back()(x);
  }

  std::vector<std::int64_t> hidden_widths;
  std::string activation;
};

/// A classifier and the scaling of the pixels it was trained with.
struct TrainedClassifier {
  Classifier model;
  xgrad::nn::Scaling scaling;
};

namespace detail {

/// A double in as many digits as bring it back unchanged.
inline std::string exact(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

inline double number(const std::string& text) {
  double value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc())
    throw std::invalid_argument("not a number: " + text);
  return value;
}

}  // namespace detail

/// Writes a model as safetensors; widths, activation and scaling go along as metadata.
inline void save(const Classifier& model, const xgrad::nn::Scaling& scaling, const std::filesystem::path& path) {
  std::string widths;
  for (const std::int64_t width : model.hidden_widths) {
    if (!widths.empty()) widths += ',';
    widths += std::to_string(width);
  }
  xgrad::nn::save(model, path,
                  {{"widths", widths},
                   {"activation", model.activation},
                   {"shift", detail::exact(scaling.shift().item())},
                   {"scale", detail::exact(scaling.scale().item())}});
}

/// Reads what `save` wrote. Throws std::runtime_error naming the file when it is something else.
inline TrainedClassifier load(const std::filesystem::path& path) {
  const auto metadata = xgrad::nn::load_safetensors(path).metadata;
  try {
    std::vector<std::int64_t> widths;
    std::istringstream list(metadata.at("widths"));
    for (std::string width; std::getline(list, width, ',');)
      widths.push_back(static_cast<std::int64_t>(detail::number(width)));
    if (!activations().contains(metadata.at("activation"))) throw std::invalid_argument("unknown activation");
    const auto scalar = [&](const char* key) { return xgrad::full({1, 1}, detail::number(metadata.at(key))); };
    TrainedClassifier result{Classifier(widths, metadata.at("activation")),
                             xgrad::nn::Scaling(scalar("shift"), scalar("scale"))};
    xgrad::nn::load(result.model, path);
    return result;
  } catch (const std::logic_error& error) {  // out_of_range and invalid_argument
    throw std::runtime_error(path.string() + ": no model of the Fashion-MNIST demo (" + error.what() + ")");
  }
}

}  // namespace fashion_mnist
