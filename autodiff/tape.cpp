#include <autodiff/evaluate/evaluate.hpp>
#include <autodiff/tape.hpp>
#include <cmath>
#include <stdexcept>
#include <vector>

namespace xgrad {
namespace detail {
namespace {

// Enough to group over, little enough that a loop that never reads stays small.
constexpr std::uint64_t pending_limit = 4096;
constexpr std::uint64_t pending_bytes_limit = std::uint64_t{256} << 20;

// Enough for the replay of a long recording to become one plan, little enough that a million nodes go in parts.
constexpr std::uint64_t replay_limit = 1 << 16;

/// How far this thread has recorded.
struct Progress {
  std::uint64_t sequence = 0, bytes = 0;
};
thread_local Progress progress;
thread_local bool gradients = true;

}  // namespace

Inputs::Inputs(std::span<const Tensor> inputs) : size_(inputs.size()) {
  if (size_ > std::size(few_)) many_ = std::make_unique<Tensor[]>(size_);
  std::copy(inputs.begin(), inputs.end(), span().begin());
}

Inputs::Inputs(std::span<Tensor> moved) : size_(moved.size()) {
  if (size_ > std::size(few_)) many_ = std::make_unique<Tensor[]>(size_);
  std::move(moved.begin(), moved.end(), span().begin());
}

void Inputs::clear() {
  for (Tensor& input : few_) input = Tensor();
  many_.reset();
  size_ = 0;
}

namespace {

// AddressSanitizer is to see every node.
#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t most_kept = 0;
#else
constexpr std::size_t most_kept = 1 << 16;
#endif

/// Memory of this thread's dead nodes, strung together through their first word.
struct Link {
  Link* next;
};
thread_local Link* dead_nodes = nullptr;
thread_local std::size_t dead_count = 0;
thread_local bool ending = false;  // tensors in static storage die after the guard

struct Guard {
  ~Guard() {
    ending = true;
    while (Link* link = dead_nodes) {
      dead_nodes = link->next;
      ::operator delete(link);
    }
  }
};

}  // namespace

void* Node::operator new(std::size_t bytes) {
  Link* link = dead_nodes;
  if (!link) return ::operator new(bytes);
  dead_nodes = link->next;
  --dead_count;
  return link;
}

void Node::operator delete(void* memory) noexcept {
  if (ending || dead_count >= most_kept) {
    ::operator delete(memory);
    return;
  }
  thread_local Guard guard;
  dead_nodes = new (memory) Link{dead_nodes};
  ++dead_count;
}

template <>
void Ref<Node>::reset() noexcept {
  if (Node* node = std::exchange(object_, nullptr); node && node->release()) Node::dispose(node);
}

void Node::dispose(Node* node) {
  // A node that dies within another's death waits its turn: no recursion, however long the chain.
  thread_local Node* dying = nullptr;
  thread_local bool busy = false;
  node->next_dying = std::exchange(dying, node);
  if (busy) return;
  busy = true;
  while (dying) {
    Node* next = std::exchange(dying, dying->next_dying);
    delete next;
  }
  busy = false;
}

Node::~Node() {
  if (Buffer* buffer = packed.load(std::memory_order_relaxed); buffer && buffer->release()) Buffer::dispose(buffer);
}

Array Node::array() const {
  return {value.buffer ? static_cast<std::byte*>(value.buffer->data()) + value.offset * static_cast<std::int64_t>(size_of(dtype))
                       : nullptr,
          dtype, &shape, &value.strides, value.contiguous, size_of(shape)};
}

namespace {

Tensor enter(Ref<Node> node) {
  const DType dtype = node->dtype;
  Progress& now = progress;
  bool requires_grad = false;
  std::uint64_t latest = now.sequence, oldest = ~std::uint64_t{0}, oldest_bytes = now.bytes;
  for (Tensor& input : node->inputs.span()) {
    if (input.node()->current) input = Tensor(input.node()->current);
    const Node& from = *input.node();
    requires_grad = requires_grad || from.requires_grad;
    latest = std::max(latest, from.sequence);
    if (!from.evaluated && from.oldest < oldest) {
      oldest = from.oldest;
      oldest_bytes = from.oldest_bytes;
    }
  }
  node->requires_grad = requires_grad && gradients && is_floating(dtype);
  node->sequence = now.sequence = latest + 1;  // later than its inputs, whichever thread recorded them
  const Node& first = *node->inputs.span()[0].node();
  if (!node->requires_grad && first.evaluated && node->op->kind() == Op::Kind::view && !Tracing::active()) {
    Value value;
    value.buffer = first.value.buffer;
    if (static_cast<const ViewOp&>(*node->op).view(first.shape, first.value, node->shape, value)) {
      value.contiguous = is_contiguous(node->shape, value.strides);
      node->value = std::move(value);
      node->evaluated = true;
      forget(*node);
      return Tensor(std::move(node));
    }
  }
  node->oldest = std::min(oldest, node->sequence);
  node->oldest_bytes = oldest_bytes;
  now.bytes += static_cast<std::uint64_t>(size_of(node->shape)) * size_of(dtype);
  const bool replayed = Tracing::active();
  if (node->sequence - node->oldest >= (replayed ? replay_limit : pending_limit) ||
      (!replayed && now.bytes - node->oldest_bytes > pending_bytes_limit))
    evaluate(node.get());
  return Tensor(std::move(node));
}

}  // namespace

Tensor record(std::shared_ptr<const Op> op, std::span<const Tensor> inputs, Shape shape, DType dtype) {
  return enter(Ref<Node>(new Node(std::move(op), inputs, std::move(shape), dtype)));
}
Tensor record_moved(std::shared_ptr<const Op> op, std::span<Tensor> inputs, Shape shape, DType dtype) {
  return enter(Ref<Node>(new Node(std::move(op), inputs, std::move(shape), dtype)));
}

Known known(const Node& node) {
  if (!node.evaluated || node.requires_grad || node.op || node.leaf || !is_floating(node.dtype) || size_of(node.shape) != 1 ||
      !node.value.buffer)
    return Known::nothing;
  const Array value = node.array();
  const double number = node.dtype == DType::float32 ? static_cast<double>(*value.as<float>()) : *value.as<double>();
  return number == 1 ? Known::one : std::isfinite(number) && number != 0 ? Known::finite : Known::nothing;
}

void check_defined(std::string_view op, const Tensor& tensor) {
  if (!tensor.defined()) throw std::logic_error(std::string(op) + ": the tensor is undefined; give it a value first");
}

}  // namespace detail

bool grad_enabled() noexcept { return detail::gradients; }

GradMode::GradMode(bool enabled) noexcept : before_(detail::gradients) { detail::gradients = enabled; }
GradMode::~GradMode() { detail::gradients = before_; }

}  // namespace xgrad
