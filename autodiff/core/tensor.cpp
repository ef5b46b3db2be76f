#include <autodiff/core/evaluator.hpp>
#include <autodiff/core/tape.hpp>
#include <autodiff/core/tensor.hpp>
#include <autodiff/core/trace_state.hpp>
#include <cstring>
#include <stdexcept>

namespace xgrad {
namespace detail {
namespace {

Ref<Node> leaf_node(const Shape& shape, DType dtype, Value value) {
  Ref<Node> node(new Node);
  node->shape = shape;
  node->dtype = dtype;
  node->value = std::move(value);
  node->evaluated = true;
  Capturing::note_constant(node.get());
  return node;
}

/// Gives a leaf a new value: recordings from now on refer to a node of their own, those before keep what they have.
void renew(Node& leaf, Value value) {
  Ref<Node> current = leaf_node(leaf.shape, leaf.dtype, std::move(value));
  current->requires_grad = leaf.requires_grad;
  if (leaf.requires_grad) current->leaf = leaf.leaf;
  leaf.current = std::move(current);
}

Node& leaf_of(std::string_view op, const Tensor& tensor) {
  check_defined(op, tensor);
  Node& node = *tensor.node();
  if (!tensor.is_leaf())
    throw detail::located<std::logic_error>(std::string(op) + ": the tensor of shape " + to_string(node.shape) + " is the result of '" +
                           std::string(node.op ? node.op->name() : "an op") + "'; only leaves can be changed, take detach() of it");
  evaluate(&node);
  return node;
}

Value contiguous_value_of(const Tensor& tensor) {
  Node* node = resolve(tensor.node());
  Tracing::note_read();
  evaluate(node);
  return contiguous_value(*node);
}

void assign_value(std::string_view op, Tensor& leaf, const Tensor& value, bool keep_dtype) {
  Capturing::refuse(op);
  Node& node = leaf_of(op, leaf);
  check_defined(op, value);
  if (value.shape() != node.shape)
    throw detail::located<std::invalid_argument>(std::string(op) + ": a value of shape " + to_string(value.shape()) + " for a leaf of shape " +
                                to_string(node.shape));
  NoGrad guard;
  const DType dtype = keep_dtype ? node.dtype : value.dtype();
  if (node.requires_grad && !is_floating(dtype))
    throw detail::located<std::invalid_argument>(std::string(op) + ": a leaf that requires gradients cannot become " + std::string(name_of(dtype)));
  Value next = contiguous_value_of(value.to(dtype));
  node.dtype = dtype;
  renew(node, std::move(next));
}

}  // namespace

Tensor make_leaf(const Shape& shape, DType dtype, Value value) { return Tensor(leaf_node(shape, dtype, std::move(value))); }

Tensor make_leaf(Shape shape, DType dtype, void*& values) {
  check_shape("Tensor", shape);
  Value value{Buffer::allocate(static_cast<std::size_t>(size_of(shape)) * size_of(dtype)), 0, contiguous_strides(shape), true};
  values = value.buffer->data();
  return Tensor(leaf_node(shape, dtype, std::move(value)));
}

Tensor make_leaf_copy(Shape shape, DType dtype, const void* values) {
  const std::size_t bytes = static_cast<std::size_t>(size_of(shape)) * size_of(dtype);
  return make_leaf(std::move(shape), dtype, [&](void* target) {
    if (bytes > 0) std::memcpy(target, values, bytes);
  });
}

void replace_value(Tensor& tensor, Value value) {
  Node& node = *tensor.node();
  if (!value.contiguous) value = contiguous_value(*leaf_node(node.shape, node.dtype, std::move(value)));
  if (node.current && node.current->references() > 1) renew(node, std::move(value));
  else if (node.current) node.current->value = std::move(value);
  else if (node.references() > 1) tensor = make_leaf(node.shape, node.dtype, std::move(value));
  else node.value = std::move(value);
}

void assign_as(Tensor& leaf, const Tensor& value) { assign_value("assign", leaf, value, false); }

void throw_ragged_list() { throw detail::located<std::invalid_argument>("Tensor: nested lists must have equal lengths"); }

}  // namespace detail

std::int64_t Tensor::shape(std::int64_t axis) const {
  const Shape& extents = shape();
  return extents[static_cast<std::size_t>(normalize_axis("shape", axis, extents))];
}

bool Tensor::is_leaf() const {
  detail::check_defined("is_leaf", *this);
  return !node_->requires_grad || (!node()->op && !node()->released);
}

const void* Tensor::data(DType dtype, std::string_view op) const {
  detail::check_defined(op, *this);
  if (dtype != node_->dtype)
    throw detail::located<std::invalid_argument>(std::string(op) + ": the tensor of shape " + to_string(node_->shape) + " is " +
                                std::string(name_of(node_->dtype)) + ", not " + std::string(name_of(dtype)) +
                                "; convert it with to(DType::" + std::string(name_of(dtype)) + (dtype == DType::bool_ ? "_)" : ")"));
  const detail::Value value = detail::contiguous_value_of(*this);
  return static_cast<std::byte*>(value.buffer->data()) + value.offset * static_cast<std::int64_t>(size_of(dtype));
}

std::shared_ptr<const void> Tensor::keep() const {
  // Evaluates first, for callers ask for this and the values in no particular order.
  return {nullptr, [buffer = detail::contiguous_value_of(*this).buffer](const void*) {}};
}

double Tensor::item_double() const {
  detail::check_defined("item", *this);
  if (size() != 1)
    throw detail::located<std::invalid_argument>("item: the tensor of shape " + to_string(shape()) + " has not one element");
  return dispatch(dtype(), [&](auto type) { return static_cast<double>(*data<decltype(type)>()); });
}

std::int64_t Tensor::item_int() const {
  detail::check_defined("item", *this);
  if (size() != 1 || is_floating(dtype())) return to_int64(item_double());
  return dtype() == DType::bool_ ? std::int64_t{*data<bool>()} : *data<std::int64_t>();
}

const Tensor& Tensor::evaluate() const {
  detail::check_defined("evaluate", *this);
  detail::evaluate(detail::resolve(node()));
  return *this;
}

Tensor& Tensor::set_requires_grad(bool requires_grad) {
  detail::Capturing::refuse("set_requires_grad");
  detail::Node& node = detail::leaf_of("set_requires_grad", *this);
  if (requires_grad == node.requires_grad) return *this;
  if (requires_grad && !is_floating(node.dtype))
    throw detail::located<std::invalid_argument>("set_requires_grad: the tensor is " + std::string(name_of(node.dtype)) +
                                "; only float32 and float64 carry gradients, convert it with to(DType::float32)");
  if (!node.leaf) node.leaf = detail::Ref<detail::Leaf>(new detail::Leaf);
  node.requires_grad = requires_grad;
  const bool unused = !node.current && node.references() == 1;
  detail::renew(node, detail::contiguous_value(*detail::resolve(&node)));
  if (unused) node.value = {};  // nothing recorded needs it
  return *this;
}

Tensor Tensor::grad() const {
  detail::check_defined("grad", *this);
  return node()->leaf ? node()->leaf->gradient() : Tensor();
}

void Tensor::set_grad(Tensor gradient) {
  detail::check_defined("set_grad", *this);
  detail::Capturing::refuse("set_grad");
  if (!node()->leaf || !node_->requires_grad)
    throw detail::located<std::logic_error>("set_grad: the tensor of shape " + to_string(node_->shape) + " is no leaf that requires gradients");
  if (gradient.defined() && gradient.shape() != node_->shape)
    throw detail::located<std::invalid_argument>("set_grad: a gradient of shape " + to_string(gradient.shape()) + " for a leaf of shape " +
                                to_string(node_->shape));
  node()->leaf->set_gradient(gradient.defined() ? gradient.to(node_->dtype).detach() : Tensor());
}

void Tensor::zero_grad() {
  detail::check_defined("zero_grad", *this);
  detail::Capturing::refuse("zero_grad");
  if (node()->leaf) node()->leaf->set_gradient({});
}

void Tensor::assign(const Tensor& value) { detail::assign_value("assign", *this, value, true); }

}  // namespace xgrad
