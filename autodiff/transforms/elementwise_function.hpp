// A function of numbers, written by you, as an op.
#pragma once

#include <array>
#include <autodiff/ops/batching.hpp>
#include <autodiff/transforms/dual.hpp>
#include <autodiff/ops/contiguous.hpp>
#include <autodiff/ops/support.hpp>
#include <autodiff/ops/shape.hpp>
#include <stdexcept>
#include <utility>
#include <vector>

namespace xgrad {
namespace detail {

/// ∂f/∂x_I, as a function of numbers again.
template <class F, std::size_t I>
struct Partial {
  F f;
  template <class... T>
  auto operator()(const T&... x) const {
    return [&]<std::size_t... K>(std::index_sequence<K...>) {
      return f(Dual<T>(x, T(K == I ? 1 : 0))...).derivative;
    }(std::index_sequence_for<T...>());
  }
};

template <class F, std::size_t N, int order>
struct ElementwiseFunction final : GeneralOp {
  ElementwiseFunction() = default;
  explicit ElementwiseFunction(F f) : f(std::move(f)) {}
  std::string_view name() const override { return "elementwise"; }

  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const auto run = [&]<class T, std::size_t... K>(T, std::index_sequence<K...>) {
      const std::array<Contiguous<T>, N> arrays{Contiguous<T>(inputs[K])...};
      const std::array<const T*, N> x{arrays[K].data()...};
      T* const y = output.as<T>();
      for (std::int64_t i = 0; i < output.size; ++i) y[i] = static_cast<T>(f(x[K][i]...));
    };
    if (output.dtype == DType::float32) run(float(), std::make_index_sequence<N>());
    else run(double(), std::make_index_sequence<N>());
  }

  Tensor vjp(std::size_t i, const Tensor& g, std::span<const Tensor> inputs, const Tensor&) const override;
  Tensor vectorized(const detail::Batched& batched) const override { return batched.by_leading_axes(); }

  F f;
};

template <int order, class F, std::size_t N>
Tensor record_elementwise(F f, std::span<const Tensor, N> inputs) {
  using Op = ElementwiseFunction<F, N, order>;
  const Tensor& first = inputs.front();
  if constexpr (std::is_empty_v<F> && std::is_default_constructible_v<F>) return record(shared_op<Op>(), inputs, first.shape(), first.dtype());
  else return record(std::make_shared<const Op>(std::move(f)), inputs, first.shape(), first.dtype());
}

template <class F, std::size_t N, int order>
Tensor ElementwiseFunction<F, N, order>::vjp(std::size_t i, const Tensor& g, std::span<const Tensor> inputs, const Tensor&) const {
  if constexpr (order == 0) {
    throw std::logic_error("elementwise: this derivative is of higher order than was asked for; write elementwise<order>(…)");
  } else {
    Tensor slope;
    [&]<std::size_t... K>(std::index_sequence<K...>) {
      ((i == K ? void(slope = record_elementwise<order - 1>(Partial<F, K>{f}, std::span<const Tensor, N>(inputs))) : void()), ...);
    }(std::make_index_sequence<N>());
    return scale(g, slope);
  }
}

/// The tensors broadcast against each other, in one floating dtype.
std::vector<Tensor> broadcast_floating(std::string_view op, std::vector<Tensor> tensors);

}  // namespace detail

/// y = f(a, b, …) element by element, for a function of numbers such as
///
///     [](auto x, auto y) { using std::exp; return x > 0 ? x * exp(-y) : x; }
///
/// generic, since it is called with float, double, and numbers that carry derivatives: its own derivatives, up to `order`, are
/// found by the compiler, by the rules for + - * / and the functions of <cmath>, found without `std::` (hence the `using`). Tensors broadcast
/// and turn into their floating dtype. A derivative beyond `order` throws std::logic_error.
template <int order = 2, class F, class... X>
  requires(sizeof...(X) > 0 && (std::is_convertible_v<const X&, const Tensor&> && ...))
Tensor elementwise(F f, const X&... x) {
  const std::vector<Tensor> inputs = detail::broadcast_floating("elementwise", {x...});
  return detail::record_elementwise<order>(std::move(f), std::span<const Tensor, sizeof...(X)>(inputs));
}

}  // namespace xgrad
