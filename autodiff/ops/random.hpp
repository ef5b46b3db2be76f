#pragma once

#include <autodiff/core/tensor.hpp>
#include <memory>

namespace xgrad {

namespace detail {
struct Engine;  // std::mt19937_64, whose header would cost every user's file an eighth of a second
}

/// A seeded source of random tensors, by NumPy's names. The same seed gives the same values, with any standard library;
/// those in float32 are those in float64, rounded. One that was moved from throws std::logic_error until it is assigned to.
class Generator {
 public:
  explicit Generator(std::uint64_t seed);
  Generator(const Generator& other);
  Generator(Generator&&) noexcept;
  Generator& operator=(const Generator& other);
  Generator& operator=(Generator&&) noexcept;
  ~Generator();

  /// Uniform in [low, high), also after rounding to `dtype`. Throws std::invalid_argument unless low <= high, both
  /// finite in `dtype`, which is floating.
  Tensor uniform(const Shape& shape, double low = 0, double high = 1, DType dtype = DType::float32);
  /// Gaussian of the mean and standard deviation given. Throws std::invalid_argument for a negative deviation, for
  /// parameters that are not finite, and unless `dtype` is floating.
  Tensor normal(const Shape& shape, double mean = 0, double standard_deviation = 1, DType dtype = DType::float32);
  /// Uniform int64 in [low, high). Throws std::invalid_argument unless low < high.
  Tensor integers(const Shape& shape, std::int64_t low, std::int64_t high);
  /// 0 … n-1 in random order, int64. Throws std::invalid_argument for n < 0.
  Tensor permutation(std::int64_t n);

  /// For the engine's own sources.
  detail::Engine& engine();

 private:
  std::unique_ptr<detail::Engine> engine_;
};

/// The generator that layers draw their initial weights from unless given another; of the calling thread, seeded with
/// 0.
Generator& default_generator();
/// Seeds `default_generator`.
void manual_seed(std::uint64_t seed);

}  // namespace xgrad
