// Bases of elementwise ops: from an op's `kernel` and `rule` to what the engine asks for.
#pragma once

#include <autodiff/kernels/kernels.hpp>

namespace xgrad::detail {

/// What runs the kernel of `O` in a vector program.
template <class O>
VectorKernel simd_vector_kernel(DType dtype, Accumulated accumulated) {
  return with_simd([&]<class Simd>(Simd) { return SimdKernels<Simd, O>::vector(dtype, accumulated); });
}

/// A floating-point function unless it says `integral = true`, which admits int64 and bool.
template <class O>
struct Unary : ElementwiseOp {
  static constexpr std::size_t arity = 1;
  static constexpr bool same_type = true;
  static constexpr bool integral = false;
  std::string_view name() const final { return O::title; }
  TileKernel tile_kernel(DType dtype) const final { return find_same_type<O>(dtype); }
  VectorKernel vector_kernel(DType dtype, Accumulated accumulated) const final { return simd_vector_kernel<O>(dtype, accumulated); }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor> inputs, const Tensor& y) const final {
    return O::rule(g, inputs[0], y);
  }
  Arithmetic arithmetic() const final {
    if constexpr (requires { O::known_as; }) return O::known_as;
    else return Arithmetic::none;
  }
};

template <class O>
struct Binary : ElementwiseOp {
  static constexpr std::size_t arity = 2;
  static constexpr bool same_type = true;
  static constexpr bool integral = true;
  std::string_view name() const final { return O::title; }
  TileKernel tile_kernel(DType dtype) const final { return find_same_type<O>(dtype); }
  VectorKernel vector_kernel(DType dtype, Accumulated accumulated) const final { return simd_vector_kernel<O>(dtype, accumulated); }
  Tensor vjp(std::size_t i, const Tensor& g, std::span<const Tensor> inputs, const Tensor& y) const final {
    return i == 0 ? O::rule_a(g, inputs[0], inputs[1], y) : O::rule_b(g, inputs[0], inputs[1], y);
  }
  Arithmetic arithmetic() const final {
    if constexpr (requires { O::known_as; }) return O::known_as;
    else return Arithmetic::none;
  }
};

template <class O>
struct Comparison : ElementwiseOp {
  static constexpr std::size_t arity = 2;
  static constexpr bool same_type = false;
  std::string_view name() const final { return O::title; }
  TileKernel tile_kernel(DType dtype) const final { return find_comparison<O>(dtype); }
  VectorKernel vector_kernel(DType dtype, Accumulated accumulated) const final { return simd_vector_kernel<O>(dtype, accumulated); }
  Tensor vjp(std::size_t, const Tensor&, std::span<const Tensor>, const Tensor&) const final { return {}; }
};

}  // namespace xgrad::detail
