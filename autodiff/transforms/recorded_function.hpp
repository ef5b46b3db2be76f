// A function about to be differentiated, recorded: what the transforms share.
#pragma once

#include <autodiff/ops/batching.hpp>
#include <autodiff/core/function.hpp>
#include <autodiff/core/tape.hpp>
#include <string_view>
#include <vector>

namespace xgrad::detail {

/// Shows its first input as it is.
struct Identity : ViewOp {
  std::string_view name() const override { return "identity"; }
  bool view(const Shape&, const Value& input, const Shape&, Value& output) const override {
    output = input;
    return true;
  }
  Tensor vjp(std::size_t i, const Tensor& g, std::span<const Tensor>, const Tensor&) const override { return i == 0 ? g : Tensor(); }
  Support cotangent_support(std::size_t, const Support& g, std::span<const Tensor>, const Tensor&) const override { return g; }
  Tensor vectorized(const Batched& batched) const override { return batched.by_leading_axes(); }
};

/// x as a node of its own.
Tensor identity(const Tensor& x);

/// x cut off from where it came from, as something that gradients may be taken with respect to.
Tensor variable(const Tensor& x);

/// The arguments are nodes of their own, so that one given twice counts twice.
struct RecordedFunction {
  std::vector<Tensor> inputs;
  Tensor output;
  bool differentiable = false;  ///< whether derivatives of the derivatives may be asked for
  bool shared = false;          ///< it goes on into recordings of others, who may still want them: a pass is not to free it

  /// The value, cut off from arguments that required no gradient.
  Tensor value() const { return differentiable ? output : output.detach(); }
};

/// Records `f` on behalf of `op`. Throws std::invalid_argument, naming it, for arguments and results that are not floating.
RecordedFunction record_function(std::string_view op, const TensorFunction& f, const std::vector<Tensor>& arguments);

/// Whether a recording reaches a tensor that requires gradients beside `inputs`.
bool reaches_others(const Tensor& output, const std::vector<Tensor>& inputs);

/// With zeros for gradients that do not exist.
std::vector<Tensor> gradients(const Tensor& output, const std::vector<Tensor>& inputs, const Tensor& cotangent, bool create_graph, bool retain,
                              bool sparse_cotangent = false);

/// Throws std::invalid_argument unless x has the shape of `like`.
void check_like(std::string_view op, std::string_view what, const Tensor& x, const Tensor& like);

/// Cotangents of the inputs from that of the output, the inputs and the output; where their supports are known, these too.
struct Pulled {
  Pulled(std::vector<Tensor> cotangents, std::vector<Support> supports = {}) : cotangents(std::move(cotangents)), supports(std::move(supports)) {}
  std::vector<Tensor> cotangents;
  std::vector<Support> supports;
};
using Pull = std::function<Pulled(const Tensor& g, const std::vector<Tensor>& inputs, const Tensor& output)>;
/// As `gradients`, within a rule: from the support of the cotangent that is being pulled back to those of the gradients.
Pulled pull_gradients(const Tensor& output, const std::vector<Tensor>& inputs, const Tensor& cotangent, bool create_graph);
/// `forward`, computed untracked, as an op whose inputs' cotangents come from `pull`.
Tensor record_custom(std::string_view name, const TensorFunction& forward, const std::vector<Tensor>& inputs, Pull pull);

}  // namespace xgrad::detail
