#include <autodiff/kernels/instruction_sets.hpp>
#include <autodiff/kernels/reduce_kernels.hpp>
#include <autodiff/kernels/math.hpp>
#include <algorithm>
#include <cmath>
#include <limits>

namespace xgrad::detail {
namespace {

// eˣ for x <= 0. xsimd's is 0 some way before its value is; but where that is 0 too, as of -∞, there is nothing to mend.
template <class T, class A>
xsimd::batch<T, A> exp_below(const xsimd::batch<T, A>& x) {
  using Batch = xsimd::batch<T, A>;
  constexpr T first = sizeof(T) == 4 ? -87 : -707, last = sizeof(T) == 4 ? -104 : -746;
  return mended(x, xsimd::exp(x), (x < Batch(first)) & (x > Batch(last)), [](T v) { return static_cast<T>(std::exp(static_cast<double>(v))); });
}

// That of `n` contiguous values, always by whole batches: a value does not depend on where it stands.
template <class T>
void exp_values(const T* x, T* out, std::size_t n) {
  using Batch = xsimd::batch<T>;
  constexpr std::size_t width = Batch::size;
  std::size_t i = 0;
  for (; i + width <= n; i += width) exp_below(Batch::load_unaligned(x + i)).store_unaligned(out + i);
  if (i == n) return;
  alignas(64) T lanes[width];
  exp_below(load_padded(x + i, n - i, T(0))).store_aligned(lanes);
  std::copy(lanes, lanes + (n - i), out + i);
}

// f(x, value of its line) for all values of an (outer, reduced, inner) array; a line is a row or a column to be
// reduced.
template <class T, class F>
void combine(const T* x, const T* of_line, const ReducedExtents& extents, T* out, F f) {
  using Batch = xsimd::batch<T>;
  constexpr std::size_t width = Batch::size;
  const auto [outer, reduced, inner] = extents;
  const bool rows = inner == 1;
  const std::size_t n = rows ? reduced : inner;
  for (std::size_t i = 0; i < outer; ++i, of_line += inner)
    for (std::size_t k = 0; k < (rows ? 1 : reduced); ++k, x += n, out += n) {
      std::size_t j = 0;
      for (; j + width <= n; j += width) {
        const Batch value = rows ? Batch(*of_line) : Batch::load_unaligned(of_line + j);
        f(Batch::load_unaligned(x + j), value).store_unaligned(out + j);
      }
      for (; j < n; ++j) out[j] = f(x[j], of_line[rows ? 0 : j]);
    }
}

/// x less the largest of its line. Where that is ∞, what is ∞ has a difference of 0; where it is -∞, all differences are NaN.
template <class T>
void subtract_largest(const T* x, const T* largest, const ReducedExtents& extents, T* out) {
  const bool finite = std::none_of(largest, largest + extents.outer * extents.inner, [](T value) { return value == std::numeric_limits<T>::infinity(); });
  if (finite) return combine(x, largest, extents, out, [](auto a, auto b) { return a - b; });
  combine(x, largest, extents, out, [](auto a, auto b) {
    using V = decltype(a);
    if constexpr (std::is_arithmetic_v<V>) return a == b && b > 0 ? V(0) : a - b;
    else return xsimd::select((a == b) & (b > V(0)), V(0), a - b);
  });
}

constexpr std::size_t part_size = 4096;

// Calls f(offset of input, offset of result, extents) for parts of about `part_size` values, or one outer index at
// least, so that several passes over them stay in the first cache, and short rows are long enough together for SIMD.
template <class F>
void by_parts(const ReducedExtents& extents, F f) {
  const auto [outer, reduced, inner] = extents;
  if (outer * reduced * inner == 0) return;
  const std::size_t step = std::max<std::size_t>(1, part_size / (reduced * inner));
  for (std::size_t i = 0; i < outer; i += step)
    f(i * reduced * inner, i * inner, ReducedExtents{std::min(step, outer - i), reduced, inner});
}

// Elements, and lines to be reduced, that a part of `by_parts` may have.
std::size_t most_elements(const ReducedExtents& extents) {
  return std::min(std::max(part_size, extents.reduced * extents.inner), extents.outer * extents.reduced * extents.inner);
}
std::size_t most_lines(const ReducedExtents& extents) {
  return std::min(std::max(part_size, extents.inner), extents.outer * extents.inner);
}

constexpr auto difference = [](auto a, auto b) { return a - b; };
constexpr auto product = [](auto a, auto b) { return a * b; };

/// Working memory, cut to its uses.
template <class T>
struct Memory {
  Memory(const ReducedExtents& extents, T* memory)
      : elements(memory), largest(elements + most_elements(extents)), sums(largest + most_lines(extents)), of_sums(sums + most_lines(extents)) {}
  static std::size_t size(const ReducedExtents& extents) {
    return most_elements(extents) + 2 * most_lines(extents) + sum_scratch<T, T>(extents);
  }
  T *elements, *largest, *sums, *of_sums;
};

}  // namespace

template <class Simd, class T>
std::size_t SoftmaxLoops<Simd, T>::scratch(const ReducedExtents& extents) {
  return Memory<T>::size(extents);
}

template <class Simd, class T>
void SoftmaxLoops<Simd, T>::logsumexp(const T* x, const ReducedExtents& extents, T* out, T* scratch) {
  if (extents.reduced == 0) std::fill(out, out + extents.outer * extents.inner, -std::numeric_limits<T>::infinity());
  const Memory<T> memory(extents, scratch);
  T *const e = memory.elements, *const largest = memory.largest, *const sums = memory.sums;
  by_parts(extents, [&](std::size_t from, std::size_t to, const ReducedExtents& part) {
    const std::size_t count = part.outer * part.inner;
    extreme_kernel<Larger>(x + from, part, largest);
    // An infinite maximum is the result; 0 stands in for it where it would be subtracted from itself.
    for (std::size_t i = 0; i < count; ++i) sums[i] = std::isinf(largest[i]) ? T(0) : largest[i];
    combine(x + from, sums, part, e, difference);
    exp_values(e, e, count * part.reduced);
    sum_kernel(e, part, sums, memory.of_sums);
    for (std::size_t i = 0; i < count; ++i) out[to + i] = largest[i] + (std::isinf(largest[i]) ? T(0) : std::log(sums[i]));
  });
}

template <class Simd, class T>
void SoftmaxLoops<Simd, T>::softmax(const T* x, const ReducedExtents& extents, T* out, T* scratch) {
  const Memory<T> memory(extents, scratch);
  T *const largest = memory.largest, *const sums = memory.sums;
  by_parts(extents, [&](std::size_t from, std::size_t, const ReducedExtents& part) {
    extreme_kernel<Larger>(x + from, part, largest);
    subtract_largest(x + from, largest, part, out + from);
    exp_values(out + from, out + from, part.outer * part.reduced * part.inner);
    sum_kernel(out + from, part, sums, memory.of_sums);
    for (std::size_t i = 0; i < part.outer * part.inner; ++i) sums[i] = 1 / sums[i];
    combine(out + from, sums, part, out + from, product);
  });
}

template <class Simd, class T>
void SoftmaxLoops<Simd, T>::log_softmax(const T* x, const ReducedExtents& extents, T* out, T* scratch) {
  const Memory<T> memory(extents, scratch);
  T *const e = memory.elements, *const largest = memory.largest, *const sums = memory.sums;
  by_parts(extents, [&](std::size_t from, std::size_t, const ReducedExtents& part) {
    const std::size_t count = part.outer * part.inner;
    extreme_kernel<Larger>(x + from, part, largest);
    subtract_largest(x + from, largest, part, out + from);
    exp_values(out + from, e, count * part.reduced);
    sum_kernel(e, part, sums, memory.of_sums);
    for (std::size_t i = 0; i < count; ++i) sums[i] = std::log(sums[i]);
    combine(out + from, sums, part, out + from, difference);
  });
}

template struct SoftmaxLoops<ThisSimd, float>;
template struct SoftmaxLoops<ThisSimd, double>;

}  // namespace xgrad::detail
