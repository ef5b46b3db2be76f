// A step of training that is planned as a whole, as JAX's jit of one.
#pragma once

#include <autodiff/transforms/jit.hpp>
#include <nn/optim/optimizer.hpp>
#include <array>
#include <concepts>
#include <functional>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace xgrad::nn {

/// What `optimizer.zero_grad(); loss = f(batch…); loss.backward(); optimizer.step();` computes, as one function of the batch:
///
///     nn::TrainStep step(optimizer, [&](const Tensor& x, const Tensor& y) { return nn::cross_entropy(model(x), y); });
///     for (const auto& [x, y] : loader) total += step(x, y).item();
///
/// The first steps call `f`, which records the loss; recording, gradients and update are planned together, and later steps run that
/// plan: nothing is recorded, which for small models is most of the time. Batches of other shapes and dtypes are planned anew, as is
/// what sees class indices to ignore where there were none; the last plans are kept.
///
/// A plain number that `f` captures, by reference too, stays what it was when `f` was called: pass what changes from step to step as an
/// argument, as step(x, y, Tensor(weight)). In debug builds each step verifies that (`JitOptions::verify`): what has changed throws
/// std::logic_error.
///
/// What `f` does beside recording ops is done when it is called, so it is an error for it to read values, to draw random numbers, to
/// assign to tensors or to call `backward`: std::logic_error, as for `jit`. Everything but the batch is what it was, except parameters
/// and other leaves, which have the values assigned to them last. The optimiser's learning rate may change at any time.
///
/// A step that throws leaves parameters and optimiser as they were. Parameters that the loss does not depend on are left alone.
/// Gradients are not kept: parameters have none after a step. Those of other leaves are not computed; one that requires them and is
/// no parameter of any module or optimiser throws std::logic_error when `f` is called: a module's XGRAD_MODULE may leave it out. In anomaly mode `f` is called in
/// every step. The optimiser must outlive this; the order of `step`s of both does not matter.
class TrainStep {
 public:
  /// `f` takes up to four tensors, or a vector of them, and returns a loss of one element. Throws std::invalid_argument for an empty
  /// std::function.
  template <class F>
  TrainStep(Optimizer& optimizer, F f, JitOptions options = {.verify = XGRAD_VERIFY_JIT})
      : TrainStep(optimizer, (xgrad::detail::check_callable("TrainStep", f), of_batch(std::move(f))), arity<F>(), options) {}
  ~TrainStep();
  TrainStep(const TrainStep&) = delete;
  TrainStep& operator=(const TrainStep&) = delete;

  /// Takes a step and returns the loss before it. Throws std::invalid_argument for another number of tensors than `f` takes and for a
  /// loss that has not one floating element; std::logic_error where no parameter requires gradients or the loss depends on none; and
  /// what `f` throws.
  template <std::convertible_to<Tensor>... Batch>
  Tensor operator()(const Batch&... batch) {
    const std::array<Tensor, sizeof...(Batch)> tensors{batch...};
    return run(tensors);
  }
  Tensor operator()(const std::vector<Tensor>& batch) { return run(batch); }

 private:
  using Loss = std::function<Tensor(std::span<const Tensor>)>;
  static constexpr std::size_t any = ~std::size_t{0};
  struct Work;

  template <class F, std::size_t... I>
  static constexpr bool takes(std::index_sequence<I...>) {
    return std::is_invocable_r_v<Tensor, const F&, std::conditional_t<true, const Tensor&, std::integral_constant<std::size_t, I>>...>;
  }
  template <class F>
  static constexpr std::size_t arity() {
    if (takes<F>(std::make_index_sequence<1>()) && !std::is_invocable_v<const F&, const std::vector<Tensor>&>) return 1;
    if (takes<F>(std::make_index_sequence<2>())) return 2;
    if (takes<F>(std::make_index_sequence<3>())) return 3;
    if (takes<F>(std::make_index_sequence<4>())) return 4;
    return any;
  }
  template <class F>
  static Loss of_batch(F f) {
    constexpr std::size_t n = arity<F>();
    if constexpr (n == any) {
      return [f = std::move(f)](std::span<const Tensor> x) -> Tensor { return f(std::vector<Tensor>(x.begin(), x.end())); };
    } else {
      return [f = std::move(f)](std::span<const Tensor> x) -> Tensor {
        return [&]<std::size_t... I>(std::index_sequence<I...>) { return f(x[I]...); }(std::make_index_sequence<n>());
      };
    }
  }

  TrainStep(Optimizer& optimizer, Loss loss, std::size_t arity, JitOptions options);
  Tensor run(std::span<const Tensor> batch);
  Tensor run_eagerly(std::span<const Tensor> batch);

  Optimizer& optimizer_;
  Loss loss_;
  std::size_t arity_;
  JitOptions options_;
  std::unique_ptr<Work> work_;
};

}  // namespace xgrad::nn
