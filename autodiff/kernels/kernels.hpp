// What the kernels of elementwise ops are written with, and how they are asked for.
#pragma once

#include <autodiff/kernels/xsimd.hpp>
#include <autodiff/kernels/instruction_sets.hpp>
#include <autodiff/kernels/instructions.hpp>
#include <autodiff/core/tape.hpp>
#include <cmath>
#include <limits>
#include <type_traits>

namespace xgrad::detail {

/// a where `mask` holds, else b; for kernels, on numbers and on batches alike.
template <class T>
  requires std::is_arithmetic_v<T>
T choose(bool mask, T a, T b) {
  return mask ? a : b;
}
template <class T, class A>
xsimd::batch<T, A> choose(const xsimd::batch_bool<T, A>& mask, const xsimd::batch<T, A>& a, const xsimd::batch<T, A>& b) {
  return xsimd::select(mask, a, b);
}

// xsimd's x != x is false for NaN with AVX-512.
template <class T>
  requires std::is_arithmetic_v<T>
bool is_nan(T x) {
  return x != x;
}
template <class T, class A>
xsimd::batch_bool<T, A> is_nan(const xsimd::batch<T, A>& x) {
  return xsimd::isnan(x);
}

/// An operand of an arithmetic kernel: whole numbers as unsigned ones, whose sums, differences and products wrap, as NumPy's do.
template <class T>
decltype(auto) wrapping(const T& x) {
  if constexpr (std::is_integral_v<T>) return static_cast<std::uint64_t>(x);
  else return (x);
}

template <class B, class T>
constexpr bool is_batch_of = false;
template <class T, class A>
constexpr bool is_batch_of<xsimd::batch<T, A>, T> = true;

/// `f` of each element of a batch.
template <class T, class A, class F>
xsimd::batch<T, A> by_element(const xsimd::batch<T, A>& x, F f) {
  alignas(64) T values[xsimd::batch<T, A>::size];
  x.store_aligned(values);
  for (T& value : values) value = f(value);
  return xsimd::batch<T, A>::load_aligned(values);
}

/// f(x) in those lanes where `outside` holds, elsewhere `y`. Never inlined: a call that is hardly ever made leaves the registers of
/// the loop around it alone.
template <class T, class A, class F>
[[gnu::noinline, gnu::cold]] xsimd::batch<T, A> mend_lanes(xsimd::batch<T, A> x, xsimd::batch<T, A> y, xsimd::batch_bool<T, A> outside, F f) {
  alignas(64) T from[xsimd::batch<T, A>::size], to[xsimd::batch<T, A>::size];
  alignas(64) bool is_outside[xsimd::batch<T, A>::size];
  x.store_aligned(from);
  y.store_aligned(to);
  outside.store_aligned(is_outside);
  for (std::size_t i = 0; i < xsimd::batch<T, A>::size; ++i)
    if (is_outside[i]) to[i] = f(from[i]);
  return xsimd::batch<T, A>::load_aligned(to);
}

/// `y`, but f(x) in those lanes where `outside` holds, which are rare: ends of a range where a batch function is not right.
template <class T, class A, class F>
xsimd::batch<T, A> mended(const xsimd::batch<T, A>& x, const xsimd::batch<T, A>& y, const xsimd::batch_bool<T, A>& outside, F f) {
  if (!xsimd::any(outside)) [[likely]] return y;
  return mend_lanes(x, y, outside, f);
}

/// Kernels that call functions as long as exp say `static constexpr bool costly = true`.
template <class O>
constexpr bool is_costly = requires { requires O::costly; };

/// Kernels that no batch function serves say `static constexpr bool scalar = true`.
template <class O>
concept ScalarKernel = requires { requires O::scalar; };

/// The kernels of op `O` made of batches, of an instruction set: instantiated in the *.simd.cpp of the op's family. `O` says how
/// many operands it has (`arity`), and whether they and its result are of one type (`same_type`).
template <class Simd, class O>
struct SimdKernels {
  static VectorKernel vector(DType dtype, Accumulated accumulated);
  /// Over tiles; none where the kernel is not for batches.
  static TileKernel tile(DType dtype);
};

/// The kernel of `O` on single elements of type T, as a loop. Compiled once, for any machine (element_kernels.hpp).
template <class O, class T>
void element_kernel(const void* const* inputs, void* output, std::size_t n);

/// The kernel of `O`, whose operands and result have one type, for elements of `dtype`; and that of a comparison.
template <class O>
TileKernel find_same_type(DType dtype);
template <class O>
TileKernel find_comparison(DType dtype);

}  // namespace xgrad::detail
