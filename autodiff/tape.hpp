// The recording: nodes, the ops that make them, and how an op is recorded. Users who only compute need none of this;
// it is for those who add an op (see docs/adding-an-op.md).
#pragma once

#include <autodiff/evaluate/buffer.hpp>
#include <autodiff/tensor.hpp>
#include <algorithm>
#include <atomic>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

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

struct VectorKernel;

}  // namespace detail

/// What a node computes and how gradients flow through it. An op is immutable and may be shared by many nodes.
class Op {
 public:
  /// How the evaluator runs an op: elementwise ones it may group and run tile by tile, with the sums of their values;
  /// views it resolves to strides.
  enum class Kind : std::uint8_t { elementwise, view, sum, general };

  virtual ~Op() = default;
  bool operator==(const Op&) const = default;  ///< of parameters: derived classes that have some add theirs
  /// As the public function is called.
  virtual std::string_view name() const = 0;
  virtual Kind kind() const { return Kind::general; }
  /// The cotangent of input `i` from the cotangent `g` of the output `y`, written in public ops. The result may have
  /// any shape that broadcasts from or to the input's: the engine sums or broadcasts it, and casts it. An undefined
  /// tensor says that no gradient flows.
  virtual Tensor vjp(std::size_t i, const Tensor& g, std::span<const Tensor> inputs, const Tensor& y) const = 0;
};

/// An op computed as a whole.
class GeneralOp : public Op {
 public:
  /// Writes every element of `output`, which is contiguous. Inputs may have any strides.
  virtual void evaluate(std::span<const detail::Array> inputs, const detail::Array& output) const = 0;
};

/// An op of one output element per element of its inputs, which broadcast.
class ElementwiseOp : public Op {
 public:
  Kind kind() const final { return Kind::elementwise; }
  /// The kernel for inputs of `dtype` (that of the last input, where they differ).
  virtual detail::TileKernel kernel(DType dtype) const = 0;
  /// As above, for steps that pass vectors on in registers: `accumulated` has a bit for each operand that is in them.
  /// None where there is none for that.
  virtual detail::VectorKernel vector_kernel(DType dtype, unsigned accumulated) const;
};

/// An op that shows its input's values in another order.
class ViewOp : public Op {
 public:
  Kind kind() const final { return Kind::view; }
  /// Sets offset and strides of `output` (shape `shape`) for an input of the shape and strides given; false when that
  /// input has to be made contiguous first.
  virtual bool view(const Shape& input_shape, const detail::Value& input, const Shape& shape, detail::Value& output) const = 0;
};

namespace detail {

/// What a leaf shares with the recordings that use it.
struct Leaf : Counted {
  Tensor gradient;
  static void dispose(Leaf* leaf) { delete leaf; }
};

/// The inputs of a node; up to three lie in the node itself.
class Inputs {
 public:
  Inputs() = default;
  explicit Inputs(std::span<const Tensor> inputs);
  explicit Inputs(std::span<Tensor> moved);
  Inputs(const Inputs&) = delete;
  Inputs& operator=(const Inputs&) = delete;
  void clear();
  std::span<const Tensor> span() const { return {many_ ? many_.get() : few_, size_}; }
  std::span<Tensor> span() { return {many_ ? many_.get() : few_, size_}; }

