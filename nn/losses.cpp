#include <autodiff/core/trace_state.hpp>
#include <autodiff/ops/check_values.hpp>
#include <autodiff/ops/contiguous.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/indexing.hpp>
#include <autodiff/ops/reduce.hpp>
#include <autodiff/ops/shape.hpp>
#include <cmath>
#include <iomanip>
#include <limits>
#include <nn/losses.hpp>
#include <sstream>
#include <stdexcept>
#include <string_view>

namespace xgrad::nn {
namespace {

using xgrad::detail::check_defined;

std::string describe(const Tensor& tensor) {
  return to_string(tensor.shape()) + ' ' + std::string(name_of(tensor.dtype()));
}

void check_floating(std::string_view name, const Tensor& input) {
  check_defined(name, input);
  if (!is_floating(input.dtype()))
    throw xgrad::detail::located<std::invalid_argument>(std::string(name) + ": the input is " + describe(input) + "; it must be floating");
}

/// The target as numbers, of the input's shape.
Tensor numbers(std::string_view name, const Tensor& input, const Tensor& target) {
  check_floating(name, input);
  check_defined(name, target);
  if (input.shape() != target.shape())
    throw xgrad::detail::located<std::invalid_argument>(std::string(name) + ": input and target differ in shape: " + to_string(input.shape()) + " and " +
                                to_string(target.shape()) + "; reshape one of them");
  return is_floating(target.dtype()) ? target : target.to(input.dtype());
}

/// The input, each element of which is checked to lie in [0, 1].
Tensor probabilities(std::string_view name, const Tensor& input) {
  return xgrad::detail::check_values(name, input, [name, shape = input.shape()](const xgrad::detail::Array& array) {
    dispatch_floating(array.dtype, [&]<class T>(T) {
      const xgrad::detail::Contiguous<T> values(array);
      for (std::int64_t i = 0; i < array.size; ++i)
        if (const T value = values.data()[i]; !(value >= 0 && value <= 1)) {
          std::ostringstream text;
          text << std::setprecision(std::numeric_limits<T>::max_digits10) << std::abs(value);
          throw xgrad::detail::located<std::domain_error>(std::string(name) + ": the input of shape " + to_string(shape) + " has " +
                                  (value < 0 ? "-" : "") + text.str() + " (element " + std::to_string(i) +
                                  "), no probability; use binary_cross_entropy_with_logits for logits");
        }
    });
    return true;
  }).values;
}

/// A weight of each element, or undefined.
Tensor element_weight(std::string_view name, std::string_view what, const Tensor& input, const Tensor& weight) {
  if (!weight.defined()) return {};
  if (broadcast_shapes(name, input.shape(), weight.shape()) != input.shape())
    throw xgrad::detail::located<std::invalid_argument>(std::string(name) + ": the " + std::string(what) + " of shape " + to_string(weight.shape()) +
                                " does not broadcast to the input's shape " + to_string(input.shape()));
  return weight.to(input.dtype());
}

Tensor reduce(const Tensor& losses, Reduction reduction) {
  switch (reduction) {
    case Reduction::mean: return mean(losses);
    case Reduction::sum: return sum(losses);
    default: return losses;
  }
}

/// Class indices checked against the input they select from.
struct ClassTargets {
  std::int64_t axis = 0, classes = 0;
  Tensor index;   ///< with 0 for those that are ignored
  Tensor counts;  ///< bool, undefined when all count
};

std::int64_t class_axis(std::string_view name, const Tensor& input) {
  if (input.dim() == 0) throw xgrad::detail::located<std::invalid_argument>(std::string(name) + ": the input of shape () has no class axis");
  const std::int64_t axis = input.dim() == 1 ? 0 : 1;
  if (input.shape(axis) == 0)
    throw xgrad::detail::located<std::invalid_argument>(std::string(name) + ": the input of shape " + to_string(input.shape()) + " has no classes");
  return axis;
}

ClassTargets class_targets(std::string_view name, const Tensor& input, const Tensor& target,
                           const std::optional<std::int64_t>& ignore_index) {
  ClassTargets targets{class_axis(name, input), 0, {}, {}};
  targets.classes = input.shape(targets.axis);
  Shape expected;
  for (std::size_t i = 0; i < input.dim(); ++i)
    if (static_cast<std::int64_t>(i) != targets.axis) expected.push_back(input.shape()[i]);
  if (target.shape() != expected)
    throw xgrad::detail::located<std::invalid_argument>(std::string(name) + ": class indices of shape " + to_string(target.shape()) +
                                " for an input of shape " + to_string(input.shape()) + "; expected shape " +
                                to_string(expected));
  const auto [checked, all_count] = xgrad::detail::check_values(
      name, target, [name, ignore_index, classes = targets.classes, shape = input.shape()](const xgrad::detail::Array& array) {
        const xgrad::detail::Contiguous<std::int64_t> values(array);
        const std::int64_t* const indices = values.data();
        bool all_count = true;
        for (std::int64_t i = 0; i < array.size; ++i) {
          if (ignore_index && indices[i] == *ignore_index) all_count = false;
          else if (indices[i] < 0 || indices[i] >= classes)
            throw xgrad::detail::located<std::out_of_range>(std::string(name) + ": target " + std::to_string(indices[i]) + " (element " + std::to_string(i) +
                                    ") is not one of the " + std::to_string(classes) + " classes of an input of shape " + to_string(shape));
        }
        return all_count;
      });
  targets.index = checked;
  if (ignore_index && !all_count) {
    targets.counts = checked != *ignore_index;
    targets.index = where(targets.counts, checked, 0);
  }
  return targets;
}

/// The weights of the classes, or undefined.
Tensor class_weight(std::string_view name, const Tensor& input, const Tensor& weight) {
  if (!weight.defined()) return {};
  const std::int64_t classes = input.shape(class_axis(name, input));
  if (weight.shape() != Shape{classes})
    throw xgrad::detail::located<std::invalid_argument>(std::string(name) + ": class weights of shape " + to_string(weight.shape()) +
                                " for an input of shape " + to_string(input.shape()) + "; expected shape " +
                                to_string(Shape{classes}));
  return weight.to(input.dtype());
}

/// Class weights shaped to broadcast along the class axis.
Tensor along_class_axis(const Tensor& weight, const Tensor& input) {
  if (input.dim() == 1) return weight;
  Shape shape(input.dim() - 1, 1);
  shape[0] = weight.size();
  return reshape(weight, shape);
}

/// -weight[t] · ((1 - smoothing) · log_p[t] + smoothing · (mean over classes of weight · log_p) / weight[t]).
Tensor class_losses(const Tensor& log_p, const ClassTargets& targets, const Tensor& weight, double smoothing,
                    Reduction reduction) {
  const Tensor index = expand_dims(targets.index, targets.axis);
  Tensor losses = -xgrad::detail::take_along_axis_unchecked(log_p, index, targets.axis);
  // An axis of extent 1 makes no difference to a sum of the losses as they are.
  const bool plain = !weight.defined() && smoothing == 0 && !targets.counts.defined();
  if (!plain || reduction == Reduction::none) losses = squeeze(losses, targets.axis);
  Tensor weights;  // of the samples
  if (weight.defined()) {
    weights = xgrad::detail::take_unchecked(weight, targets.index);
    losses = weights * losses;
  }
  if (smoothing > 0) {
    const Tensor all = weight.defined() ? along_class_axis(weight, log_p) * log_p : log_p;
    losses = (1 - smoothing) * losses - smoothing * mean(all, targets.axis);
  }
  if (targets.counts.defined()) {
    losses = where(targets.counts, losses, 0);
    if (weights.defined()) weights = where(targets.counts, weights, 0);
  }
  if (reduction != Reduction::mean) return reduce(losses, reduction);
  if (weights.defined()) return sum(losses) / sum(weights);
  if (targets.counts.defined()) return sum(losses) / sum(targets.counts.to(losses.dtype()));
  return sum(losses) / static_cast<double>(targets.index.size());
}

}  // namespace

Tensor mse_loss(const Located& input, const Located& target, const LossOptions& options) {
  return reduce(square(input - numbers("mse_loss", input, target)), options.reduction);
}

Tensor l1_loss(const Located& input, const Located& target, const LossOptions& options) {
  return reduce(abs(input - numbers("l1_loss", input, target)), options.reduction);
}

Tensor huber_loss(const Located& input, const Located& target, const HuberLossOptions& options) {
  const Tensor numeric = numbers("huber_loss", input, target);
  const double delta = options.delta;
  if (!(delta > 0)) throw xgrad::detail::located<std::invalid_argument>("huber_loss: delta must be positive, got " + std::to_string(delta));
  const Tensor difference = input - numeric, size = abs(difference);
  return reduce(where(size <= delta, 0.5 * square(difference), delta * (size - 0.5 * delta)), options.reduction);
}

Tensor nll_loss(const Located& input, const Located& target, const NLLLossOptions& options) {
  constexpr std::string_view name = "nll_loss";
  check_floating(name, input);
  check_defined(name, target);
  if (target.dtype() != DType::int64)
    throw xgrad::detail::located<std::invalid_argument>(std::string(name) + ": class indices must be int64, got " + describe(target) +
                                "; convert them with to(DType::int64), or take one_hot of them");
  const Tensor weight = class_weight(name, input, options.weight);
  return class_losses(input, class_targets(name, input, target, options.ignore_index), weight, 0, options.reduction);
}

Tensor cross_entropy(const Located& input, const Located& target, const CrossEntropyOptions& options) {
  constexpr std::string_view name = "cross_entropy";
  check_floating(name, input);
  check_defined(name, target);
  const double smoothing = options.label_smoothing;
  if (!(smoothing >= 0 && smoothing <= 1))
    throw xgrad::detail::located<std::invalid_argument>(std::string(name) + ": label_smoothing must lie in [0, 1], got " + std::to_string(smoothing));
  const Tensor weight = class_weight(name, input, options.weight);
  const std::int64_t axis = class_axis(name, input);
  if (target.dtype() == DType::int64) {
    const ClassTargets targets = class_targets(name, input, target, options.ignore_index);
    return class_losses(log_softmax(input, axis), targets, weight, smoothing, options.reduction);
  }
  if (!is_floating(target.dtype()) || target.shape() != input.shape())
    throw xgrad::detail::located<std::invalid_argument>(
        std::string(name) + ": the target must be int64 class indices or floating probabilities of the input's shape " +
        to_string(input.shape()) + ", got " + describe(target) + "; convert class indices with to(DType::int64)");
  Tensor p = target;
  if (smoothing > 0) p = (1 - smoothing) * p + smoothing / static_cast<double>(input.shape(axis));
  Tensor log_p = log_softmax(input, axis);
  // A logit of -inf is harmless where the target is 0.
  const double lowest =
      log_p.dtype() == DType::float32 ? std::numeric_limits<float>::lowest() : std::numeric_limits<double>::lowest();
  log_p = where(p == 0, maximum(log_p, lowest), log_p);
  Tensor products = p * log_p;
  if (weight.defined()) products = along_class_axis(weight, input) * products;
  return reduce(-sum(products, axis), options.reduction);
}

Tensor binary_cross_entropy(const Located& input, const Located& target, const BinaryCrossEntropyOptions& options) {
  constexpr std::string_view name = "binary_cross_entropy";
  const Tensor t = numbers(name, input, target);
  const Tensor weight = element_weight(name, "weight", input, options.weight);
  const Tensor p = probabilities(name, input);
  const Tensor losses = -(t * maximum(log(p), -100) + (1 - t) * maximum(log1p(-p), -100));
  return reduce(weight.defined() ? weight * losses : losses, options.reduction);
}

Tensor binary_cross_entropy_with_logits(const Located& input, const Located& target,
                                        const BinaryCrossEntropyWithLogitsOptions& options) {
  constexpr std::string_view name = "binary_cross_entropy_with_logits";
  const Tensor t = numbers(name, input, target);
  const Tensor weight = element_weight(name, "weight", input, options.weight);
  const Tensor pos_weight = element_weight(name, "pos_weight", input, options.pos_weight);
  // -ln σ(x) = max(-x, 0) + ln(1 + e^-|x|) and -ln(1 - σ(x)) = max(x, 0) + ln(1 + e^-|x|); written with `where`, each
  // side of 0 is a smooth function, so derivatives of any order hold at 0 too.
  const Tensor above = input > 0;
  const Tensor rest = log1p(exp(where(above, -input, input)));
  Tensor positive = t * (where(above, 0, -input) + rest);
  if (pos_weight.defined()) positive = pos_weight * positive;
  const Tensor losses = positive + (1 - t) * (where(above, input, 0) + rest);
  return reduce(weight.defined() ? weight * losses : losses, options.reduction);
}

}  // namespace xgrad::nn
