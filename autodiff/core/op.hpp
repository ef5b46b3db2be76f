// What a node computes: the classes that ops derive from, and the arrays that they compute on (see docs/adding-an-op.md).
#pragma once

#include <autodiff/core/buffer.hpp>
#include <autodiff/core/tensor.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace xgrad {

namespace detail {

/// Values of one array as an op sees them: where they lie and how to step through them.
struct Array {
  void* data = nullptr;
  DType dtype = DType::float32;
  const Shape* shape = nullptr;
  const Strides* strides = nullptr;
  bool contiguous = true;  ///< row-major without gaps
  std::int64_t size = 0;

  template <Element T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

/// A computed value: a part of a buffer, reached by strides, so that transposing, slicing and broadcasting copy nothing.
struct Value {
  Ref<Buffer> buffer;
  std::int64_t offset = 0;  ///< in elements
  Strides strides;
  bool contiguous = true;
};

/// `n` row-major elements of each input to `n` elements of the output.
using TileKernel = void (*)(const void* const* inputs, void* output, std::size_t n);

/// A step of a vector program (kernels/instructions.hpp) on eight vectors at a time, and on one. Their type is that of the program: cast before a call.
struct VectorKernel {
  void (*wide)() = nullptr;
  void (*narrow)() = nullptr;
};

class Batched;

/// Where a cotangent may differ from zero. Elsewhere it is zero by structure: a `where`, an index or a maximum left those elements
/// out, so that nothing recorded before may have an effect there, at any order, not even one that is infinite or NaN.
struct Support {
  mutable Tensor mask;    ///< bool, of the cotangent's rank, each extent the cotangent's or 1; undefined where all elements count
  bool constant = false;  ///< the mask follows from shapes and slices alone, so that its values may be read while recording
  std::int64_t axis = -1;  ///< where it is not negative, `lines` tells along this axis which lines have an element that counts
  Tensor lines = {};       ///< as `mask`, with extent 1 along `axis`; undefined where all lines have one
  /// In place of a mask, which is recorded when a rule asks for it (`mask_of`): elements count where this is not 0 or less. Only rules
  /// of elementwise ops and reductions ask: a product of matrices is not worth masking for what a relu leaves out.
  Tensor above = {};

  bool is_restricted() const { return mask.defined() || above.defined(); }
};

/// Ops that vector programs know by name: to join steps of the first three (ops/arithmetic.simd.cpp), and to generate code for
/// all. From `negative` on they have one operand.
enum class Arithmetic : std::uint8_t { none, add, subtract, multiply, divide, negative, square, sqrt, relu };

}  // namespace detail

/// What a node computes and how gradients flow through it. An op is immutable and may be shared by many nodes.
class Op {
 public:
  /// How the evaluator runs an op: elementwise ones it may group and run tile by tile, with the sums of their values;
  /// views it resolves to strides.
  enum class Kind : std::uint8_t { elementwise, view, sum, general };

  virtual ~Op() = default;
  /// As the public function is called.
  virtual std::string_view name() const = 0;
  virtual Kind kind() const { return Kind::general; }
  /// The cotangent of input `i` from the cotangent `g` of the output `y`, written in public ops. The result may have
  /// any shape that broadcasts from or to the input's: the engine sums or broadcasts it, and casts it. An undefined
  /// tensor says that no gradient flows.
  virtual Tensor vjp(std::size_t i, const Tensor& g, std::span<const Tensor> inputs, const Tensor& y) const = 0;
  /// The support of the cotangent that `vjp` returns, given the support of `g`. It may have the shape of the output or of the input.
  /// The default, an empty one, says that all elements count, which is always safe: zeros are then multiplied like other numbers.
  virtual detail::Support cotangent_support(std::size_t, const detail::Support&, std::span<const Tensor>, const Tensor&) const { return {}; }
  /// The op for all elements of a batch at once, for `vmap` (see ops/batching.hpp). Undefined, the default, where there is no
  /// way but one element after another.
  virtual Tensor vectorized(const detail::Batched& batched) const;

  using Comparison = bool (*)(const Op&, const Op&);
  /// Whether another op computes the same, as far as can be told: of those of one class that share no comparison nothing is known.
  bool same_as(const Op& other) const;
  /// Sets how parameters are compared, which ops of one class share: `interned` calls it.
  void compare_by(Comparison comparison) { comparison_ = comparison; }

 private:
  Comparison comparison_ = nullptr;
};

/// An op computed as a whole.
class GeneralOp : public Op {
 public:
  /// Writes every element of `output`, which is contiguous. Inputs may have any strides.
  virtual void evaluate(std::span<const detail::Array> inputs, const detail::Array& output) const = 0;
  /// Whether the result can be added to what is there, as by BLAS with beta = 1.
  virtual bool accumulates() const { return false; }
  /// Adds the result to `output`, which is floating.
  virtual void accumulate(std::span<const detail::Array> inputs, const detail::Array& output) const;
};

/// An op of one input that takes its values along some axes together.
class ReductionOp : public GeneralOp {
 public:
  ReductionOp(AxisList axes, bool keepdims) : axes(std::move(axes)), keepdims(keepdims) {}
  bool operator==(const ReductionOp& other) const { return axes == other.axes && keepdims == other.keepdims; }

  AxisList axes;  ///< sorted, counted from the front
  bool keepdims;
};

/// An op of one output element per element of its inputs, which broadcast.
class ElementwiseOp : public Op {
 public:
  Kind kind() const final { return Kind::elementwise; }
  Tensor vectorized(const detail::Batched& batched) const final;
  /// The support of `g`: each element of the cotangent comes from the same element of `g`.
  detail::Support cotangent_support(std::size_t, const detail::Support& g, std::span<const Tensor>, const Tensor&) const override { return g; }
  /// The kernel for inputs of `dtype` (that of the last input, where they differ).
  virtual detail::TileKernel tile_kernel(DType dtype) const = 0;
  /// As above, for steps that pass vectors on in registers: `accumulated` has a bit for each operand that is in them.
  /// None where there is none for that.
  virtual detail::VectorKernel vector_kernel(DType dtype, unsigned accumulated) const;
  virtual detail::Arithmetic arithmetic() const { return detail::Arithmetic::none; }
};

/// An op that shows its input's values in another order.
class ViewOp : public Op {
 public:
  Kind kind() const final { return Kind::view; }
  /// Sets offset and strides of `output` (shape `shape`) for an input of the shape and strides given; false when that
  /// input has to be made contiguous first.
  virtual bool view(const Shape& input_shape, const detail::Value& input, const Shape& shape, detail::Value& output) const = 0;
};

}  // namespace xgrad
