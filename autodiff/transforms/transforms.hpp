// Derivatives of functions, as JAX has them: grad(f) is a function. What they return can be differentiated again wherever it depends
// on tensors that require gradients, arguments or captured ones; in a derivative with respect to its arguments, what a function captures
// is a constant. Arguments are never changed, and no leaf's `grad()` is touched.
//
// Functions take one tensor, or a vector of them (TensorFunction); derivatives are with respect to every argument, which must be
// floating: all throw std::invalid_argument otherwise. A gradient that does not exist because the result does not depend on an
// argument is zeros.
#pragma once

#include <autodiff/gradient/backward.hpp>
#include <autodiff/core/function.hpp>
#include <functional>
#include <tuple>
#include <utility>
#include <vector>

namespace xgrad {

using UnaryFunction = std::function<Tensor(const Tensor&)>;

template <class F>
concept OfOneTensor = std::is_invocable_r_v<Tensor, const F&, const Tensor&> && !std::is_convertible_v<F, Tensor>;
template <class F>
concept OfTensors = !OfOneTensor<F> && std::is_invocable_r_v<Tensor, const F&, const std::vector<Tensor>&>;

namespace detail {

std::pair<Tensor, std::vector<Tensor>> value_and_gradients(const TensorFunction& f, const std::vector<Tensor>& inputs);
/// `f` of one tensor as a function of a vector of one.
template <class F>
TensorFunction of_vector(F f) {
  return [f = std::move(f)](const std::vector<Tensor>& x) { return f(x[0]); };
}

}  // namespace detail

/// The value of `f`, which has one element, and its gradient.
template <OfOneTensor F>
std::function<std::pair<Tensor, Tensor>(const Tensor&)> value_and_grad(F f) {
  detail::check_callable("value_and_grad", f);
  return [g = detail::of_vector(std::move(f))](const Tensor& x) {
    auto [value, gradients] = detail::value_and_gradients(g, {x});
    return std::pair(std::move(value), std::move(gradients[0]));
  };
}
template <OfTensors F>
std::function<std::pair<Tensor, std::vector<Tensor>>(const std::vector<Tensor>&)> value_and_grad(F f) {
  detail::check_callable("value_and_grad", f);
  return [g = TensorFunction(std::move(f))](const std::vector<Tensor>& x) { return detail::value_and_gradients(g, x); };
}
namespace detail {

template <class Result>
concept ValueAndMore = requires(Result r) { { r.first } -> std::convertible_to<Tensor>; r.second; };
template <class F, class Argument>
concept WithMore = std::is_invocable_v<const F&, const Argument&> && ValueAndMore<std::invoke_result_t<const F&, const Argument&>>;

/// ((value, auxiliary), gradients) of `call`, which takes the inputs and returns the first pair.
template <class Call>
auto value_and_gradients_with_more(const Call& call, const std::vector<Tensor>& inputs) {
  using Auxiliary = typename std::invoke_result_t<const Call&, const std::vector<Tensor>&>::second_type;
  std::vector<Auxiliary> auxiliary;  // room for one, which need not be made by default
  auto [value, gradients] = value_and_gradients(
      [&](const std::vector<Tensor>& at) {
        auto [first, second] = call(at);
        auxiliary.push_back(std::move(second));
        return first;
      },
      inputs);
  return std::pair(std::pair(std::move(value), std::move(auxiliary[0])), std::move(gradients));
}

}  // namespace detail

/// Of a function that returns its value together with something else, which is passed on: ((value, auxiliary), gradient).
template <class F>
  requires detail::WithMore<F, Tensor>
auto value_and_grad(F f) {
  detail::check_callable("value_and_grad", f);
  return [f = std::move(f)](const Tensor& x) {
    auto [first, gradients] = detail::value_and_gradients_with_more([&](const std::vector<Tensor>& at) { return f(at[0]); }, {x});
    return std::pair(std::move(first), std::move(gradients[0]));
  };
}
template <class F>
  requires(!detail::WithMore<F, Tensor> && detail::WithMore<F, std::vector<Tensor>>)
auto value_and_grad(F f) {
  detail::check_callable("value_and_grad", f);
  return [f = std::move(f)](const std::vector<Tensor>& x) { return detail::value_and_gradients_with_more(f, x); };
}

/// The gradient of `f`, which has one element: grad(f)(x). grad(grad(f)) and so on are its derivatives of higher order.
template <OfOneTensor F>
UnaryFunction grad(F f) {
  detail::check_callable("grad", f);
  return [g = value_and_grad(std::move(f))](const Tensor& x) { return g(x).second; };
}
template <OfTensors F>
std::function<std::vector<Tensor>(const std::vector<Tensor>&)> grad(F f) {
  detail::check_callable("grad", f);
  return [g = value_and_grad(std::move(f))](const std::vector<Tensor>& x) { return g(x).second; };
}

/// A value, and the function that takes a cotangent of its shape to those of the inputs, as often as one likes.
struct Pullback {
  Tensor value;
  std::function<std::vector<Tensor>(const Tensor& cotangent)> pull;
};
Pullback vjp(const TensorFunction& f, const std::vector<Tensor>& inputs);
/// The value of `f` and its derivative along `tangents`, which have the inputs' shapes. Made of two reverse passes: the second is of
/// the first, which is linear in its cotangent. Costs a small multiple of `f`, whatever the sizes.
std::pair<Tensor, Tensor> jvp(const TensorFunction& f, const std::vector<Tensor>& inputs, const std::vector<Tensor>& tangents);

/// ∂yᵢ/∂xⱼ, of shape y.shape + x.shape: by rows if y has fewer elements than x, else by columns, many at once.
Tensor jacobian(const UnaryFunction& f, const Tensor& x);
/// ∂²y/∂xᵢ∂xⱼ, of shape x.shape + x.shape, of a function with one element.
Tensor hessian(const UnaryFunction& f, const Tensor& x);
/// The Hessian of `f` times `v`, which has x's shape, without forming it.
Tensor hvp(const UnaryFunction& f, const Tensor& x, const Tensor& v);

/// f(inputs), of which nothing is kept for the backward pass but the inputs: it is computed again there. For functions whose
/// intermediate values take more memory than they are worth. `f` is therefore called once more, during the backward pass, when what it
/// captures by reference, a loop's variable for one, may have changed: capture by value. Throws std::invalid_argument if `f` depends on
/// tensors that require gradients and are not among the inputs; the backward pass throws std::logic_error if `f` then records other ops,
/// shapes or numbers than the first time. Random numbers that it draws itself are drawn anew and are not noticed.
Tensor checkpoint(const TensorFunction& f, const std::vector<Tensor>& inputs);

/// Cotangents of the inputs (undefined for those that get none) from that of the output, the inputs and the output.
using VjpFunction = std::function<std::vector<Tensor>(const Tensor& g, const std::vector<Tensor>& inputs, const Tensor& output)>;
/// `forward` with a derivative of your own, which may be differentiated in turn if it is written in public ops. `forward` gets its inputs
/// as constants and is not tracked: one that depends on another tensor that requires gradients, which `vjp` could give none, throws
/// std::invalid_argument; pass it as an input. `vjp` is called once in each pass, whichever inputs the pass asks for. The shapes that it
/// returns are checked when it runs: std::invalid_argument.
TensorFunction custom_function(TensorFunction forward, VjpFunction vjp);

/// x itself, whose cotangent goes through `hook` on its way back: to look at it, or to change it. The backward pass throws
/// std::invalid_argument if the hook returns an undefined tensor.
Tensor with_hook(const Tensor& x, UnaryFunction hook);
/// x as a constant.
inline Tensor stop_gradient(const Tensor& x) { return x.detach(); }

}  // namespace xgrad
