#pragma once

#include <autodiff/core/tensor.hpp>

namespace xgrad::nn {

/// The affine map x ↦ (x - shift) / scale + offset of features, and back. Fit one on training data (see `Standardize`,
/// `Normalize`) and apply it to whatever the model is to see.
class Scaling {
 public:
  /// Takes known figures, say those stored with a model. `shift` and `scale` broadcast over the data.
  /// Throws std::invalid_argument when a scale is 0 or anything is not finite.
  Scaling(Tensor shift, Tensor scale, double offset = 0);

  /// (x - shift) / scale + offset, of x's shape. Differentiable. Throws std::invalid_argument when x does not have the
  /// features this was fitted to.
  Tensor operator()(const Tensor& x) const;
  /// (y - offset) · scale + shift: undoes `operator()`.
  Tensor inverse(const Tensor& y) const;

  const Tensor& shift() const { return shift_; }
  const Tensor& scale() const { return scale_; }
  double offset() const { return offset_; }

 private:
  void check(const char* function, const Tensor& x) const;

  Tensor shift_, scale_;
  double offset_;
};

/// (x - mean) / deviation: zero mean and unit deviation, the deviation that of the population (divided by n, not n -
/// 1). A constant feature becomes 0.
class Standardize : public Scaling {
 public:
  /// Fits to `data`; `axes` are those the figures are taken over: the rows, hence figures for each feature, unless
  /// others are given; `Axes{}` takes one figure over everything.
  /// Throws std::invalid_argument for data that is empty or not finite, and for a wrong axis.
  explicit Standardize(const Tensor& data, const Axes& axes = 0);
};

/// low + (x - min) / (max - min) · (high - low): the range of the data becomes [low, high]. A constant feature becomes
/// `low`. Values beyond the range fitted to land beyond [low, high]; they are not clipped.
class Normalize : public Scaling {
 public:
  /// Fits to `data` as `Standardize` does. Throws what that does, and std::invalid_argument unless low < high.
  explicit Normalize(const Tensor& data, const Axes& axes = 0, double low = 0, double high = 1);
};

}  // namespace xgrad::nn
