// A function of one element as a function of a batch, as JAX's vmap.
#pragma once

#include <autodiff/transforms/transforms.hpp>
#include <cstdint>
#include <optional>
#include <vector>

namespace xgrad {

/// The axis of an argument along which elements lie (negative counts from the end), or none: every element is given all of it.
using MappedAxis = std::optional<std::int64_t>;

namespace detail {
TensorFunction vmap(TensorFunction f, std::vector<MappedAxis> axes);
}

/// `f` of each element along an axis of x, stacked along axis 0. `f` is called once: what it records is recorded again for all elements
/// together, each op by one on the whole batch, or on one element after another where there is none for it (`Op::vectorized`). Values
/// and derivatives are those of a loop, but what `f` draws at random is the same for all. An `f` that reads values of its argument as it
/// goes, to choose what to do, is called for each element instead. Throws std::invalid_argument for an axis that is out of range or empty.
template <OfOneTensor F>
UnaryFunction vmap(F f, std::int64_t axis = 0) {
  detail::check_callable("vmap", f);
  return [g = detail::vmap(detail::of_vector(std::move(f)), {axis})](const Tensor& x) { return g({x}); };
}
/// The same for several arguments, each with its axis: vmap(f, {0, std::nullopt, -1}). Throws std::invalid_argument unless there is
/// one for each argument, one at least is mapped, and their extents agree.
template <OfTensors F>
TensorFunction vmap(F f, std::vector<MappedAxis> axes) {
  detail::check_callable("vmap", f);
  return detail::vmap(std::move(f), std::move(axes));
}

}  // namespace xgrad
