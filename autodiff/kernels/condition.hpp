// How near a matrix is to a singular one.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace xgrad::detail {

/// The largest sum of magnitudes over a column of an n × n matrix B, from below and most often exactly, by a few products: `apply` and
/// `apply_transposed` turn x into B x and Bᵀ x in its place. N. Higham, "FORTRAN codes for estimating the one-norm" (1988).
template <class T, class F, class G>
T column_norm(std::int64_t n, const F& apply, const G& apply_transposed) {
  const auto size = static_cast<std::size_t>(n);
  const auto sum_of = [](const std::vector<T>& x) {
    T sum = 0;
    for (const T value : x) sum += std::abs(value);
    return sum;
  };
  std::vector<T> x(size, T(1) / static_cast<T>(n)), other(size);
  T norm = 0;
  for (int round = 0; round < 5; ++round) {
    other = x;
    apply(other);
    const T found = sum_of(other);
    if (!(found > norm)) return std::isnan(found) ? found : norm;
    norm = found;
    for (T& value : other) value = value < 0 ? T(-1) : T(1);
    apply_transposed(other);
    const auto largest = std::max_element(other.begin(), other.end(), [](T a, T b) { return std::abs(a) < std::abs(b); });
    std::fill(x.begin(), x.end(), T(0));
    x[static_cast<std::size_t>(largest - other.begin())] = 1;
  }
  return norm;
}

/// The part of what it should be at which a pivot is worth a look at the condition of its matrix, which costs more.
template <class T>
const T small_pivot = std::sqrt(std::numeric_limits<T>::epsilon());

/// Whether rounding errors alone could make a matrix of that condition and extent singular: then no digit of its inverse is right.
template <class T>
bool is_singular(T condition, std::int64_t extent) {
  return !(condition * std::numeric_limits<T>::epsilon() * static_cast<T>(std::max<std::int64_t>(extent, 8)) < 1);
}

}  // namespace xgrad::detail
