// Losses, by PyTorch's names and conventions. `input` is what the model gives. Shapes must match exactly: where PyTorch
// broadcasts a target with a warning, these throw. Unless said otherwise a loss throws std::invalid_argument, naming
// itself and the shapes, for shapes that do not match and for an input that is not floating. Integer and bool targets
// of losses on numbers, and weights, take the input's dtype.
#pragma once

#include <autodiff/core/tape.hpp>
#include <optional>

namespace xgrad::nn {

/// How the losses of the elements become the result: their mean, their sum, or themselves. The mean of nothing is NaN.
enum class Reduction { mean, sum, none };

/// Options of the losses that have no others.
struct LossOptions {
  Reduction reduction = Reduction::mean;
};

/// (input - target)². Both have one shape.
Tensor mse_loss(const Located& input, const Located& target, const LossOptions& options = {});

/// |input - target|. Both have one shape. The gradient is 0 where they are equal.
Tensor l1_loss(const Located& input, const Located& target, const LossOptions& options = {});

/// Options of `huber_loss`.
struct HuberLossOptions {
  double delta = 1;
  Reduction reduction = Reduction::mean;
};
/// d²/2 where |d| <= delta, else delta · (|d| - delta/2), for d = input - target (Huber 1964). Both have one shape.
/// Throws std::invalid_argument also unless delta is positive.
Tensor huber_loss(const Located& input, const Located& target, const HuberLossOptions& options = {});

/// Options of `nll_loss`.
struct NLLLossOptions {
  Tensor weight = {};                               ///< of each class, shape (C,)
  std::optional<std::int64_t> ignore_index = -100;  ///< targets that do not count
  Reduction reduction = Reduction::mean;
};
/// The negative log likelihood -weight[t] · input[t] of log probabilities `input`, shape (N, C), (C,) or (N, C, …), for
/// the class indices t of `target` (int64), shape (N,), () or (N, …). The mean is weighted: Σ loss / Σ weight[t].
/// Evaluates the targets; a function that is captured checks them in each run. Throws std::out_of_range for a target that is no class,
/// std::invalid_argument also for targets that are not int64, weights of another shape, and an input without class axis.
Tensor nll_loss(const Located& input, const Located& target, const NLLLossOptions& options = {});

/// Options of `cross_entropy`.
struct CrossEntropyOptions {
  Tensor weight = {};                               ///< of each class, shape (C,)
  std::optional<std::int64_t> ignore_index = -100;  ///< class indices that do not count
  double label_smoothing = 0;                       ///< share of the target spread over all classes, in [0, 1]
  Reduction reduction = Reduction::mean;
};
/// Cross entropy of logits `input`, shape (N, C), (C,) or (N, C, …), against class indices (int64; shape without the
/// class axis) or class probabilities (floating; shape of the input):
/// -Σ_c weight[c] · target[c] · log_softmax(input)[c]. The mean of class indices is weighted as in `nll_loss`; that of
/// probabilities is over the samples. A probability of 0 contributes nothing even for a logit of -inf.
/// Throws as `nll_loss`, and for a label smoothing outside [0, 1].
/// Smoothing: Szegedy et al. 2015, section 7.
Tensor cross_entropy(const Located& input, const Located& target, const CrossEntropyOptions& options = {});

/// Options of `binary_cross_entropy`.
struct BinaryCrossEntropyOptions {
  Tensor weight = {};  ///< of each element; broadcasts to the input's shape
  Reduction reduction = Reduction::mean;
};
/// -weight · (t · ln p + (1 - t) · ln(1 - p)) for probabilities p = `input` and targets of the same shape, logarithms
/// no less than -100, where their gradient is 0; prefer `binary_cross_entropy_with_logits`, which does not saturate.
/// Evaluates the input. Throws std::domain_error, as PyTorch does, unless all of it lies in [0, 1], which NaN does not; a function that
/// is captured (jit, TrainStep) checks that in each run.
Tensor binary_cross_entropy(const Located& input, const Located& target, const BinaryCrossEntropyOptions& options = {});

/// Options of `binary_cross_entropy_with_logits`.
struct BinaryCrossEntropyWithLogitsOptions {
  Tensor weight = {};      ///< of each element; broadcasts to the input's shape
  Tensor pos_weight = {};  ///< of the positive term; broadcasts to the input's shape
  Reduction reduction = Reduction::mean;
};
/// -weight · (pos_weight · t · ln σ(x) + (1 - t) · ln(1 - σ(x))) for logits x = `input` and targets of the same shape,
/// accurate for finite logits of any size.
Tensor binary_cross_entropy_with_logits(const Located& input, const Located& target,
                                        const BinaryCrossEntropyWithLogitsOptions& options = {});

}  // namespace xgrad::nn
