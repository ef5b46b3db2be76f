#include <algorithm>
#include <autodiff/core/per_thread.hpp>
#include <autodiff/ops/random_engine.hpp>
#include <autodiff/core/trace_state.hpp>
#include <autodiff/ops/random.hpp>
#include <autodiff/core/shape.hpp>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <stdexcept>
#include <string>
#include <string_view>

// Only the engine's bits are taken from <random>: its distributions differ from one standard library to the next.

namespace xgrad {
namespace {

[[noreturn]] void fail(std::string_view op, const std::string& what) {
  throw std::invalid_argument(std::string(op) + ": " + what);
}

void check_floating(std::string_view op, DType dtype) {
  if (!is_floating(dtype))
    fail(op, "no such distribution of " + std::string(name_of(dtype)) + "; choose float32 or float64");
}

// One of the 2⁵³ multiples of 2⁻⁵³ in [0, 1).
double unit(std::mt19937_64& engine) { return static_cast<double>(engine() >> 11) * 0x1p-53; }

// Uniform in [0, n), for n > 0: draws from the incomplete last run of n values are thrown away, so none is favoured.
std::uint64_t below(std::mt19937_64& engine, std::uint64_t n) {
  const std::uint64_t incomplete = (0 - n) % n;  // 2⁶⁴ mod n
  std::uint64_t draw = engine();
  while (draw < incomplete) draw = engine();
  return draw % n;
}

/// What is drawn while a function is recorded to be run again would be the same each time.
template <class F>
Tensor drawn(const Shape& shape, DType dtype, const F& draw) {
  detail::Tracing::note_read();
  return detail::make_leaf(shape, dtype, draw);
}

}  // namespace

Generator::Generator(std::uint64_t seed) : engine_(std::make_unique<detail::Engine>(seed)) {}
Generator::Generator(const Generator& other) : engine_(other.engine_ ? std::make_unique<detail::Engine>(*other.engine_) : nullptr) {}
Generator::Generator(Generator&&) noexcept = default;
Generator& Generator::operator=(const Generator& other) {
  if (this != &other) *this = Generator(other);
  return *this;
}
Generator& Generator::operator=(Generator&&) noexcept = default;
Generator::~Generator() = default;

detail::Engine& Generator::engine() {
  if (!engine_) throw std::logic_error("Generator: it was moved from; assign another generator to it first");
  return *engine_;
}

Tensor Generator::uniform(const Shape& shape, double low, double high, DType dtype) {
  check_shape("uniform", shape);
  detail::Engine& source = engine();
  check_floating("uniform", dtype);
  return dispatch_floating(dtype, [&]<class T>(T) {
    if (!(std::isfinite(static_cast<T>(low)) && std::isfinite(static_cast<T>(high))))
      fail("uniform", "bounds " + std::to_string(low) + " and " + std::to_string(high) + " must be finite in " +
                          std::string(name_of(dtype)));
    if (!(low <= high)) fail("uniform", "low " + std::to_string(low) + " is above high " + std::to_string(high));
    // The smallest and largest T within [low, high): rounding to T must not leave it.
    constexpr T infinity = std::numeric_limits<T>::infinity();
    T smallest = static_cast<T>(low), largest = static_cast<T>(high);
    if (smallest < low) smallest = std::nextafter(smallest, infinity);
    if (largest >= high) largest = std::nextafter(largest, -infinity);
    largest = std::max(smallest, largest);
    return drawn(shape, dtype, [&](void* values) {
      T* out = static_cast<T*>(values);
      for (std::int64_t i = 0, n = size_of(shape); i < n; ++i) {
        const double u = unit(source);
        out[i] = std::clamp(static_cast<T>(low * (1 - u) + high * u), smallest, largest);
      }
    });
  });
}

Tensor Generator::normal(const Shape& shape, double mean, double standard_deviation, DType dtype) {
  check_shape("normal", shape);
  detail::Engine& source = engine();
  check_floating("normal", dtype);
  if (!std::isfinite(mean)) fail("normal", "the mean " + std::to_string(mean) + " must be finite");
  if (!(standard_deviation >= 0) || !std::isfinite(standard_deviation))
    fail("normal", "the standard deviation " + std::to_string(standard_deviation) + " must be finite and not negative");
  return dispatch_floating(dtype, [&]<class T>(T) {
    return drawn(shape, dtype, [&](void* values) {
      T* out = static_cast<T*>(values);
      // Two at a time: Box and Muller, Ann. Math. Stat. 29 (1958).
      for (std::int64_t i = 0, n = size_of(shape); i < n; i += 2) {
        const double radius = standard_deviation * std::sqrt(-2 * std::log(1 - unit(source)));
        const double angle = 2 * std::numbers::pi * unit(source);
        out[i] = static_cast<T>(mean + radius * std::cos(angle));
        if (i + 1 < n) out[i + 1] = static_cast<T>(mean + radius * std::sin(angle));
      }
    });
  });
}

Tensor Generator::integers(const Shape& shape, std::int64_t low, std::int64_t high) {
  check_shape("integers", shape);
  detail::Engine& source = engine();
  if (low >= high)
    fail("integers",
         "nothing lies in [" + std::to_string(low) + ", " + std::to_string(high) + "); low must be below high");
  const std::uint64_t range = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
  return drawn(shape, DType::int64, [&](void* values) {
    auto* out = static_cast<std::int64_t*>(values);
    std::generate(out, out + size_of(shape),
                  [&] { return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + below(source, range)); });
  });
}

Tensor Generator::permutation(std::int64_t n) {
  check_shape("permutation", {n});
  detail::Engine& source = engine();
  return drawn({n}, DType::int64, [&](void* values) {
    auto* out = static_cast<std::int64_t*>(values);
    std::iota(out, out + n, std::int64_t{0});
    // Fisher and Yates; Knuth, TAOCP 2, algorithm 3.4.2P.
    for (std::int64_t i = n - 1; i > 0; --i) std::swap(out[i], out[below(source, static_cast<std::uint64_t>(i) + 1)]);
  });
}

Generator& default_generator() {
  struct Default {
    Generator generator{0};
  };
  return detail::per_thread<Default>().generator;
}

void manual_seed(std::uint64_t seed) { default_generator() = Generator(seed); }

}  // namespace xgrad
