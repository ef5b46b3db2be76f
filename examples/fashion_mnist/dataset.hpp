// Fashion-MNIST (Xiao, Rasul, Vollgraf 2017): pictures of clothes, 28 x 28 grey pixels each, in ten classes.
#pragma once

#include <algorithm>
#include <array>
#include <filesystem>
#include <nn/data/data.hpp>
#include <stdexcept>
#include <string>

namespace fashion_mnist {

constexpr std::array<const char*, 10> class_names = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                                     "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

/// Where Debian's package dataset-fashion-mnist puts the files.
constexpr const char* default_folder = "/usr/share/datasets/fashion-mnist";

/// Images as float32 of 0 … 255, (n, 784), and their classes, int64. `part` is "train" or "t10k"; a positive `limit`
/// keeps that many from the front. Throws std::runtime_error naming the file when one is missing or is not what it
/// should be.
inline xgrad::nn::Dataset read(const std::filesystem::path& folder, const std::string& part, std::int64_t limit = 0) {
  const auto file = [&](const std::string& name) {
    const auto compressed = folder / (part + name + ".gz");
    const auto plain = folder / (part + name);
    if (std::filesystem::exists(compressed)) return compressed;
    if (std::filesystem::exists(plain)) return plain;
    throw std::runtime_error(compressed.string() +
                             ": no such file; install Debian's dataset-fashion-mnist or name a folder with --data");
  };
  const auto image_file = file("-images-idx3-ubyte"), label_file = file("-labels-idx1-ubyte");
  xgrad::Tensor images = xgrad::nn::read_idx(image_file, xgrad::DType::float32),
                labels = xgrad::nn::read_idx(label_file);
  if (images.dim() != 3 || images.shape(1) != 28 || images.shape(2) != 28 || images.shape(0) == 0)
    throw std::runtime_error(image_file.string() + ": holds " + xgrad::to_string(images.shape()) +
                             ", not images of 28 x 28");
  if (labels.dim() != 1 || labels.shape(0) != images.shape(0))
    throw std::runtime_error(label_file.string() + ": holds " + xgrad::to_string(labels.shape()) +
                             ", not a label for each image");
  for (const std::int64_t label : labels.array<std::int64_t>())
    if (label < 0 || label >= static_cast<std::int64_t>(class_names.size()))
      throw std::runtime_error(label_file.string() + ": holds " + std::to_string(label) + ", which is no class");
  const xgrad::nn::Dataset all(images.reshape({images.shape(0), 28 * 28}), labels);
  return limit > 0 ? all.slice(0, std::min(limit, all.size())) : all;
}

}  // namespace fashion_mnist
