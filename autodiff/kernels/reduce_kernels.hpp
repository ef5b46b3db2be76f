// Loops under the reductions. The order of every sum depends on the extents alone, so equal inputs give equal bits.
// For *.simd.cpp (see instruction_sets.hpp).
#pragma once

#include <algorithm>
#include <array>
#include <autodiff/kernels/xsimd.hpp>
#include <autodiff/kernels/reduction_loops.hpp>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace xgrad::detail {
namespace {

/// The first `n` lanes from `x`, the others `padding`: ends of rows go through the same instructions as the rest.
template <class T>
xsimd::batch<T> load_padded(const T* x, std::size_t n, T padding) {
  alignas(64) T lanes[xsimd::batch<T>::size];
  std::fill(lanes, lanes + xsimd::batch<T>::size, padding);
  std::copy(x, x + n, lanes);
  return xsimd::load_aligned(lanes);
}

/// The last `n` lanes from the `n` values before `end`, zeros in front; as many values as there are lanes are readable.
template <class T>
xsimd::batch<T> load_last(const T* end, std::size_t n) {
  using Batch = xsimd::batch<T>;
  static constexpr auto positions = [] {
    std::array<T, Batch::size> lanes{};
    for (std::size_t i = 0; i < Batch::size; ++i) lanes[i] = static_cast<T>(i);
    return lanes;
  }();
  const auto first = Batch(static_cast<T>(Batch::size - n));
  return xsimd::select(Batch::load_unaligned(positions.data()) >= first, Batch::load_unaligned(end - Batch::size),
                       Batch(T(0)));
}

/// Numbers taken together by halves. By templates, since of loops compilers make loops through memory.
template <std::size_t n, class T, class F>
T fold_halves(const T (&x)[n], F f) {
  if constexpr (n == 1) {
    return x[0];
  } else {
    T folded[n / 2];
    for (std::size_t i = 0; i < n / 2; ++i) folded[i] = f(x[i], x[i + n / 2]);
    return fold_halves(folded, f);
  }
}
/// The lanes of a batch likewise.
template <class T, class A, class F>
T fold_lanes(const xsimd::batch<T, A>& batch, F f) {
  alignas(64) T lanes[xsimd::batch<T, A>::size];
  batch.store_aligned(lanes);
  return fold_halves(lanes, f);
}

/// Sums what is pushed as a balanced binary tree does, for an error that grows with the logarithm of the number of
/// terms (Higham, "The accuracy of floating point summation", SIAM J. Sci. Comput. 14, 1993, section 3).
template <class V>
class PairwiseSum {
 public:
  void push(V term) {
    for (std::uint64_t carry = count_++; carry & 1; carry >>= 1) term = levels_[--depth_] + term;
    levels_[depth_++] = term;
  }
  void clear() { depth_ = 0, count_ = 0; }
  bool empty() const { return depth_ == 0; }
  V total() const {
    V total = levels_[depth_ - 1];
    for (std::size_t i = depth_ - 1; i-- > 0;) total = levels_[i] + total;
    return total;
  }

 private:
  V levels_[64];
  std::size_t depth_ = 0;
  std::uint64_t count_ = 0;
};

/// Σ of one row; integers wrap.
template <class Sum, class T>
Sum sum_row(const T* x, std::size_t n) {
  if constexpr (std::is_integral_v<T>) {
    Sum total = 0;
    for (std::size_t i = 0; i < n; ++i) total += x[i];
    return total;
  } else {
    using Batch = xsimd::batch<T>;
    constexpr std::size_t width = Batch::size, leaf = 32 * width;
    if (n < std::max<std::size_t>(width, 12)) {
      T total = 0;
      for (std::size_t i = 0; i < n; ++i) total += x[i];
      return total;
    }
    const auto load = [](const T* p) { return Batch::load_unaligned(p); };
    const auto eight = [load](const T* p) {
      return ((load(p) + load(p + width)) + (load(p + 2 * width) + load(p + 3 * width))) +
             ((load(p + 4 * width) + load(p + 5 * width)) + (load(p + 6 * width) + load(p + 7 * width)));
    };
    PairwiseSum<Batch> tree;
    std::size_t i = 0;
    for (; i + leaf <= n; i += leaf)
      tree.push((eight(x + i) + eight(x + i + 8 * width)) + (eight(x + i + 16 * width) + eight(x + i + 24 * width)));
    Batch rest(T(0));
    for (; i + 8 * width <= n; i += 8 * width) rest += eight(x + i);
    for (; i + width <= n; i += width) rest += load(x + i);
    if (i < n) rest += load_last(x + n, n - i);
    if (!tree.empty()) rest = tree.total() + rest;
    return fold_lanes(rest, [](T a, T b) { return a + b; });
  }
}

/// Σ over the rows of a matrix, a column at a time side by side.
template <class Sum, class T>
class ColumnSums {
 public:
  /// With working memory for `scratch(rows, columns)` sums.
  ColumnSums(std::size_t rows, std::size_t columns, Sum* memory) : rows_(rows), columns_(columns), levels_(memory) {}

