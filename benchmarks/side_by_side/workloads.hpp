// What is measured, three ways: by xgrad, by libtorch, and by a floor written by hand for the one shape.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace bench {

/// One way to do a workload, set up and ready.
struct Implementation {
  std::function<void()> run;
  std::function<std::vector<float>()> result;  ///< to be compared before anything is timed; starts from the beginning
  std::function<double()> memory = {};         ///< of xgrad's training steps: peak over what is needed, see Mlp::needed_bytes
};
/// Ways by the workload's name.
using Implementations = std::map<std::string, std::function<Implementation()>>;
Implementations xgrad_workloads();
Implementations torch_workloads();  ///< empty without libtorch
Implementations floor_workloads();
void set_torch_threads(int threads);
std::string torch_version();  ///< empty without libtorch

struct Workload {
  std::string name, unit;
  double units = 1;          ///< of them in one run
  double floor_bar = 0;      ///< at most so many times the floor; 0 where there is no bar
  double torch_bar = 0;      ///< at least so many times faster than libtorch
};
inline const std::vector<Workload>& workloads() {
  static const std::vector<Workload> all{
      {"chain, size 1", "node", 200, 0, 25},
      {"chain, size 16", "node", 200, 0, 25},
      {"chain, size 256", "node", 200, 0, 0},
      {"MLP 16-16-16-2, batch 1", "step", 1, 8, 30},
      {"MLP 16-16-16-2, batch 1, captured", "step", 1, 8, 30},
      {"MLP 64-64-64-10, batch 32", "step", 1, 1.7, 4},
      {"MLP 64-64-64-10, batch 32, captured", "step", 1, 1.7, 4},
      {"MLP 784-256-128-10, batch 128, SGD", "step", 1, 1.15, 1.15},
      {"MLP 784-256-128-10, batch 128, Adam", "step", 1, 1.2, 1.7},
      {"MLP 784-256-128-10, batch 128, Adam, captured", "step", 1, 1.2, 1.7},
      {"MLP 1024-1024-1024-10, batch 256", "step", 1, 1.08, 1.1},
      {"Fashion-MNIST epoch with its batches, Adam", "epoch", 1, 0, 0},
      {"gelu from primitives, 512x1024", "run", 1, 1.8, 5},
      {"gated activation, 512x1024", "run", 1, 1.8, 5},
      {"polynomial MSE, 262144 points", "run", 1, 0, 0},
      {"normalisation from primitives, 512x1024", "run", 1, 2.5, 6},
      {"row variance, 512x1024", "run", 1, 0, 0},
      {"Hessian-vector product, MLP 16-32-32-1", "product", 1, 0, 10},
      {"Hessian-vector product, MLP 16-32-32-1, captured", "product", 1, 0, 10},
      {"inference of one row, 784-256-128-10", "row", 1, 0, 0},
  };
  return all;
}

// Inputs, the same for all three.

/// `n` numbers from [low, high), none of them 0.
inline std::vector<float> numbers(std::size_t n, std::uint32_t seed, float low = -1, float high = 1) {
  std::mt19937 engine(seed);
  std::vector<float> values(n);
  for (float& value : values) {
    do value = low + (high - low) * static_cast<float>(engine() >> 8) * 0x1p-24f;
    while (value == 0);
  }
  return values;
}

constexpr std::size_t rows = 512, columns = 1024, points = 1 << 18;
constexpr int chain_nodes = 200;

struct Mlp {
  std::vector<int> widths;
  int batch;
  bool adam = false;
  float learning_rate = 0.01f, momentum = 0.9f;
  bool captured = false;  ///< by xgrad, as nn::TrainStep; for the others it is no other workload

  /// Parameters, their gradients, the optimiser's state, and what backward needs of the forward pass: the inputs of each
  /// layer, and the logits.
  double needed_bytes() const {
    double parameters = 0, activations = static_cast<double>(batch) * widths[0];
    for (std::size_t i = 0; i < layers(); ++i) {
      parameters += static_cast<double>(widths[i] + 1) * widths[i + 1];
      activations += static_cast<double>(batch) * widths[i + 1];
    }
    return 4 * (parameters * (adam ? 4 : 3) + activations);
  }
  std::size_t layers() const { return widths.size() - 1; }
  std::vector<float> weight(std::size_t i) const {
    const float bound = 1 / std::sqrt(static_cast<float>(widths[i]));
    return numbers(static_cast<std::size_t>(widths[i] * widths[i + 1]), 10 + static_cast<std::uint32_t>(i), -bound, bound);
  }
  std::vector<float> bias(std::size_t i) const {
    return numbers(static_cast<std::size_t>(widths[i + 1]), 20 + static_cast<std::uint32_t>(i), -0.1f, 0.1f);
  }
  std::vector<float> input() const { return numbers(static_cast<std::size_t>(batch * widths[0]), 30); }
  std::vector<std::int64_t> targets() const {
    std::vector<std::int64_t> classes(static_cast<std::size_t>(batch));
    for (std::size_t i = 0; i < classes.size(); ++i) classes[i] = static_cast<std::int64_t>(i * 7 % static_cast<std::size_t>(widths.back()));
    return classes;
  }
};
inline const std::map<std::string, Mlp>& mlps() {
  static const std::map<std::string, Mlp> all{
      {"MLP 16-16-16-2, batch 1", {{16, 16, 16, 2}, 1}},
      {"MLP 16-16-16-2, batch 1, captured", {.widths = {16, 16, 16, 2}, .batch = 1, .captured = true}},
      {"MLP 64-64-64-10, batch 32", {{64, 64, 64, 10}, 32}},
      {"MLP 64-64-64-10, batch 32, captured", {.widths = {64, 64, 64, 10}, .batch = 32, .captured = true}},
      {"MLP 784-256-128-10, batch 128, SGD", {{784, 256, 128, 10}, 128}},
      {"MLP 784-256-128-10, batch 128, Adam", {{784, 256, 128, 10}, 128, true, 0.001f}},
      {"MLP 784-256-128-10, batch 128, Adam, captured",
       {.widths = {784, 256, 128, 10}, .batch = 128, .adam = true, .learning_rate = 0.001f, .captured = true}},
      {"MLP 1024-1024-1024-10, batch 256", {{1024, 1024, 1024, 10}, 256}},
  };
  return all;
}
constexpr int steps_compared = 3;
constexpr std::size_t epoch_images = 60000;
inline const std::string epoch_mlp = "MLP 784-256-128-10, batch 128, Adam";
/// What an epoch goes through: pixels, and classes.
inline const std::vector<float>& epoch_pixels() {
  static const std::vector<float> pixels = numbers(epoch_images * 784, 50, 0, 1);
  return pixels;
}
inline const std::vector<std::int64_t>& epoch_classes() {
  static const std::vector<std::int64_t> classes = [] {
    std::vector<std::int64_t> result(epoch_images);
    for (std::size_t i = 0; i < epoch_images; ++i) result[i] = static_cast<std::int64_t>(i * 7 % 10);
    return result;
  }();
  return classes;
}

}  // namespace bench
