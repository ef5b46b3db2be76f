#pragma once

#include <autodiff/core/tensor.hpp>
#include <vector>

namespace xgrad {

/// Options of `grad`.
struct GradOptions {
  std::vector<Tensor> cotangents = {};  ///< one for each output; may be left out for outputs of one element
  bool create_graph = false;            ///< record the gradients, so that they can be differentiated
  bool retain_graph = false;            ///< keep the recording for another pass; implied by `create_graph`
  bool allow_unused = false;            ///< an input that no output depends on gets an undefined gradient, not an error
  bool sparse_cotangents = false;       ///< zeros leave elements out also of cotangents that require gradients, whose derivative is then 0 there
};

/// The gradients of the sum of the outputs (weighted by the cotangents) with respect to the inputs, of the inputs'
/// shapes. No leaf's `grad()` is touched. Inputs may be leaves or results of ops. An element of an output whose given cotangent is a
/// constant 0 is left out: it has no effect on a gradient, not even where its derivative is infinite or NaN.
/// Throws std::invalid_argument for a missing or misshaped cotangent and for an input that no output depends on,
/// std::logic_error when the recording was freed by an earlier pass.
std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs, const GradOptions& options = {});
Tensor grad(const Tensor& output, const Tensor& input, const GradOptions& options = {});

/// As `Tensor::backward`, from several outputs at once.
void backward(const std::vector<Tensor>& outputs, const std::vector<Tensor>& cotangents = {}, bool retain_graph = false);

}  // namespace xgrad