  static std::size_t scratch(std::size_t rows, std::size_t columns) {
    return depth(rows) * (columns < wide ? wide : columns < strip ? columns : strip);
  }

  void operator()(const T* x, Sum* out) const {
    // A narrow matrix is taken as one of fewer, wider rows, whose sums are then folded.
    const std::size_t fold = wide / columns_;
    if (fold < 2 || rows_ < 2 * fold) return sum(x, rows_, columns_, out);
    const std::size_t wide_rows = rows_ / fold, rest = rows_ - wide_rows * fold;
    Sum partial[wide], of_rest[wide];
    sum(x, wide_rows, fold * columns_, partial);
    ColumnSums<Sum, Sum>::sum_leaf(partial, fold, columns_, columns_, out);
    sum_leaf(x + wide_rows * fold * columns_, rest, columns_, columns_, of_rest);
    for (std::size_t j = 0; j < columns_; ++j) out[j] += of_rest[j];
  }

 private:
  template <class, class>
  friend class ColumnSums;

  static constexpr std::size_t leaf = 32;     // rows summed before the tree
  static constexpr std::size_t strip = 1024;  // columns at a time: a leaf and its sums stay in the first cache
  static constexpr std::size_t wide = 64;

  static std::size_t depth(std::size_t rows) { return static_cast<std::size_t>(std::bit_width(rows / leaf)) + 2; }

  void sum(const T* x, std::size_t rows, std::size_t columns, Sum* out) const {
    for (std::size_t start = 0; start < columns; start += strip) {
      const std::size_t n = std::min(strip, columns - start);
      if (rows <= leaf) sum_leaf(x + start, rows, columns, n, out + start);
      else sum_strip(x + start, rows, columns, n, out + start);
    }
  }

  void sum_strip(const T* x, std::size_t rows, std::size_t stride, std::size_t n, Sum* out) const {
    std::size_t depth = 0;
    const auto level = [this, n](std::size_t i) { return levels_ + i * n; };
    const auto add = [n](Sum* a, const Sum* b) {
      for (std::size_t j = 0; j < n; ++j) a[j] += b[j];
    };
    for (std::size_t row = 0, count = 0; row < rows; row += leaf, ++count) {
      sum_leaf(x + row * stride, std::min(leaf, rows - row), stride, n, level(depth));
      for (std::size_t carry = count; carry & 1; carry >>= 1, --depth) add(level(depth - 1), level(depth));
      ++depth;
    }
    for (; depth > 1; --depth) add(level(depth - 2), level(depth - 1));
    std::copy(level(0), level(0) + n, out);
  }

  static void sum_leaf(const T* x, std::size_t rows, std::size_t stride, std::size_t n, Sum* __restrict out) {
    std::fill(out, out + n, Sum(0));
    std::size_t row = 0;
    for (; row + 8 <= rows; row += 8) {
      const T *a = x + row * stride, *b = a + stride, *c = b + stride, *d = c + stride, *e = d + stride,
              *f = e + stride, *g = f + stride, *h = g + stride;
      for (std::size_t j = 0; j < n; ++j)
        out[j] +=
            ((Sum(a[j]) + Sum(b[j])) + (Sum(c[j]) + Sum(d[j]))) + ((Sum(e[j]) + Sum(f[j])) + (Sum(g[j]) + Sum(h[j])));
    }
    for (; row < rows; ++row) {
      const T* a = x + row * stride;
      for (std::size_t j = 0; j < n; ++j) out[j] += a[j];
    }
  }