 private:
  Tensor few_[3];
  std::unique_ptr<Tensor[]> many_;
  std::size_t size_ = 0;
};

/// One entry of the recording.
struct Node : Counted {
  Node() = default;
  template <class T>
  Node(std::shared_ptr<const Op> op, std::span<T> inputs, Shape shape, DType dtype)
      : op(std::move(op)), inputs(inputs), shape(std::move(shape)), dtype(dtype) {}
  std::shared_ptr<const Op> op;  ///< none for a leaf
  Inputs inputs;
  Shape shape;
  DType dtype = DType::float32;
  bool requires_grad = false;
  bool evaluated = false;
  bool released = false;         ///< a backward has freed what led here
  std::uint32_t slot = 0;        ///< place in the replay under way, from 1
  std::uint32_t place = 0;       ///< place in the evaluation under way, from 1
  std::uint64_t sequence = 0;    ///< order of recording, hence a topological order
  std::uint64_t oldest = 0;      ///< the sequence number from which on nodes up to here may await evaluation
  std::uint64_t oldest_bytes = 0;  ///< bytes that nodes of this thread up to there have
  Node* next_dying = nullptr;
  Value value;                   ///< once set it stays, for other threads may be reading it
  std::atomic<Buffer*> packed{nullptr};  ///< the same values row-major, made when first asked for where `value` is not
  Ref<Leaf> leaf;                ///< of a leaf that gathers gradients
  Ref<Node> current;             ///< of a leaf that was made assignable: its value of now, which recordings refer to

  ~Node();
  /// Destroys the node and whatever hung on it alone, without recursion.
  static void dispose(Node* node);
  // Nodes come and go by the million: each thread keeps the memory of its dead ones.
  static void* operator new(std::size_t bytes);
  static void operator delete(void* memory) noexcept;

  Array array() const;
};

/// A node for `op` applied to `inputs`; gradients are tracked when an input requires them and gradient mode is on.
/// Shapes and dtypes were checked by the caller.
Tensor record(std::shared_ptr<const Op> op, std::span<const Tensor> inputs, Shape shape, DType dtype);
/// As `record`, taking the handles in `inputs` over.
Tensor record_moved(std::shared_ptr<const Op> op, std::span<Tensor> inputs, Shape shape, DType dtype);

/// The one shared instance of an op without parameters, at no cost in counting.
template <class O>
const std::shared_ptr<const Op>& shared_op() {
  static const O instance;
  static const std::shared_ptr<const Op> shared(std::shared_ptr<void>(), &instance);
  return shared;
}

/// As `shared_op`, for an op with parameters: of those used lately, an equal one is found again. So equal recordings hold
/// the same ops, which is how a plan made for one is known to fit another.
template <class O, class... Parameters>
std::shared_ptr<const Op> interned(Parameters&&... parameters) {
  constexpr std::size_t most = 32;
  thread_local std::vector<std::shared_ptr<const O>> recent;
  O op(std::forward<Parameters>(parameters)...);
  auto found = std::find_if(recent.begin(), recent.end(), [&](const auto& other) { return *other == op; });
  if (found == recent.end()) {
    if (recent.size() == most) recent.pop_back();
    found = recent.insert(recent.end(), std::make_shared<const O>(std::move(op)));
  }
  std::rotate(recent.begin(), found, found + 1);
  return recent.front();
}

/// A constant leaf of a value that is there.
Tensor make_leaf(const Shape& shape, DType dtype, Value value);

/// Throws std::logic_error naming `op` when a tensor is undefined.
void check_defined(std::string_view op, const Tensor& tensor);

/// As `Tensor::assign`, but the leaf takes on the value's dtype.
void assign_as(Tensor& leaf, const Tensor& value);

/// What is known of a value while a recording is made, and is part of its structure: numbers that stand in it as such.
enum class Known : std::uint8_t { nothing, one, finite };
Known known(const Node& node);

/// The node that recordings refer to: that of a leaf's value of now.
inline Node* resolve(Node* node) { return node->current ? node->current.get() : node; }

}  // namespace detail

/// True while ops on tensors that require gradients are tracked; of the calling thread.
bool grad_enabled() noexcept;

/// While it lives, gradient mode of this thread is as given.
class GradMode {
 public:
  explicit GradMode(bool enabled) noexcept;
  ~GradMode();
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool before_;
};

/// While it lives, nothing is tracked for gradients in this thread.
class NoGrad : GradMode {
 public:
  NoGrad() noexcept : GradMode(false) {}
};

/// Calls `f` with tracking off and returns its result.
template <class F>
decltype(auto) no_grad(F&& f) {
  NoGrad guard;
  return std::forward<F>(f)();
}

}  // namespace xgrad
