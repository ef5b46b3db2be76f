// Ops with rules of any kind, right and wrong, for checks of the gradient checker.
#pragma once

#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace xgrad::test {

using Inputs = std::vector<Tensor>;

inline Tensor random(const Shape& shape, std::uint64_t seed = 1) {
  return Generator(seed).uniform(shape, -2, 2, DType::float64);
}

using Rule = std::function<Tensor(const Tensor& g, const Tensor& x)>;

/// x², computed as a whole, with the rule given.
struct Square final : GeneralOp {
  explicit Square(Rule rule) : rule(std::move(rule)) {}
  std::string_view name() const override { return "test_square"; }
  void evaluate(std::span<const detail::Array> inputs, const detail::Array& output) const override {
    double* y = output.as<double>();
    detail::copy_contiguous(inputs[0], y);
    for (std::int64_t i = 0; i < output.size; ++i) y[i] *= y[i];
  }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor> inputs, const Tensor&) const override {
    return rule(g, inputs[0]);
  }
  Rule rule;
};

inline Tensor square_with(const Rule& rule, const Tensor& x) {
  return detail::record(std::make_shared<const Square>(rule), {&x, 1}, x.shape(), x.dtype());
}

/// a · b², elementwise, whose rule for b is wrong by a factor.
struct Product final : ElementwiseOp {
  explicit Product(double factor) : factor(factor) {}
  std::string_view name() const override { return "test_product"; }
  detail::TileKernel tile_kernel(DType) const override {
    return [](const void* const* inputs, void* output, std::size_t n) {
      const auto *a = static_cast<const double*>(inputs[0]), *b = static_cast<const double*>(inputs[1]);
      for (std::size_t i = 0; i < n; ++i) static_cast<double*>(output)[i] = a[i] * b[i] * b[i];
    };
  }
  Tensor vjp(std::size_t i, const Tensor& g, std::span<const Tensor> inputs, const Tensor&) const override {
    return i == 0 ? g * inputs[1] * inputs[1] : factor * g * inputs[0] * inputs[1];
  }
  double factor;
};

inline Tensor product_with(double factor, const Tensor& a, const Tensor& b) {
  const Tensor inputs[] = {a, b};
  return detail::record(std::make_shared<const Product>(factor), inputs,
                        broadcast_shapes("test_product", a.shape(), b.shape()), a.dtype());
}

inline const Rule right = [](const Tensor& g, const Tensor& x) { return g * 2 * x; };

inline TensorFunction squaring(const Rule& rule) {
  return [rule](const Inputs& in) { return square_with(rule, in[0]); };
}

inline bool says(const GradcheckResult& result, const std::string& text) {
  return result.report().find(text) != std::string::npos;
}

#define EXPECT_REPORT(result, text) EXPECT_PRED2(says, result, text)

/// The value of `x`, with the gradient of 0.5 · x.
inline Tensor half_wrong(const Tensor& x) { return 0.5 * x + (0.5 * x).detach(); }

}  // namespace xgrad::test
