// Functions by their address, whichever way they take the tensor.
#pragma once

#include <autodiff/autodiff.hpp>
#include <functional>
#include <type_traits>
#include <utility>

namespace xgrad::test {

/// `log`, `sum`, …, or a lambda: a function of a tensor and `More`.
template <class... More>
class FunctionOf {
 public:
  FunctionOf(Tensor (*f)(const Located&, More...)) : f_(f) {}
  FunctionOf(Tensor (*f)(const Tensor&, More...)) : f_(f) {}
  template <class F>
    requires std::is_class_v<F>
  FunctionOf(F f) : f_(std::move(f)) {}

  Tensor operator()(const Tensor& x, More... more) const { return f_(x, std::forward<More>(more)...); }

 private:
  std::function<Tensor(const Tensor&, More...)> f_;
};

}  // namespace xgrad::test
