// Rearranging elements, made of views, concatenation and indexing; differentiable to any order. Names and meanings are NumPy's.
// All throw std::invalid_argument, naming the function and the shape, for an axis out of range.
#pragma once

#include <autodiff/core/tensor.hpp>
#include <cstdint>
#include <utility>
#include <vector>

namespace xgrad {

/// With the elements along some axes (all by default) in reverse order. A view.
Tensor flip(const Located& x, const Axes& axes = {});
/// Elements moved along an axis by `shift` places, those past the end coming back at the front.
Tensor roll(const Located& x, std::int64_t shift, std::int64_t axis);
/// Does so to the flattened tensor, whose shape stays.
Tensor roll(const Located& x, std::int64_t shift);
/// Each element `repeats` times along an axis. Throws std::invalid_argument for negative repeats.
Tensor repeat(const Located& x, std::int64_t repeats, std::int64_t axis);
/// x as a tile, so many times along each axis; missing counts or axes are 1. Throws std::invalid_argument for negative counts.
Tensor tile(const Located& x, const std::vector<std::int64_t>& counts);
/// With the axis `source` at `destination`, the others in their order. A view.
Tensor moveaxis(const Located& x, std::int64_t source, std::int64_t destination);
/// With two axes exchanged. A view.
Tensor swapaxes(const Located& x, std::int64_t a, std::int64_t b);
/// Parts of equal length along an axis; views. Throws std::invalid_argument unless `parts` divides the axis.
std::vector<Tensor> split(const Located& x, std::int64_t parts, std::int64_t axis = 0);
/// Parts that end before each of `indices`, and the rest, as slices do; views.
std::vector<Tensor> split(const Located& x, const std::vector<std::int64_t>& indices, std::int64_t axis = 0);

/// How `pad` fills: with a value; with the elements mirrored at the border, which is not repeated; or with the border's.
enum class PadMode : std::uint8_t { constant, reflect, edge };
/// x with (before, after) elements more along each axis; missing pairs at the front are (0, 0). Throws std::invalid_argument for
/// negative widths, more pairs than axes, and reflections or edges of axes that are too short for them.
Tensor pad(const Located& x, const std::vector<std::pair<std::int64_t, std::int64_t>>& widths, PadMode mode = PadMode::constant, double value = 0);

/// The elements (…, i, i + offset) of two axes, which move to the end as one. Throws std::invalid_argument below rank 2.
Tensor diagonal(const Located& x, std::int64_t offset = 0, std::int64_t axis1 = 0, std::int64_t axis2 = 1);
/// The sum of the diagonal.
Tensor trace(const Located& x, std::int64_t offset = 0, std::int64_t axis1 = 0, std::int64_t axis2 = 1);
/// Makes a matrix with a vector on its diagonal, or takes the diagonal of a matrix. Throws std::invalid_argument for other ranks.
Tensor diag(const Located& x, std::int64_t offset = 0);
/// Sets what lies in the matrices of the last two axes to zero above the diagonal `offset`. Throws std::invalid_argument below rank 2.
Tensor tril(const Located& x, std::int64_t offset = 0);
/// Zeros below the diagonal `offset`.
Tensor triu(const Located& x, std::int64_t offset = 0);

}  // namespace xgrad