  std::size_t rows_, columns_;
  Sum* levels_;
};

/// Whether sums over the middle axis take turns over whole columns: too small for anything that has to be set up if not.
inline bool by_columns(const ReducedExtents& extents) {
  return extents.reduced > 1 && extents.inner > 1 && extents.reduced * extents.inner > 64;
}
/// Sums that `sum_kernel` has working memory for.
template <class Sum, class T>
std::size_t sum_scratch(const ReducedExtents& extents) {
  return by_columns(extents) ? ColumnSums<Sum, T>::scratch(extents.reduced, extents.inner) : 0;
}

/// Sums over the middle axis; 0 where it is empty.
template <class Sum, class T>
void sum_kernel(const T* x, const ReducedExtents& extents, Sum* out, Sum* scratch) {
  const auto [outer, reduced, inner] = extents;
  if (outer == 0 || inner == 0) return;
  if (reduced == 0) {
    std::fill(out, out + outer * inner, Sum(0));
  } else if (reduced == 1) {
    for (std::size_t i = 0; i < outer * inner; ++i) out[i] = Sum(x[i]);
  } else if (inner == 1) {
    for (std::size_t i = 0; i < outer; ++i) out[i] = sum_row<Sum>(x + i * reduced, reduced);
  } else if (!by_columns(extents)) {
    for (std::size_t i = 0; i < outer; ++i, x += reduced * inner)
      for (std::size_t j = 0; j < inner; ++j) {
        Sum total = x[j];
        for (std::size_t k = 1; k < reduced; ++k) total += x[k * inner + j];
        *out++ = total;
      }
  } else {
    const ColumnSums<Sum, T> sums(reduced, inner, scratch);
    for (std::size_t i = 0; i < outer; ++i) sums(x + i * reduced * inner, out + i * inner);
  }
}

/// Whether an extreme takes `a` rather than `b`; of numbers and of batches.
auto before(Larger, const auto& a, const auto& b) { return a > b; }
auto before(Smaller, const auto& a, const auto& b) { return a < b; }

/// The one of `a` and `b` that is before the other; NaN when either is.
template <class Order, class V>
V first_of(const V& a, const V& b) {
  if constexpr (std::is_arithmetic_v<V>) {
    const V first = before(Order(), a, b) ? a : b;  // one instruction; the test for NaN is one that is foreseen
    return a != a ? a : first;
  } else {
    return xsimd::select(before(Order(), a, b) || xsimd::isnan(a), a, b);  // != of xsimd 8.1 is false for NaN on AVX-512
  }
}

/// The extreme of one row of at least one value.
template <class Order, class T>
T extreme_row(const T* x, std::size_t n) {
  if constexpr (std::is_floating_point_v<T>) {
    using Batch = xsimd::batch<T>;
    constexpr std::size_t width = Batch::size;
    if (n >= width) {
      const auto load = [](const T* p) { return Batch::load_unaligned(p); };
      Batch a = load(x + n - width);  // what the loops leave; to see a value twice does no harm
      std::size_t i = 0;
      if (n >= 4 * width) {
        Batch b = a, c = a, d = a;
        for (; i + 4 * width <= n; i += 4 * width) {
          a = first_of<Order>(load(x + i), a), b = first_of<Order>(load(x + i + width), b);
          c = first_of<Order>(load(x + i + 2 * width), c), d = first_of<Order>(load(x + i + 3 * width), d);
        }
        a = first_of<Order>(first_of<Order>(a, b), first_of<Order>(c, d));
      }
      for (; i + width <= n; i += width) a = first_of<Order>(load(x + i), a);
      return fold_lanes(a, first_of<Order, T>);
    }
  }
  T best = x[0];
  for (std::size_t i = 1; i < n; ++i) best = first_of<Order>(x[i], best);
  return best;
}

/// The extremes of the columns of a matrix of at least one row.
template <class Order, class T>
void extreme_columns(const T* x, std::size_t rows, std::size_t columns, T* __restrict out) {
  // A narrow matrix is taken as one of fewer, wider rows first.
  constexpr std::size_t wide = 64;
  const std::size_t fold = wide / columns, wide_rows = fold < 2 ? 0 : rows / fold;
  T partial[wide];
  std::size_t row = 1;
  if (wide_rows >= 4) {
    extreme_columns<Order>(x, wide_rows, fold * columns, partial);
    std::copy(partial, partial + columns, out);
    for (std::size_t k = 1; k < fold; ++k)
      for (std::size_t j = 0; j < columns; ++j) out[j] = first_of<Order>(partial[k * columns + j], out[j]);
    row = wide_rows * fold;
  } else {
    std::copy(x, x + columns, out);
  }
  for (; row + 4 <= rows; row += 4) {
    const T *a = x + row * columns, *b = a + columns, *c = b + columns, *d = c + columns;
    const auto of_five = [](const auto& p, const auto& q, const auto& r, const auto& s, const auto& t) {
      return first_of<Order>(first_of<Order>(p, q), first_of<Order>(first_of<Order>(r, s), t));
    };
    std::size_t j = 0;
    if constexpr (std::is_floating_point_v<T>) {
      using Batch = xsimd::batch<T>;
      const auto at = [&](std::size_t i) {
        const auto load = [i](const T* p) { return Batch::load_unaligned(p + i); };
        of_five(load(a), load(b), load(c), load(d), load(out)).store_unaligned(out + i);
      };
      for (; j + Batch::size <= columns; j += Batch::size) at(j);
      if (columns >= Batch::size && j < columns) at(columns - Batch::size), j = columns;
    }
    for (; j < columns; ++j) out[j] = of_five(a[j], b[j], c[j], d[j], out[j]);
  }
  for (; row < rows; ++row) {
    const T* a = x + row * columns;
    for (std::size_t j = 0; j < columns; ++j) out[j] = first_of<Order>(a[j], out[j]);
  }
}

/// Extremes over the middle axis, which is not empty.
template <class Order, class T>
void extreme_kernel(const T* x, const ReducedExtents& extents, T* out) {
  const auto [outer, reduced, inner] = extents;
  for (std::size_t i = 0; i < outer; ++i) {
    if (inner == 1) out[i] = extreme_row<Order>(x + i * reduced, reduced);
    else extreme_columns<Order>(x + i * reduced * inner, reduced, inner, out + i * inner);
  }
}

}  // namespace
}  // namespace xgrad::detail
