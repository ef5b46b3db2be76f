#pragma once

#include <autodiff/core/call_site.hpp>
#include <autodiff/core/intrusive_ptr.hpp>
#include <autodiff/core/xt.hpp>
#include <autodiff/core/dtype.hpp>
#include <autodiff/core/shape.hpp>
#include <initializer_list>
#include <iosfwd>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <type_traits>
#include <vector>

namespace xgrad {

class Tensor;

namespace detail {
struct Node;
/// What handles use of a node, so that they need not see the rest of it (tape.hpp).
struct NodeHead : Counted {
  DType dtype = DType::float32;
  bool requires_grad = false;
  Shape shape;

  /// Destroys the node and whatever hung on it alone, without recursion.
  static void dispose(NodeHead* node) noexcept;
};

[[noreturn]] void throw_undefined(std::string_view op);

/// A constant leaf; its row-major elements are yet to be written to `values`.
Tensor make_leaf(Shape shape, DType dtype, void*& values);
Tensor make_leaf_copy(Shape shape, DType dtype, const void* values);
/// As the first, `fill(void*)` writing them.
template <class F>
Tensor make_leaf(Shape shape, DType dtype, const F& fill);
}  // namespace detail

/// An xtensor expression of numbers.
template <class E>
concept XtExpression = xt::is_xexpression<E>::value && Number<typename E::value_type>;
/// One of anything else, as complex numbers, which no tensor holds.
template <class E>
concept OtherXtExpression = xt::is_xexpression<E>::value && !XtExpression<E>;

class At;
struct BackwardOptions;

/// One entry of `Tensor::slice`: an index, or xtensor's `range`, `all`, `newaxis`, `ellipsis`.
class Slice {
 public:
  enum class Kind : std::uint8_t { index, range, all, newaxis, ellipsis };

  template <std::integral T>
    requires(!std::same_as<T, bool>)
  Slice(T index) : kind(Kind::index), index(static_cast<std::int64_t>(index)) {}
  Slice(xt::xall_tag) : kind(Kind::all) {}
  Slice(xt::xnewaxis_tag) : kind(Kind::newaxis) {}
  Slice(xt::xellipsis_tag) : kind(Kind::ellipsis) {}
  template <class A, class B, class C>
  Slice(const xt::xrange_adaptor<A, B, C>& range)
      : kind(Kind::range), start(bound(range.start())), stop(bound(range.stop())), step(bound(range.step())) {}

  Kind kind;
  std::int64_t index = 0;
  std::optional<std::int64_t> start, stop, step;  ///< of a range; what is left out follows from the axis

 private:
  template <class T>
  static std::optional<std::int64_t> bound(const T& value) {
    if constexpr (std::is_integral_v<T>) return static_cast<std::int64_t>(value);
    else return std::nullopt;
  }
};

/// A read-only xtensor array over a tensor's values; it keeps them alive.
template <Element T>
using ArrayView = xt::xarray_adaptor<xt::xbuffer_adaptor<const T*, xt::smart_ownership, std::shared_ptr<const void>>,
                                     xt::layout_type::row_major, std::vector<std::size_t>>;

/// A handle to a node of the recording: an op and its inputs, a shape, a dtype, and the value once it is computed.
///
/// Copying a handle copies no values. Values never change, except those of a leaf through `assign` (or an optimiser).
/// Applying an op checks its arguments, infers shape and dtype, and records; the value is computed when it is first
/// read. A default-made handle is undefined: using it throws std::logic_error.
class Tensor {
 public:
  Tensor() = default;

  /// A leaf holding the values of an xtensor expression. Integer expressions become int64.
  template <XtExpression E>
  Tensor(const E& expression);
  template <OtherXtExpression E>
  Tensor(const E& elements_must_be_numbers) = delete;
  /// A scalar: double gives float64, float float32, bool bool, other integers int64.
  template <Number T>
  Tensor(T value) {
    const auto element = static_cast<element_t<T>>(value);
    *this = detail::make_leaf_copy({}, dtype_of<T>, &element);
  }
  /// A vector or, from nested lists of equal lengths, a matrix or a stack of matrices.
  /// Throws std::invalid_argument for other nested lists.
  template <Number T>
  Tensor(std::initializer_list<T> values) : Tensor(from_lists<T>(1, values)) {}
  template <Number T>
  Tensor(std::initializer_list<std::initializer_list<T>> values) : Tensor(from_lists<T>(2, values)) {}
  template <Number T>
  Tensor(std::initializer_list<std::initializer_list<std::initializer_list<T>>> values) : Tensor(from_lists<T>(3, values)) {}

