// What the instructions of vector programs do. For *.simd.cpp (see instruction_sets.hpp).
#pragma once

#include <autodiff/kernels/xsimd.hpp>
#include <autodiff/kernels/kernels.hpp>
#include <cstring>
#include <type_traits>
#include <utility>

namespace xgrad::detail {
namespace {

// Registers are passed as such: a function of at most eight of them gets and gives all of them without touching memory.
template <class T, std::size_t>
using Register = typename xsimd::batch<T>::register_type;
template <class T, std::size_t... I>
using Handler = void (*)(const Instruction*, Frame*, Register<T, I>...);

template <class T>
const T* operand(const Instruction& step, const Frame& frame, std::size_t k) {
  return reinterpret_cast<const T*>(frame.pointers[step.slots[k]] + (frame.offset & step.masks[k]));
}
/// `value`, computed before the next is. Left to themselves compilers first make the conditions of all eight vectors, for which
/// there are seven mask registers, and the handler that has to save one needs a stack.
template <class V>
V in_turn(V value) {
#ifdef __x86_64__
  asm volatile("" : "+v"(value));
#endif
  return value;
}
/// `S` of each vector, as a handler.
template <class S, class T, std::size_t... I>
void handle(const Instruction* step, Frame* frame, Register<T, I>... values) {
  using Batch = xsimd::batch<T>;
  const S function(*step, *frame);
  const auto next = reinterpret_cast<Handler<T, I...>>(step[1].handler);
  if constexpr (S::costly && sizeof...(I) > 1) {
    // In a loop: eight copies of a long function would take long to compile and gain nothing.
    Batch lanes[] = {Batch(values)...};
    for (std::size_t i = 0; i < sizeof...(I); ++i) lanes[i] = function(i, lanes[i]);
    return next(step + 1, frame, static_cast<Register<T, I>>(lanes[I])...);
  } else {
    return next(step + 1, frame, in_turn(static_cast<Register<T, I>>(function(I, Batch(values))))...);
  }
}

template <class S, class T>
VectorKernel vector_kernel_of() {
  return []<std::size_t... I>(std::index_sequence<I...>) {
    return VectorKernel{reinterpret_cast<void (*)()>(&handle<S, T, I...>), reinterpret_cast<void (*)()>(&handle<S, T, 0>)};
  }(std::make_index_sequence<wide_vectors>());
}

/// The end of every program.
template <class T>
VectorKernel end_kernel() {
  return []<std::size_t... I>(std::index_sequence<I...>) {
    const Handler<T, I...> wide = [](const Instruction*, Frame*, Register<T, I>...) {};
    const Handler<T, 0> narrow = [](const Instruction*, Frame*, Register<T, 0>) {};
    return VectorKernel{reinterpret_cast<void (*)()>(wide), reinterpret_cast<void (*)()>(narrow)};
  }(std::make_index_sequence<wide_vectors>());
}

/// Runs a program whose first step is `first` on one block.
template <class T>
void run_wide(const Instruction* first, Frame* frame) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    const auto zero = [](std::size_t) { return xsimd::batch<T>(T(0)); };
    reinterpret_cast<Handler<T, I...>>(first->handler)(first, frame, static_cast<Register<T, I>>(zero(I))...);
  }(std::make_index_sequence<wide_vectors>());
}
template <class T>
void run_narrow(const Instruction* first, Frame* frame) {
  reinterpret_cast<Handler<T, 0>>(first->handler)(first, frame, static_cast<Register<T, 0>>(xsimd::batch<T>(T(0))));
}

/// The kernel of `O` on batches; conditions are 1 or 0.
template <class O, class T, class... Batches>
xsimd::batch<T> on_batches(const Batches&... x) {
  using Batch = xsimd::batch<T>;
  if constexpr (ScalarKernel<O>) {
    alignas(64) T values[sizeof...(x)][Batch::size];
    const void* inputs[sizeof...(x)];
    std::size_t k = 0;
    ((inputs[k] = values[k], x.store_aligned(values[k++])), ...);
    element_kernel<O, T>(inputs, values[0], Batch::size);
    return Batch::load_aligned(values[0]);
  } else {
    const auto result = O::kernel(x...);
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(result)>, xsimd::batch_bool<T>>)
      return xsimd::select(result, Batch(T(1)), Batch(T(0)));
    else return result;
  }
}

