// Functions that are planned once, as JAX's jit: the first call records them, later ones run what was recorded.
#pragma once

#include <autodiff/transforms/transforms.hpp>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace xgrad {

namespace detail {

using TensorsFunction = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;
TensorsFunction jit(TensorsFunction f, bool verify);

/// How results are taken apart into tensors, and put together.
template <class R>
struct Results;
template <>
struct Results<Tensor> {
  static std::vector<Tensor> apart(Tensor result) { return {std::move(result)}; }
  static Tensor together(std::vector<Tensor> tensors) { return std::move(tensors[0]); }
};
template <>
struct Results<std::vector<Tensor>> {
  static std::vector<Tensor> apart(std::vector<Tensor> results) { return results; }
  static std::vector<Tensor> together(std::vector<Tensor> tensors) { return tensors; }
};
/// A tensor and more, as a value with its gradients.
template <class Rest>
struct Results<std::pair<Tensor, Rest>> {
  static std::vector<Tensor> apart(std::pair<Tensor, Rest> results) {
    std::vector<Tensor> tensors = Results<Rest>::apart(std::move(results.second));
    tensors.insert(tensors.begin(), std::move(results.first));
    return tensors;
  }
  static std::pair<Tensor, Rest> together(std::vector<Tensor> tensors) {
    Tensor first = std::move(tensors[0]);
    tensors.erase(tensors.begin());
    return {std::move(first), Results<Rest>::together(std::move(tensors))};
  }
};

template <class F, class Argument>
concept OfTensorsOnly = requires(const F& f, const Argument& x) {
  Results<std::remove_cvref_t<decltype(f(x))>>::apart(f(x));
};

}  // namespace detail

/// Options of `jit` and of `nn::TrainStep`.
struct JitOptions {
  /// Calls the function in every run, too, and throws std::logic_error, naming what has changed, unless it records what it did when it
  /// was captured. By default in files that are compiled without NDEBUG.
  bool verify = false;
};
#ifdef NDEBUG
#define XGRAD_VERIFY_JIT false
#else
#define XGRAD_VERIFY_JIT true
#endif

/// `f` as a function that computes the same without being called. The first call for arguments of some shapes and dtypes calls `f`,
/// which records what it computes; that is planned as a whole and from then on run: nothing is recorded, looked up or asked of rules,
/// which for small arrays is most of the time. Takes a function of a tensor, or of a vector of them, that returns a tensor, a vector,
/// or a pair of a tensor and either; gradients may be taken in it: jit(value_and_grad(f)).
///
/// What `f` does beside recording ops it does when it is called: an `if` stays decided as it was, and a plain number that it captures,
/// by reference too, stays what it was: pass what changes from call to call as an argument, Tensor(rate). In debug builds each run
/// verifies that (`JitOptions::verify`): what has changed throws std::logic_error. So that nothing is wrong unnoticed,
/// it is an error for `f` to read values, to draw random numbers, to assign to tensors or to call `backward` (std::logic_error): take
/// gradients with `grad`, choose with `where`. Checks that ops make of an argument's values, as of indices, are made each time. Tensors
/// that `f` holds rather than is given, such as a model's parameters, have the value that was assigned to them last.
///
/// Results are not differentiable: where gradients would be tracked, that is in gradient mode if an argument or a tensor that `f` holds
/// requires them, `f` itself is called instead. So it is in anomaly mode, and within another function that is recorded. Several threads
/// may share one, and take turns.
template <class F>
  requires detail::OfTensorsOnly<F, Tensor>
auto jit(F f, JitOptions options = {.verify = XGRAD_VERIFY_JIT}) {
  detail::check_callable("jit", f);
  using R = std::remove_cvref_t<std::invoke_result_t<const F&, const Tensor&>>;
  return [g = detail::jit([f = std::move(f)](const std::vector<Tensor>& x) { return detail::Results<R>::apart(f(x[0])); }, options.verify)](
             const Tensor& x) -> R { return detail::Results<R>::together(g({x})); };
}
template <class F>
  requires(!detail::OfTensorsOnly<F, Tensor> && detail::OfTensorsOnly<F, std::vector<Tensor>>)
auto jit(F f, JitOptions options = {.verify = XGRAD_VERIFY_JIT}) {
  detail::check_callable("jit", f);
  using R = std::remove_cvref_t<std::invoke_result_t<const F&, const std::vector<Tensor>&>>;
  return [g = detail::jit([f = std::move(f)](const std::vector<Tensor>& x) { return detail::Results<R>::apart(f(x)); }, options.verify)](
             const std::vector<Tensor>& x) -> R { return detail::Results<R>::together(g(x)); };
}

}  // namespace xgrad