  bool defined() const noexcept { return static_cast<bool>(node_); }
  const Shape& shape() const { return head("shape").shape; }
  /// Extent of one axis; negative counts from the end.
  std::int64_t shape(std::int64_t axis) const;
  std::size_t dim() const { return shape().size(); }
  std::int64_t size() const { return size_of(head("size").shape); }
  DType dtype() const { return head("dtype").dtype; }
  /// Whether this is a leaf: a tensor that no gradient passes through to others. It was made from values, detached, or computed while
  /// nothing it depends on was tracked, as in PyTorch; only the results of ops on tensors that require gradients are none.
  bool is_leaf() const;

  /// The values, computed if they are not yet, as a row-major xtensor array without a copy.
  /// Throws std::invalid_argument when `T` is not the tensor's dtype.
  template <Element T>
  ArrayView<T> array() const {
    const T* values = static_cast<const T*>(data(dtype_of<T>, "array"));
    return ArrayView<T>(xt::xbuffer_adaptor<const T*, xt::smart_ownership, std::shared_ptr<const void>>(
                            values, static_cast<std::size_t>(size()), keep()),
                        std::vector<std::size_t>(shape().begin(), shape().end()));
  }
  /// The only element of a tensor of size one, converted to `T`. Throws std::invalid_argument for any other size.
  template <Number T = double>
  T item() const {
    return static_cast<T>(item_as_double_or_int<std::is_integral_v<T>>());
  }
  /// The row-major values of the dtype given, computed if they are not yet; throws std::invalid_argument for another.
  /// Valid while a handle to this tensor lives and is not assigned to.
  const void* data(DType dtype, std::string_view op = "data") const;
  template <Element T>
  const T* data() const {
    return static_cast<const T*>(data(dtype_of<T>));
  }

  /// Converts the values to another dtype; differentiable between the floating types.
  Tensor to(DType dtype, std::source_location where = std::source_location::current()) const;
  /// A leaf with the same value, through which no gradient flows.
  Tensor detach() const;
  /// Computes the value now. Returns *this.
  const Tensor& evaluate() const;

  bool requires_grad() const { return head("requires_grad").requires_grad; }
  /// Makes a leaf gather gradients, or stop. Throws std::logic_error for the tracked result of an op or for an undefined
  /// tensor, std::invalid_argument for int64 and bool.
  Tensor& set_requires_grad(bool requires_grad = true);
  /// The gradient that `backward` has accumulated in this leaf; undefined when there is none.
  Tensor grad() const;
  void set_grad(Tensor gradient);
  void zero_grad();
  /// Replaces the value of a leaf for every handle to it. Whatever was recorded before keeps the old value, so a pending
  /// backward stays right. Throws std::logic_error for the tracked result of an op, std::invalid_argument for another shape;
  /// values are cast to the leaf's dtype.
  void assign(const Tensor& value);

  /// Gradients of this tensor with respect to every leaf that requires them, added into their `grad()`.
  /// `cotangent` defaults to 1 for a tensor of one element and must have this tensor's shape.
  /// Unless `retain_graph` is set the recording is freed; going through it again throws std::logic_error.
  /// Throws std::logic_error when nothing here requires a gradient, std::invalid_argument for a missing or misshaped cotangent.
  void backward() const { run_backward({}, false); }
  void backward(const BackwardOptions& options) const;
  template <class T>
    requires(std::is_convertible_v<const T&, Tensor> && !std::same_as<T, bool>)
  void backward(const T& cotangent, bool retain_graph = false) const {
    run_backward(Tensor(cotangent), retain_graph);
  }
  /// What `{}` stands for in `backward({}, true)`: a cotangent of 1.
  struct DefaultCotangent {};
  void backward(DefaultCotangent, bool retain_graph) const { run_backward({}, retain_graph); }

  /// The part selected by indices and xtensor's `range(a, b[, step])`, `all()`, `newaxis()`, `ellipsis()`, as NumPy's
  /// basic indexing: no copy, bounds of ranges clamp, an index out of range throws std::out_of_range, too many entries
  /// std::invalid_argument.
  Tensor slice(const std::vector<Slice>& slices) const;
  template <class... S>
    requires(std::constructible_from<Slice, S> && ...)
  Tensor slice(S... slices) const {
    return slice(std::vector<Slice>{Slice(slices)...});
  }
  /// A part that `set` and `add` make a changed tensor of, as JAX's x.at[…]: see ops/update.hpp.
  template <class... S>
    requires(std::constructible_from<Slice, S> && ...)
  At at(S... slices) const;
  /// Selects rows, by a vector of int64 indices, or by a bool mask of the first axes.
  At at(const Tensor& selector) const;

  // Members for what is most often chained; see ops/ for the functions.
  Tensor reshape(const Shape& shape, std::source_location where = std::source_location::current()) const;
  Tensor transpose(std::source_location where = std::source_location::current()) const;
  Tensor sum(const Axes& axes = {}, bool keepdims = false, std::source_location where = std::source_location::current()) const;
  Tensor mean(const Axes& axes = {}, bool keepdims = false, std::source_location where = std::source_location::current()) const;

