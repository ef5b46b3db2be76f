// What vector programs run on, beside the kernels of ops.
#include <autodiff/kernels/fused_sums.hpp>
#include <autodiff/kernels/vector.hpp>

namespace xgrad::detail {
namespace {

template <class T>
struct Load {
  static constexpr bool costly = false;
  Load(const Instruction& step, const Frame& frame) : from(operand<T>(step, frame, 0)) {}
  xsimd::batch<T> operator()(std::size_t lane, const xsimd::batch<T>&) const {
    return xsimd::batch<T>::load_unaligned(from + lane * xsimd::batch<T>::size);
  }
  const T* from;
};

template <class T>
struct Store {
  static constexpr bool costly = false;
  Store(const Instruction& step, const Frame& frame) : to(const_cast<T*>(operand<T>(step, frame, 0))) {}
  xsimd::batch<T> operator()(std::size_t lane, const xsimd::batch<T>& value) const {
    value.store_unaligned(to + lane * xsimd::batch<T>::size);
    return value;
  }
  T* to;
};

bool* bool_operand(const Instruction& step, const Frame& frame, std::size_t bytes) {
  return reinterpret_cast<bool*>(const_cast<std::byte*>(frame.pointers[step.slots[0]]) + (frame.offset & step.masks[0]) / bytes);
}

template <class T>
struct LoadBool {
  static constexpr bool costly = true;
  LoadBool(const Instruction& step, const Frame& frame)
      : from(reinterpret_cast<const unsigned char*>(bool_operand(step, frame, sizeof(T)))) {}
  xsimd::batch<T> operator()(std::size_t lane, const xsimd::batch<T>&) const {
    constexpr std::size_t width = xsimd::batch<T>::size;
    alignas(64) T values[width];
    for (std::size_t i = 0; i < width; ++i) values[i] = from[lane * width + i] != 0 ? T(1) : T(0);
    return xsimd::batch<T>::load_aligned(values);
  }
  const unsigned char* from;  // as bytes, for behind the last element there may be anything
};

template <class T>
struct StoreBool {
  static constexpr bool costly = true;
  StoreBool(const Instruction& step, const Frame& frame) : to(bool_operand(step, frame, sizeof(T))) {}
  xsimd::batch<T> operator()(std::size_t lane, const xsimd::batch<T>& value) const {
    constexpr std::size_t width = xsimd::batch<T>::size;
    alignas(64) T values[width];
    value.store_aligned(values);
    for (std::size_t i = 0; i < width; ++i) to[lane * width + i] = values[i] != T(0);
    return value;
  }
  bool* to;
};

template <class T>
std::size_t run(const Instruction* wide, const Instruction* narrow, Frame* frame, std::size_t first, std::size_t count, std::size_t done) {
  constexpr std::size_t width = xsimd::batch<T>::size, block = wide_vectors * width;
  frame->lanes = width;
  for (; done + block <= count; done += block) {
    frame->offset = done * sizeof(T);
    frame->element = first + done;
    run_wide<T>(wide, frame);
  }
  for (; done + width <= count; done += width) {
    frame->offset = done * sizeof(T);
    frame->element = first + done;
    run_narrow<T>(narrow, frame);
  }
  return done;
}

}  // namespace

template <class Simd, class T>
VectorMachine<T> vector_machine() {
  using Sum = BlockSum<T>;
  return {
      .width = xsimd::batch<T>::size,
      .load = vector_kernel_of<Load<T>, T>(),
      .store = vector_kernel_of<Store<T>, T>(),
      .load_bool = vector_kernel_of<LoadBool<T>, T>(),
      .store_bool = vector_kernel_of<StoreBool<T>, T>(),
      .sum = sum_kernel_of<false, T>(),
      .sum_columns = sum_kernel_of<true, T>(),
      .end = end_kernel<T>(),
      .pair = pair_kernel<Simd, T>,
      .constant = constant_kernel<Simd, T>,
      .run = run<T>,
      .run_narrow = run_narrow<T>,
      .sums = Sum::layout(),
      .sum_memory = Sum::bytes,
      .start_sum = [](void* sums, std::size_t i, const FusedSum& sum, T* out, std::size_t begin,
                      std::byte* memory) { (new (static_cast<Sum*>(sums) + i) Sum)->start(sum, out, begin, memory); },
      .advance_sums =
          [](void* sums, std::size_t n, std::size_t count) {
            for (std::size_t i = 0; i < n; ++i) static_cast<Sum*>(sums)[i].advance(count);
          },
      .finish_sum = [](void* sums, std::size_t i, T* out) { static_cast<Sum*>(sums)[i].finish(out); },
  };
}
template VectorMachine<float> vector_machine<ThisSimd, float>();
template VectorMachine<double> vector_machine<ThisSimd, double>();

}  // namespace xgrad::detail
