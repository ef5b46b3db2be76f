// From the kernel an op states for one element, or one SIMD batch of them, to loops over tiles.
#pragma once

#include <autodiff/evaluate/vector.hpp>
#include <autodiff/tape.hpp>
#include <cstring>
#include <type_traits>
#include <utility>
#include <xsimd/xsimd.hpp>

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

template <class O, class T, std::size_t... I>
void same_type_kernel(const void* const* inputs, void* output, std::size_t n, std::index_sequence<I...>) {
  T* y = static_cast<T*>(output);
  if constexpr (std::is_floating_point_v<T> && !ScalarKernel<O>) {
    using Batch = xsimd::batch<T>;
    constexpr std::size_t width = Batch::size;
    std::size_t i = 0;
    for (; i + width <= n; i += width)
      O::kernel(Batch::load_unaligned(static_cast<const T*>(inputs[I]) + i)...).store_unaligned(y + i);
    if (i < n) {
      // The rest goes through the same batch function, so that a value never depends on where it stands.
      const std::size_t bytes = (n - i) * sizeof(T);
      alignas(64) T rest[sizeof...(I)][width] = {};
      (std::memcpy(rest[I], static_cast<const T*>(inputs[I]) + i, bytes), ...);
      alignas(64) T result[width];
      O::kernel(Batch::load_aligned(rest[I])...).store_aligned(result);
      std::memcpy(y + i, result, bytes);
    }
  } else {
    for (std::size_t i = 0; i < n; ++i) y[i] = static_cast<T>(O::kernel(static_cast<const T*>(inputs[I])[i]...));
  }
}

/// A kernel whose inputs and output have one type.
template <class O, class T, std::size_t arity>
void same_type(const void* const* inputs, void* output, std::size_t n) {
  same_type_kernel<O, T>(inputs, output, n, std::make_index_sequence<arity>());
}

/// A kernel of two inputs of one type to bool.
template <class O, class T>
void comparison(const void* const* inputs, void* output, std::size_t n) {
  const T* a = static_cast<const T*>(inputs[0]);
  const T* b = static_cast<const T*>(inputs[1]);
  bool* y = static_cast<bool*>(output);
  for (std::size_t i = 0; i < n; ++i) y[i] = O::kernel(a[i], b[i]);
}

/// The kernel of `O` for elements of `dtype`.
template <class O, std::size_t arity>
TileKernel find_same_type(DType dtype) {
  if (dtype == DType::float32) return same_type<O, float, arity>;
  if (dtype == DType::float64) return same_type<O, double, arity>;
  if constexpr (O::integral) {
    if (dtype == DType::int64) return same_type<O, std::int64_t, arity>;
    return same_type<O, bool, arity>;
  }
  return nullptr;
}

}  // namespace xgrad::detail