  /// Whether both are handles to one node.
  bool is(const Tensor& other) const noexcept { return node_ == other.node_; }

  /// For the engine and the writers of ops.
  inline explicit Tensor(detail::Ref<detail::Node> node) noexcept;
  inline detail::Node* node() const noexcept;

 private:
  const detail::NodeHead& head(std::string_view op) const {
    if (!node_) [[unlikely]] detail::throw_undefined(op);
    return *node_;
  }
  void run_backward(const Tensor& cotangent, bool retain_graph) const;
  template <class T, class List>
  static Tensor from_lists(std::size_t depth, const List& lists);
  std::shared_ptr<const void> keep() const;
  double item_double() const;
  std::int64_t item_int() const;
  template <bool integral>
  auto item_as_double_or_int() const {
    if constexpr (integral) return item_int();
    else return item_double();
  }

  detail::Ref<detail::NodeHead> node_;
};

/// Options of `Tensor::backward`.
struct BackwardOptions {
  Tensor cotangent = {};      ///< of the tensor's shape; 1 where there is none, for a tensor of one element
  bool retain_graph = false;  ///< the recording is kept, so that it can be gone through again
};
inline void Tensor::backward(const BackwardOptions& options) const { run_backward(options.cotangent, options.retain_graph); }

/// Values, shape and dtype: `tensor([[ 1.,  2.]], shape=(1, 2), dtype=float64)`.
std::ostream& operator<<(std::ostream& stream, const Tensor& tensor);
std::string to_string(const Tensor& tensor);

/// An argument of a function: a tensor, not a copy of it, and the place it is passed at, which AnomalyMode reports. Whatever a
/// tensor is made of will do in its stead; it is never written out.
class Located {
 public:
  Located(const Tensor& tensor, std::source_location where = std::source_location::current()) : tensor_(&tensor), site_(where) {}
  template <class T>
    requires(!std::is_base_of_v<Tensor, T> && std::is_convertible_v<const T&, Tensor>)
  Located(const T& value, std::source_location where = std::source_location::current(), Tensor&& made = Tensor())
      : tensor_(&(made = Tensor(value))), site_(where) {}
  template <Number T>
  Located(std::initializer_list<T> values, std::source_location where = std::source_location::current(), Tensor&& made = Tensor())
      : tensor_(&(made = Tensor(values))), site_(where) {}
  template <Number T>
  Located(std::initializer_list<std::initializer_list<T>> values, std::source_location where = std::source_location::current(),
          Tensor&& made = Tensor())
      : tensor_(&(made = Tensor(values))), site_(where) {}
  template <Number T>
  Located(std::initializer_list<std::initializer_list<std::initializer_list<T>>> values,
          std::source_location where = std::source_location::current(), Tensor&& made = Tensor())
      : tensor_(&(made = Tensor(values))), site_(where) {}
  Located(const Located&) = delete;
  Located& operator=(const Located&) = delete;

  const Tensor& tensor() const noexcept { return *tensor_; }
  operator const Tensor&() const noexcept { return *tensor_; }
  const detail::CallSite& site() const noexcept { return site_; }

  // What functions ask of a tensor.
  bool defined() const noexcept { return tensor_->defined(); }
  const Shape& shape() const { return tensor_->shape(); }
  std::int64_t shape(std::int64_t axis) const { return tensor_->shape(axis); }
  std::size_t dim() const { return tensor_->dim(); }
  std::int64_t size() const { return tensor_->size(); }
  DType dtype() const { return tensor_->dtype(); }
  template <Element T>
  const T* data() const {
    return tensor_->data<T>();
  }
  Tensor to(DType dtype, std::source_location where = std::source_location::current()) const { return tensor_->to(dtype, where); }
  Tensor detach() const { return tensor_->detach(); }

 private:
  const Tensor* tensor_;
  detail::CallSite site_;
};

/// An argument of an elementwise function: a tensor or an xtensor expression, which becomes one, or a C++ number, which takes the
/// dtype of the tensors beside it (`x * 2.5` stays float32 when x is; with an int64 or bool tensor a floating number gives float64).
class Operand {
 public:
  Operand(const Tensor& tensor, std::source_location where = std::source_location::current()) : tensor_(&tensor), site_(where) {}
  template <Number T>
  Operand(T value, std::source_location where = std::source_location::current())
      : dtype_(dtype_of<T>), value_(static_cast<double>(value)), integer_(whole(value)), site_(where) {}
  template <XtExpression E>
  Operand(const E& expression, std::source_location where = std::source_location::current(), Tensor&& made = Tensor())
      : tensor_(&(made = Tensor(expression))), site_(where) {}
  template <OtherXtExpression E>
  Operand(const E& elements_must_be_numbers) = delete;
  template <XtExpression E>
  Operand(const E& expression, const detail::CallSite& site, Tensor&& made = Tensor())
      : tensor_(&(made = Tensor(expression))), site_(site) {}
  Operand(const Located& located) : tensor_(&located.tensor()), site_(located.site()) {}
  /// An argument of the same call as another.
  Operand(const Tensor& tensor, const detail::CallSite& site) : tensor_(&tensor), site_(site) {}
  template <Number T>
  Operand(T value, const detail::CallSite& site)
      : dtype_(dtype_of<T>), value_(static_cast<double>(value)), integer_(whole(value)), site_(site) {}

