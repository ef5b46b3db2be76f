#include <autodiff/kernels/instruction_sets.hpp>
#include <autodiff/kernels/reduce_kernels.hpp>

namespace xgrad::detail {
namespace {

template <class Order, class T>
std::int64_t extreme_index(const T* x, std::size_t n) {
  const T best = extreme_row<Order>(x, n);
  std::size_t i = 0;
  if (best != best) {
    while (x[i] == x[i]) ++i;
  } else {
    while (x[i] != best) ++i;
  }
  return static_cast<std::int64_t>(i);
}

template <class Order, class T>
void extreme_indices(const T* x, std::size_t rows, std::size_t n, T* __restrict best, std::int64_t* __restrict out) {
  std::copy(x, x + n, best);
  std::fill(out, out + n, 0);
  for (std::size_t row = 1; row < rows; ++row) {
    x += n;
    for (std::size_t j = 0; j < n; ++j) {
      const bool better = before(Order(), x[j], best[j]) | ((x[j] != x[j]) & (best[j] == best[j]));
      best[j] = better ? x[j] : best[j];
      out[j] = better ? static_cast<std::int64_t>(row) : out[j];
    }
  }
}

}  // namespace

template <class Simd, class Sum, class T>
std::size_t SumLoop<Simd, Sum, T>::scratch(const ReducedExtents& extents) {
  return sum_scratch<Sum, T>(extents);
}
template <class Simd, class Sum, class T>
void SumLoop<Simd, Sum, T>::run(const T* x, const ReducedExtents& extents, Sum* out, Sum* scratch) {
  sum_kernel(x, extents, out, scratch);
}
template struct SumLoop<ThisSimd, float, float>;
template struct SumLoop<ThisSimd, double, double>;
template struct SumLoop<ThisSimd, std::uint64_t, std::uint64_t>;
template struct SumLoop<ThisSimd, std::uint64_t, std::uint8_t>;

template <class Simd, class Order, class T>
void ExtremeLoop<Simd, Order, T>::values(const T* x, const ReducedExtents& extents, T* out) {
  extreme_kernel<Order>(x, extents, out);
}
template <class Simd, class Order, class T>
void ExtremeLoop<Simd, Order, T>::indices(const T* x, const ReducedExtents& extents, std::int64_t* out, T* scratch) {
  const auto [outer, reduced, inner] = extents;
  for (std::size_t i = 0; i < outer; ++i) {
    if (inner == 1) out[i] = extreme_index<Order>(x + i * reduced, reduced);
    else extreme_indices<Order>(x + i * reduced * inner, reduced, inner, scratch, out + i * inner);
  }
}
template struct ExtremeLoop<ThisSimd, Larger, float>;
template struct ExtremeLoop<ThisSimd, Larger, double>;
template struct ExtremeLoop<ThisSimd, Larger, std::int64_t>;
template struct ExtremeLoop<ThisSimd, Larger, std::uint8_t>;
template struct ExtremeLoop<ThisSimd, Smaller, float>;
template struct ExtremeLoop<ThisSimd, Smaller, double>;
template struct ExtremeLoop<ThisSimd, Smaller, std::int64_t>;
template struct ExtremeLoop<ThisSimd, Smaller, std::uint8_t>;

}  // namespace xgrad::detail
