// Kernels of ops as loops over tiles, element by element where they are not made of batches.
#pragma once

#include <autodiff/kernels/kernels.hpp>
#include <utility>

namespace xgrad::detail {

template <class O, class T>
void element_kernel(const void* const* inputs, void* output, std::size_t n) {
  T* y = static_cast<T*>(output);
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    for (std::size_t i = 0; i < n; ++i) y[i] = static_cast<T>(O::kernel(static_cast<const T*>(inputs[I])[i]...));
  }(std::make_index_sequence<O::arity>());
}

/// A kernel of two inputs of one type to bool.
template <class O, class T>
void comparison(const void* const* inputs, void* output, std::size_t n) {
  const T* a = static_cast<const T*>(inputs[0]);
  const T* b = static_cast<const T*>(inputs[1]);
  bool* y = static_cast<bool*>(output);
  for (std::size_t i = 0; i < n; ++i) y[i] = O::kernel(a[i], b[i]);
}

template <class O>
TileKernel find_same_type(DType dtype) {
  if constexpr (ScalarKernel<O>) {
    if (dtype == DType::float32) return element_kernel<O, float>;
    if (dtype == DType::float64) return element_kernel<O, double>;
  } else if (is_floating(dtype)) {
    return with_simd([&]<class Simd>(Simd) { return SimdKernels<Simd, O>::tile(dtype); });
  }
  if constexpr (O::integral) {
    if (dtype == DType::int64) return element_kernel<O, std::int64_t>;
    return element_kernel<O, bool>;
  }
  return nullptr;
}

template <class O>
TileKernel find_comparison(DType dtype) {
  return dispatch(dtype, [](auto type) -> TileKernel { return comparison<O, decltype(type)>; });
}

}  // namespace xgrad::detail
