#pragma once

#include <autodiff/core/tensor.hpp>
#include <vector>

namespace xgrad::nn {

/// Options of `clip_grad_norm`.
struct ClipGradNormOptions {
  double norm = 2;  ///< order of the norm, ∞ for the largest entry
  bool error_if_not_finite = false;
};

/// Scales the gradients of all parameters together so that their norm is at most `max_norm`: each is multiplied by
/// min(1, max_norm / (norm + 1e-6)), as PyTorch does. Returns the norm before. Parameters without gradient do not
/// count.
/// Throws std::invalid_argument for a `max_norm` or an order that is not positive, std::runtime_error, with
/// `error_if_not_finite`, for a norm of NaN or infinity, gradients unchanged.
double clip_grad_norm(const std::vector<Tensor>& parameters, double max_norm, const ClipGradNormOptions& options = {});

/// Restricts every entry of every gradient to [-limit, limit]. Throws std::invalid_argument unless limit > 0.
void clip_grad_value(const std::vector<Tensor>& parameters, double limit);

}  // namespace xgrad::nn