  bool is_number() const { return tensor_ == nullptr; }
  /// The tensor, if it is one.
  const Tensor& tensor() const { return *tensor_; }
  /// The number, as double.
  double number() const { return value_; }
  DType dtype() const { return tensor_ ? tensor_->dtype() : dtype_; }
  const detail::CallSite& site() const noexcept { return site_; }
  /// To be called before anything is recorded. Throws std::logic_error naming `op` for an undefined tensor.
  void check(std::string_view op) const {
    if (tensor_ && !tensor_->defined()) [[unlikely]] detail::throw_undefined(op);
    site_.note();
  }
  /// The tensor, or a scalar tensor of the number; cast to `dtype`.
  Tensor to(DType dtype) const;

 private:
  template <Number T>
  static std::int64_t whole(T value) {
    if constexpr (std::is_integral_v<T>) return static_cast<std::int64_t>(value);
    else return 0;
  }

  const Tensor* tensor_ = nullptr;
  DType dtype_ = DType::float64;
  double value_ = 0;
  std::int64_t integer_ = 0;
  detail::CallSite site_;
};

// Definitions of the templates above. What xtensor would do by an assignment of its own takes long to compile, and is
// left to expressions that need it.

namespace detail {

template <class F>
Tensor make_leaf(Shape shape, DType dtype, const F& fill) {
  void* values = nullptr;
  Tensor leaf = make_leaf(std::move(shape), dtype, values);
  fill(values);
  return leaf;
}

[[noreturn]] void throw_ragged_list();

/// Writes the numbers of nested lists one after another to `out`, checking the lengths of the lists.
template <class Out, Number T>
void write_lists(Out*& out, const std::int64_t*, T value) {
  *out++ = static_cast<Out>(value);
}
template <class Out, class List>
void write_lists(Out*& out, const std::int64_t* extents, std::initializer_list<List> lists) {
  if (static_cast<std::int64_t>(lists.size()) != *extents) throw_ragged_list();
  for (const List& list : lists) write_lists(out, extents + 1, list);
}

template <Number T>
void measure_lists(std::int64_t*, T) {}
template <class List>
void measure_lists(std::int64_t* extents, std::initializer_list<List> lists) {
  *extents = static_cast<std::int64_t>(lists.size());
  if (lists.size() > 0) measure_lists(extents + 1, *lists.begin());
}

template <class E, class T>
concept RowMajorContainer = std::is_base_of_v<xt::xcontainer<E>, E> && E::static_layout == xt::layout_type::row_major &&
                            requires(const E& e) { { e.data() } -> std::convertible_to<const T*>; };

}  // namespace detail

template <class T, class List>
Tensor Tensor::from_lists(std::size_t depth, const List& lists) {
  Shape shape(depth, 0);
  detail::measure_lists(shape.data(), lists);
  return detail::make_leaf(shape, dtype_of<T>, [&](void* values) {
    auto* out = static_cast<element_t<T>*>(values);
    detail::write_lists(out, shape.data(), lists);
  });
}

template <XtExpression E>
Tensor::Tensor(const E& expression) {
  using T = element_t<typename E::value_type>;
  Shape shape(expression.dimension());
  for (std::size_t i = 0; i < shape.size(); ++i) shape[i] = static_cast<std::int64_t>(expression.shape()[i]);
  if constexpr (detail::RowMajorContainer<E, T>) {
    *this = detail::make_leaf_copy(std::move(shape), dtype_of<T>, expression.data());
  } else {
    *this = detail::make_leaf(shape, dtype_of<T>, [&](void* values) {
      const std::vector<std::size_t> extents(shape.begin(), shape.end());
      auto target = xt::adapt<xt::layout_type::row_major>(static_cast<T*>(values), static_cast<std::size_t>(size_of(shape)),
                                                          xt::no_ownership(), extents);
      if constexpr (std::is_same_v<T, typename E::value_type>) xt::noalias(target) = expression;
      else xt::noalias(target) = xt::cast<T>(expression);
    });
  }
}

}  // namespace xgrad
