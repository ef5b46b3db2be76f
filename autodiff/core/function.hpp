// Functions of tensors as arguments.
#pragma once

#include <autodiff/core/tensor.hpp>
#include <functional>
#include <string_view>
#include <vector>

namespace xgrad {

/// A function of several tensors, of any output shape.
using TensorFunction = std::function<Tensor(const std::vector<Tensor>&)>;

namespace detail {
[[noreturn]] void throw_empty_function(std::string_view op);
/// Throws std::invalid_argument naming `op` for an empty std::function or a null pointer.
template <class F>
void check_callable(std::string_view op, const F& f) {
  if constexpr (requires { f == nullptr; }) {
    if (f == nullptr) throw_empty_function(op);
  }
}
}  // namespace detail

}  // namespace xgrad
