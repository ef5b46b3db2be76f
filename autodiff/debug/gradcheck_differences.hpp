// Derivatives by differences, and how a report writes them.
#pragma once

#include <autodiff/debug/gradcheck_internal.hpp>
#include <cmath>
#include <limits>
#include <sstream>

namespace xgrad::detail {

inline double dot(const Doubles& a, const Doubles& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// How large the terms of a dot product are together.
inline double dot_size(const Doubles& a, const Doubles& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] * b[i]);
  return sum;
}

/// "(1, 2)": where the element `flat` stands in `shape`.
inline std::string index_text(std::size_t flat, const Shape& shape) {
  Shape index(shape.size());
  auto rest = static_cast<std::int64_t>(flat);
  for (std::size_t i = shape.size(); i-- > 0; rest /= shape[i]) index[i] = rest % shape[i];
  return to_string(index);
}

inline std::string text(double value) {
  if (std::isnan(value)) return "nan";  // its sign says nothing
  std::ostringstream out;
  out.precision(10);
  out << value;
  return out.str();
}

// Steps from the most exact on: a shorter one is tried where a kink or the end of the domain is near.
inline constexpr double steps[] = {1e-3, 1e-5, 1e-6};

/// The error of differences of values about `magnitude` large.
inline double rounding(double magnitude, double step) { return 16 * std::numeric_limits<double>::epsilon() * magnitude / step; }

/// The derivative at 0 of `f`, whose values are about `magnitude` large, by a stencil of six points; the one of four
/// points beside it estimates the error.
template <class F>
Numeric differentiate(const F& f, double step, double longest, double magnitude) {
  const double d1 = f(step) - f(-step), d2 = f(2 * step) - f(-2 * step), d3 = f(3 * step) - f(-3 * step);
  const double six = (45 * d1 - 9 * d2 + d3) / (60 * step), four = (8 * d1 - d2) / (12 * step);
  return {six, std::abs(six - four), rounding(magnitude, step), rounding(magnitude, longest)};
}

/// Which of two estimates a report shows.
inline bool more_exact(const Numeric& a, const Numeric& b) { return a.truncation + a.rounding < b.truncation + b.rounding; }

}  // namespace xgrad::detail
