#include <nn/data/scaling.hpp>

#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/reduce.hpp>
#include <autodiff/core/tape.hpp>
#include <cmath>
#include <stdexcept>
#include <string>

namespace xgrad::nn {

namespace {

/// Data ready to be measured: floating, not empty.
Tensor measurable(const char* function, const Tensor& data) {
  xgrad::detail::check_defined(function, data);
  if (data.size() == 0)
    throw std::invalid_argument(std::string(function) + ": no data to fit to, shape " + to_string(data.shape()));
  return is_floating(data.dtype()) ? data.detach() : data.detach().to(DType::float64);
}

bool all_finite(const Tensor& x) {
  // x - x is 0 for finite x, else NaN.
  return std::isfinite(no_grad([&] { return sum(x - x); }).item());
}

Tensor constant(const char* function, const Tensor& figures) {
  xgrad::detail::check_defined(function, figures);
  return figures.detach();
}

void check_finite(const char* function, const Tensor& x) {
  if (!all_finite(x))
    throw std::invalid_argument(std::string(function) + ": the data holds NaN or infinity, or spans too wide a range");
}

Scaling fit_standard(const Tensor& data, const Axes& axes) {
  NoGrad guard;
  const Tensor x = measurable("Standardize", data);
  const Tensor low = min(x, axes, true), high = max(x, axes, true);
  check_finite("Standardize", high - low);
  // Rounding may leave a constant feature a mean beside its value, hence a deviation above 0.
  const Tensor center = where(low == high, low, mean(x, axes, true));
  const Tensor deviation = sqrt(mean(square(x - center), axes, true));
  check_finite("Standardize", deviation);
  return {center, where(deviation == 0, 1, deviation)};
}

Scaling fit_range(const Tensor& data, const Axes& axes, double low, double high) {
  if (!(low < high) || !std::isfinite(high - low))
    throw std::invalid_argument("Normalize: low must be below high, given " + std::to_string(low) + " and " +
                                std::to_string(high));
  NoGrad guard;
  const Tensor x = measurable("Normalize", data);
  const Tensor smallest = min(x, axes, true), spread = max(x, axes, true) - smallest;
  check_finite("Normalize", spread);
  const Tensor scale = spread / (high - low);
  return {smallest, where(scale == 0, 1, scale), low};
}

}  // namespace

Scaling::Scaling(Tensor shift, Tensor scale, double offset)
    : shift_(constant("Scaling", shift)), scale_(constant("Scaling", scale)), offset_(offset) {
  if (!all_finite(shift_) || !all_finite(scale_) || !std::isfinite(offset_))
    throw std::invalid_argument("Scaling: shift, scale and offset must be finite");
  if (no_grad([&] { return sum(scale_ == 0); }).item<std::int64_t>() > 0)
    throw std::invalid_argument("Scaling: a scale of 0 cannot be divided by; give constant features a scale of 1");
}

void Scaling::check(const char* function, const Tensor& x) const {
  xgrad::detail::check_defined(function, x);
  for (const Tensor& figures : {shift_, scale_})
    if (broadcast_shapes(function, x.shape(), figures.shape()) != x.shape())
      throw std::invalid_argument(std::string(function) + ": data of shape " + to_string(x.shape()) +
                                  " with figures of shape " + to_string(figures.shape()));
}

Tensor Scaling::operator()(const Tensor& x) const {
  check("Scaling", x);
  const Tensor scaled = (x - shift_) / scale_;
  return offset_ == 0 ? scaled : scaled + offset_;
}

Tensor Scaling::inverse(const Tensor& y) const {
  check("Scaling::inverse", y);
  return (offset_ == 0 ? y : y - offset_) * scale_ + shift_;
}

Standardize::Standardize(const Tensor& data, const Axes& axes) : Scaling(fit_standard(data, axes)) {}

Normalize::Normalize(const Tensor& data, const Axes& axes, double low, double high)
    : Scaling(fit_range(data, axes, low, high)) {}

}  // namespace xgrad::nn
