// Functions that rearrange. They copy no values unless said otherwise.
#pragma once

#include <autodiff/core/tensor.hpp>
#include <vector>

namespace xgrad {

/// Shows the elements in row-major order under another shape; one extent may be -1 and follows from the size. Copies
/// when strides cannot express it. Throws std::invalid_argument when sizes differ.
Tensor reshape(const Located& x, const Shape& shape);
/// Axes reversed, or in the order given: axis i of the result is axis `axes[i]` of x.
/// Throws std::invalid_argument when `axes` is no permutation.
Tensor transpose(const Located& x);
Tensor transpose(const Located& x, const std::vector<std::int64_t>& axes);
/// The last two axes exchanged. Throws std::invalid_argument below rank 2.
Tensor matrix_transpose(const Located& x);
/// x repeated along new leading axes and axes of extent 1. Its transpose is a sum.
/// Throws std::invalid_argument when x does not broadcast to `shape`.
Tensor broadcast_to(const Located& x, const Shape& shape);
/// Drops axes of extent 1: those named, or all. Throws std::invalid_argument for an axis of another extent.
Tensor squeeze(const Located& x, const Axes& axes = {});
/// Puts axes of extent 1 where the result is to have them. Throws std::invalid_argument out of range or given twice.
Tensor expand_dims(const Located& x, const Axes& axes);
/// All axes from `start_axis` on made one. Throws std::invalid_argument for an axis out of range.
Tensor flatten(const Located& x, std::int64_t start_axis = 0);
/// Tensors one after another along an existing axis; copies. dtypes promote.
/// Throws std::invalid_argument for no tensors, for scalars, and when other axes differ.
Tensor concatenate(const std::vector<Tensor>& tensors, std::int64_t axis = 0,
                   std::source_location where = std::source_location::current());
/// Tensors of one shape along a new axis; copies. Throws std::invalid_argument for no tensors or different shapes.
Tensor stack(const std::vector<Tensor>& tensors, std::int64_t axis = 0,
             std::source_location where = std::source_location::current());

}  // namespace xgrad
