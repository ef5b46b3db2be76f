#include <atomic>
#include <autodiff/evaluate/evaluate.hpp>
#include <autodiff/tape.hpp>
#include <limits>
#include <stdexcept>
#include <vector>

namespace xgrad {
namespace detail {
namespace {

// Enough to group over, little enough that a loop that never reads stays small.
constexpr std::uint32_t pending_limit = 4096;
constexpr std::uint64_t pending_bytes_limit = std::uint64_t{256} << 20;

std::atomic<std::uint64_t> next_sequence{1};
thread_local bool gradients = true;

}  // namespace

void Inputs::assign(std::span<const Tensor> inputs) {
  size_ = inputs.size();
  if (size_ > std::size(few_)) many_ = std::make_unique<Tensor[]>(size_);
  std::copy(inputs.begin(), inputs.end(), span().begin());
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
  // A node that dies within another's death waits in the list: no recursion, however long the chain.
  thread_local std::vector<Node*>* dying = nullptr;
  if (dying) {
    dying->push_back(node);
    return;
  }
  std::vector<Node*> list{node};
  dying = &list;
  while (!list.empty()) {
    Node* last = list.back();
    list.pop_back();
    delete last;
  }
  dying = nullptr;
}

Node::~Node() {
  if (Buffer* buffer = packed.load(std::memory_order_relaxed); buffer && buffer->release()) Buffer::dispose(buffer);
}

Array Node::array() const {
  return {value.buffer ? static_cast<std::byte*>(value.buffer->data()) + value.offset * static_cast<std::int64_t>(size_of(dtype))
                       : nullptr,
          dtype, &shape, &value.strides, value.contiguous, size_of(shape)};
}

Tensor record(std::shared_ptr<const Op> op, std::span<const Tensor> inputs, Shape shape, DType dtype) {
  Ref<Node> node(new Node);
  node->op = std::move(op);
  node->inputs.assign(inputs);
  node->shape = std::move(shape);
  node->dtype = dtype;
  node->sequence = next_sequence.fetch_add(1, std::memory_order_relaxed);

  bool requires_grad = false;
  std::uint64_t pending = 1;
  std::uint64_t bytes = static_cast<std::uint64_t>(size_of(node->shape)) * size_of(dtype);
  for (Tensor& input : node->inputs.span()) {
    if (input.node()->current) input = Tensor(input.node()->current);
    const Node& from = *input.node();
    requires_grad = requires_grad || from.requires_grad;
    if (!from.evaluated) {
      pending += from.pending;
      bytes += from.pending_bytes;
    }
  }
  node->requires_grad = requires_grad && gradients && is_floating(dtype);
  if (!node->requires_grad && node->op->kind() == Op::Kind::view && node->inputs.span()[0].node()->evaluated &&
      !Tracing::active()) {
    const Node& from = *node->inputs.span()[0].node();
    Value value;
    value.buffer = from.value.buffer;
    if (static_cast<const ViewOp&>(*node->op).view(from.shape, from.value, node->shape, value)) {
      value.contiguous = is_contiguous(node->shape, value.strides);
      node->value = std::move(value);
      node->evaluated = true;
      forget(*node);
      return Tensor(std::move(node));
    }
  }
  node->pending = static_cast<std::uint32_t>(std::min<std::uint64_t>(pending, std::numeric_limits<std::uint32_t>::max()));
  node->pending_bytes = bytes;
  if (pending > pending_limit || bytes > pending_bytes_limit) evaluate(node.get());
  return Tensor(std::move(node));
}

void check_defined(std::string_view op, const Tensor& tensor) {
  if (!tensor.defined()) throw std::logic_error(std::string(op) + ": the tensor is undefined; give it a value first");
}

}  // namespace detail

bool grad_enabled() noexcept { return detail::gradients; }

GradMode::GradMode(bool enabled) noexcept : before_(detail::gradients) { detail::gradients = enabled; }
GradMode::~GradMode() { detail::gradients = before_; }

}  // namespace xgrad
