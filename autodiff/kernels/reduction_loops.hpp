// Loops over the values of reductions, for each instruction set: instantiated in reduce.simd.cpp and softmax.simd.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

namespace xgrad::detail {

/// Extents of the three axes that any reduction comes down to.
struct ReducedExtents {
  std::size_t outer = 1, reduced = 1, inner = 1;
};

/// Which of two values an extreme takes.
struct Larger {};
struct Smaller {};

/// Σ over the middle axis, of nothing 0; integers wrap.
template <class Simd, class Sum, class T>
struct SumLoop {
  /// How many sums there is to be room for in `scratch`.
  static std::size_t scratch(const ReducedExtents& extents);
  static void run(const T* x, const ReducedExtents& extents, Sum* out, Sum* scratch);
};

/// The extreme over the middle axis, which is not empty, and where it first is.
template <class Simd, class Order, class T>
struct ExtremeLoop {
  static void values(const T* x, const ReducedExtents& extents, T* out);
  /// `scratch` has room for `extents.inner` values.
  static void indices(const T* x, const ReducedExtents& extents, std::int64_t* out, T* scratch);
};

/// Functions of e^x over the middle axis. `out` may be `x`, but for logsumexp.
template <class Simd, class T>
struct SoftmaxLoops {
  /// How many values there is to be room for in `scratch`.
  static std::size_t scratch(const ReducedExtents& extents);
  static void logsumexp(const T* x, const ReducedExtents& extents, T* out, T* scratch);
  static void softmax(const T* x, const ReducedExtents& extents, T* out, T* scratch);
  static void log_softmax(const T* x, const ReducedExtents& extents, T* out, T* scratch);
};

}  // namespace xgrad::detail