/// The kernel of op `O`: operands of `accumulated` are in registers.
template <class O, class T, std::size_t arity, Accumulated accumulated>
struct OpStep {
  using Batch = xsimd::batch<T>;
  static constexpr bool costly = is_costly<O> || ScalarKernel<O>;
  OpStep(const Instruction& step, const Frame& frame) {
    for (std::size_t k = 0; k < arity; ++k)
      if (!(accumulated >> k & 1)) memory[k] = operand<T>(step, frame, k);
  }
  Batch operator()(std::size_t lane, const Batch& value) const {
    const auto at = [&]<std::size_t k>(std::integral_constant<std::size_t, k>) {
      if constexpr (accumulated >> k & 1) return value;
      else return Batch::load_unaligned(memory[k] + lane * Batch::size);
    };
    return [&]<std::size_t... K>(std::index_sequence<K...>) {
      return on_batches<O, T>(at(std::integral_constant<std::size_t, K>())...);
    }(std::make_index_sequence<arity>());
  }
  const T* memory[arity];
};

/// Kernels of an op for every way its operands may come.
template <class O, std::size_t arity>
VectorKernel find_vector_kernel(DType dtype, Accumulated accumulated) {
  const auto of = [&]<class T>(T) {
    switch (accumulated) {
      case 0:
        if constexpr (arity > 1) return vector_kernel_of<OpStep<O, T, arity, 0>, T>();  // one operand is loaded first
        break;
      case 1: return vector_kernel_of<OpStep<O, T, arity, 1>, T>();
      case 2:
        if constexpr (arity > 1) return vector_kernel_of<OpStep<O, T, arity, 2>, T>();
        break;
      case 3:
        if constexpr (arity == 2) return vector_kernel_of<OpStep<O, T, arity, 3>, T>();
        break;
      case 4:
        if constexpr (arity > 2) return vector_kernel_of<OpStep<O, T, arity, 4>, T>();
        break;
      default: break;
    }
    return VectorKernel{};
  };
  if (dtype == DType::float32) return of(float());
  if (dtype == DType::float64) return of(double());
  return {};
}

/// The kernel of `O` over tiles of one floating type.
template <class O, class T, std::size_t... I>
void batch_kernel(const void* const* inputs, void* output, std::size_t n) {
  using Batch = xsimd::batch<T>;
  constexpr std::size_t width = Batch::size;
  T* y = static_cast<T*>(output);
  std::size_t i = 0;
  for (; i + width <= n; i += width)
    O::kernel(Batch::load_unaligned(static_cast<const T*>(inputs[I]) + i)...).store_unaligned(y + i);
  if (i == n) return;
  // The rest goes through the same batch function, so that a value never depends on where it stands.
  const std::size_t bytes = (n - i) * sizeof(T);
  alignas(64) T rest[sizeof...(I)][width] = {};
  (std::memcpy(rest[I], static_cast<const T*>(inputs[I]) + i, bytes), ...);
  alignas(64) T result[width];
  O::kernel(Batch::load_aligned(rest[I])...).store_aligned(result);
  std::memcpy(y + i, result, bytes);
}

}  // namespace

template <class Simd, class O>
VectorKernel SimdKernels<Simd, O>::vector(DType dtype, Accumulated accumulated) {
  return find_vector_kernel<O, O::arity>(dtype, accumulated);
}

template <class Simd, class O>
TileKernel SimdKernels<Simd, O>::tile(DType dtype) {
  if constexpr (O::same_type && !ScalarKernel<O>)
    return [&]<std::size_t... I>(std::index_sequence<I...>) -> TileKernel {
      if (dtype == DType::float32) return batch_kernel<O, float, I...>;
      if (dtype == DType::float64) return batch_kernel<O, double, I...>;
      return nullptr;
    }(std::make_index_sequence<O::arity>());
  return nullptr;
}

/// The kernels of op `op` for the instruction set that is being compiled for.
#define XGRAD_SIMD_KERNELS(op) template struct SimdKernels<ThisSimd, op>

}  // namespace xgrad::detail
