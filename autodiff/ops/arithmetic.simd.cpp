// Steps of arithmetic: two in one, where the second alone takes what the first gives, which is half the instructions to go
// through; and one with a constant, which is loaded once rather than for each vector. Compiled so that a product and the sum it
// goes into are rounded one after the other, as they are when apart: a value does not depend on what is computed beside it.
#include <autodiff/kernels/vector.hpp>
#include <autodiff/ops/elementwise_ops.hpp>
#include <bit>

namespace xgrad::detail {
namespace {

template <class First, Accumulated in_first, class Second, Accumulated in_second, class T>
struct PairStep {
  using Batch = xsimd::batch<T>;
  static constexpr bool costly = false;
  static constexpr std::size_t of_first = 2 - std::popcount(in_first), of_second = 2 - std::popcount(in_second);

  PairStep(const Instruction& step, const Frame& frame) {
    for (std::size_t k = 0; k < of_first + of_second; ++k) memory[k] = operand<T>(step, frame, k);
  }
  Batch operator()(std::size_t lane, const Batch& value) const {
    const auto at = [&]<std::size_t k>(std::integral_constant<std::size_t, k>) {
      return Batch::load_unaligned(memory[k] + lane * Batch::size);
    };
    Batch a = value, b = value;
    if constexpr (!(in_first & 1)) a = at(std::integral_constant<std::size_t, 0>());
    if constexpr (!(in_first & 2)) b = at(std::integral_constant<std::size_t, of_first - 1>());
    const Batch between = First::kernel(a, b);
    Batch c = between, d = between;
    if constexpr (!(in_second & 1)) c = at(std::integral_constant<std::size_t, of_first>());
    if constexpr (!(in_second & 2)) d = at(std::integral_constant<std::size_t, of_first>());
    return Second::kernel(c, d);
  }
  const T* memory[3];
};

template <Arithmetic>
struct OpOf;
template <>
struct OpOf<Arithmetic::add> : std::type_identity<Add> {};
template <>
struct OpOf<Arithmetic::subtract> : std::type_identity<Subtract> {};
template <>
struct OpOf<Arithmetic::multiply> : std::type_identity<Multiply> {};

/// Calls f(constant) with the one of `values` that `value` is; `otherwise` if it is none.
template <auto... values, class V, class F>
VectorKernel with(V value, const F& f) {
  VectorKernel result;
  (void)((value == values && (result = f(std::integral_constant<V, values>()), true)) || ...);
  return result;
}

template <class T>
VectorKernel find_pair(Arithmetic first, Accumulated in_first, Arithmetic second, Accumulated in_second) {
  using enum Arithmetic;
  return with<add, subtract, multiply>(first, [&](auto a) {
    return with<0u, 1u, 2u, 3u>(in_first, [&](auto mask_a) {
      return with<add, subtract, multiply>(second, [&](auto b) {
        return with<1u, 2u>(in_second, [&](auto mask_b) {
          using First = typename OpOf<a()>::type;
          using Second = typename OpOf<b()>::type;
          // What commutes is asked for with the first operand in registers; and of squares, only products are worth having.
          constexpr bool exists = !(commutes(a()) && mask_a() == 2) && !(commutes(b()) && mask_b() == 2) &&
                                  (mask_a() != 3 || a() == multiply);
          if constexpr (exists) return vector_kernel_of<PairStep<First, mask_a(), Second, mask_b(), T>, T>();
          else return VectorKernel{};
        });
      });
    });
  });
}

template <class Op, bool constant_first, bool in_registers, class T>
struct ConstantStep {
  using Batch = xsimd::batch<T>;
  static constexpr bool costly = false;

  ConstantStep(const Instruction& step, const Frame& frame)
      : constant(Batch::load_unaligned(operand<T>(step, frame, 0))), memory(in_registers ? nullptr : operand<T>(step, frame, 1)) {}
  Batch operator()(std::size_t lane, const Batch& value) const {
    Batch other = value;
    if constexpr (!in_registers) other = Batch::load_unaligned(memory + lane * Batch::size);
    if constexpr (constant_first) return Op::kernel(constant, other);
    else return Op::kernel(other, constant);
  }
  Batch constant;
  const T* memory;
};

template <class T>
VectorKernel find_constant(Arithmetic op, bool constant_first, bool in_registers) {
  using enum Arithmetic;
  return with<add, subtract, multiply>(op, [&](auto o) {
    return with<false, true>(constant_first, [&](auto first) {
      return with<false, true>(in_registers, [&](auto registers) {
        if constexpr (first() && commutes(o())) return VectorKernel{};
        else return vector_kernel_of<ConstantStep<typename OpOf<o()>::type, first(), registers(), T>, T>();
      });
    });
  });
}

}  // namespace

template <class Simd, class T>
VectorKernel pair_kernel(Arithmetic first, Accumulated in_first, Arithmetic second, Accumulated in_second) {
  return find_pair<T>(first, in_first, second, in_second);
}
template <class Simd, class T>
VectorKernel constant_kernel(Arithmetic op, bool constant_first, bool in_registers) {
  return find_constant<T>(op, constant_first, in_registers);
}
template VectorKernel constant_kernel<ThisSimd, float>(Arithmetic, bool, bool);
template VectorKernel constant_kernel<ThisSimd, double>(Arithmetic, bool, bool);
template VectorKernel pair_kernel<ThisSimd, float>(Arithmetic, Accumulated, Arithmetic, Accumulated);
template VectorKernel pair_kernel<ThisSimd, double>(Arithmetic, Accumulated, Arithmetic, Accumulated);

}  // namespace xgrad::detail
