#pragma once

#include <autodiff/ops/random.hpp>
#include <nn/module.hpp>

namespace xgrad::nn {

/// Options of `Linear`.
struct LinearOptions {
  bool bias = true;
  Generator* generator = nullptr;  ///< draws the initial weights; `default_generator()` when there is none
};

/// y = x · Wᵀ + b, of x (…, in_features) to y (…, out_features), with weight (out_features, in_features) and bias
/// (out_features). Both start uniform in ±1/√in_features, as PyTorch's, in float32.
class Linear : public Module {
 public:
  /// Throws std::invalid_argument unless both numbers of features are positive.
  Linear(std::int64_t in_features, std::int64_t out_features, const LinearOptions& options = {});

  /// Throws std::invalid_argument unless the last axis of `x` has `in_features` entries, and for an input that would widen the result
  /// beyond the weight's dtype, as float64 beside a float32 weight; std::logic_error for a layer that was moved from.
  Tensor operator()(const Located& x) const;

  std::int64_t in_features() const { return in_features_; }
  std::int64_t out_features() const { return out_features_; }

  Tensor weight;
  Tensor bias;  ///< undefined when the layer has none
  XGRAD_MODULE(weight, bias)

 private:
  std::int64_t in_features_, out_features_;
};

}  // namespace xgrad::nn
