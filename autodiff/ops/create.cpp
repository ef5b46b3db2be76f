#include <autodiff/ops/create.hpp>
#include <autodiff/ops/shape.hpp>
#include <autodiff/core/tape.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>

namespace xgrad {
namespace {

std::string number(double value) {
  std::string text = std::to_string(value);
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return text;
}

[[noreturn]] void fail(std::string_view op, const std::string& what) {
  throw detail::located<std::invalid_argument>(std::string(op) + ": " + what);
}

// Fractions are cut off for int64, as a conversion in C++ does.
template <class T>
T element(std::string_view op, double value) {
  if constexpr (std::is_same_v<T, std::int64_t>) {
    if (!(value >= -0x1p63 && value < 0x1p63)) fail(op, number(value) + " is no int64; choose a floating dtype");
  }
  return static_cast<T>(value);
}

void check_finite(std::string_view op, double a, double b, double c) {
  if (!std::isfinite(a) || !std::isfinite(b) || !std::isfinite(c))
    fail(op, "the arguments (" + number(a) + ", " + number(b) + ", " + number(c) + ") must be finite");
}

Tensor full(std::string_view op, const Shape& shape, double value, DType dtype) {
  check_shape(op, shape);
  return dispatch(dtype, [&]<class T>(T) {
    const T stored = element<T>(op, value);
    // One element, whose strides are 0.
    detail::Value one{detail::Buffer::allocate(sizeof(T)), 0, Strides(shape.size(), 0), size_of(shape) <= 1};
    std::memcpy(one.buffer->data(), &stored, sizeof(T));
    return detail::make_leaf(shape, dtype, std::move(one));
  });
}

}  // namespace

Tensor zeros(const Shape& shape, DType dtype) { return full("zeros", shape, 0, dtype); }

Tensor ones(const Shape& shape, DType dtype) { return full("ones", shape, 1, dtype); }

Tensor full(const Shape& shape, double value, DType dtype) { return full("full", shape, value, dtype); }

Tensor zeros_like(const Tensor& x) {
  detail::check_defined("zeros_like", x);
  return full("zeros_like", x.shape(), 0, x.dtype());
}

Tensor ones_like(const Tensor& x) {
  detail::check_defined("ones_like", x);
  return full("ones_like", x.shape(), 1, x.dtype());
}

Tensor arange(double start, double stop, double step, DType dtype) {
  check_finite("arange", start, stop, step);
  if (step == 0) fail("arange", "the step must not be 0");
  if (dtype == DType::bool_) fail("arange", "there is no range of bool; choose another dtype");
  const double count = std::max(0.0, std::ceil((stop - start) / step));
  if (!(count < 0x1p63)) fail("arange", number(count) + " elements are too many; choose a larger step");
  const auto n = static_cast<std::int64_t>(count);
  check_shape("arange", {n});
  return dispatch(dtype, [&]<class T>(T) {
    if (n > 0) static_cast<void>(element<T>("arange", start + static_cast<double>(n - 1) * step));
    if (n > 0) static_cast<void>(element<T>("arange", start));
    return detail::make_leaf({n}, dtype, [&](void* values) {
      for (std::int64_t i = 0; i < n; ++i)
        static_cast<T*>(values)[i] = static_cast<T>(start + static_cast<double>(i) * step);
    });
  });
}

Tensor linspace(double start, double stop, std::int64_t n, DType dtype) {
  check_finite("linspace", start, stop, 0);
  if (n < 0) fail("linspace", "the number of values is negative: " + std::to_string(n));
  check_shape("linspace", {n});
  return dispatch(dtype, [&]<class T>(T) {
    static_cast<void>(element<T>("linspace", start));
    static_cast<void>(element<T>("linspace", stop));
    return detail::make_leaf({n}, dtype, [&](void* values) {
      for (std::int64_t i = 0; i < n; ++i) {
        // Weights rather than a step: exact at both ends, and no overflow in between.
        const double t = n > 1 ? static_cast<double>(i) / static_cast<double>(n - 1) : 0;
        const double value = t == 1 ? stop : start * (1 - t) + stop * t;
        static_cast<T*>(values)[i] = static_cast<T>(std::is_same_v<T, std::int64_t> ? std::floor(value) : value);
      }
    });
  });
}

Tensor eye(std::int64_t n, DType dtype) {
  check_shape("eye", {n, n});
  return dispatch(dtype, [&]<class T>(T) {
    return detail::make_leaf({n, n}, dtype, [n](void* values) {
      T* diagonal = static_cast<T*>(values);
      std::fill(diagonal, diagonal + n * n, T(0));
      for (std::int64_t i = 0; i < n; ++i) diagonal[i * (n + 1)] = T(1);
    });
  });
}

}  // namespace xgrad
