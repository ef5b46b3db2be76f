#include <autodiff/core/anomaly_watch.hpp>
#include <autodiff/core/evaluator.hpp>
#include <autodiff/core/trace_state.hpp>
#include <autodiff/core/tape.hpp>
#include <cmath>
#include <limits>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <typeinfo>
#include <utility>

namespace xgrad {
namespace detail {
namespace {

// Enough to group over, little enough that a loop that never reads stays small.
constexpr std::uint64_t pending_limit = 4096;
constexpr std::uint64_t pending_bytes_limit = std::uint64_t{256} << 20;

// Tracked nodes stay in any case, and are best computed with their gradients. But what has got too long for that goes on in parts that
// stay in the cache.
constexpr std::uint64_t tracked_limit = longest_planned, goes_on_within = 64;

// AddressSanitizer is to see every node.
#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t most_kept = 0;
#else
constexpr std::size_t most_kept = 1 << 15;
#endif

/// Memory of a dead node, strung together through its first word.
struct Link {
  Link* next;
};

/// What a thread keeps for its recordings; in one place, which is found once.
struct Recorder {
  std::uint16_t number = 0;    // of the thread, once it has recorded something
  bool gradients = true;
  bool watched = false, lost_gradients = false;  // see RecordingWatch
  std::uint64_t structure = 0;                   // likewise
  bool disposing = false;
  bool ending = false;         // tensors in static storage die after the guard
  std::uint64_t sequence = 0;  // the largest met so far
  std::uint64_t bytes = 0;     // of all values recorded
  std::uint64_t cut = ~std::uint64_t{0} / 2;  // the sequence number at which a tracked recording was last computed for its length
  Node* dying = nullptr;       // nodes that died within another's death
  Link* dead_nodes = nullptr;
  std::size_t dead_count = 0;
};
constinit thread_local Recorder recorder;

struct Guard {
  ~Guard() {
    recorder.ending = true;
    while (Link* link = recorder.dead_nodes) {
      recorder.dead_nodes = link->next;
      ::operator delete(link);
    }
  }
};

/// The locks of threads by their numbers, and which numbers no living thread has. Never destroyed, as tensors may outlive all else.
struct Recorders {
  std::mutex mutex;
  std::vector<std::unique_ptr<std::recursive_mutex>> locks;
  std::vector<std::uint16_t> unused;
};
Recorders& recorders() {
  static Recorders& instance = *new Recorders;
  return instance;
}

/// Gives a thread a number for as long as it lives. What it recorded keeps it: the next one with this number takes the same lock.
struct Numbering {
  Numbering() {
    Recorders& all = recorders();
    const std::lock_guard lock(all.mutex);
    if (!all.unused.empty()) {
      recorder.number = all.unused.back();
      all.unused.pop_back();
      return;
    }
    if (all.locks.size() == std::numeric_limits<std::uint16_t>::max()) throw std::runtime_error("record: more than 65535 threads record at once");
    all.locks.push_back(std::make_unique<std::recursive_mutex>());
    recorder.number = static_cast<std::uint16_t>(all.locks.size());
  }
  ~Numbering() {
    Recorders& all = recorders();
    const std::lock_guard lock(all.mutex);
    all.unused.push_back(recorder.number);
  }
};

std::uint16_t numbered(Recorder& mine) {
  if (mine.number == 0) [[unlikely]] {
    thread_local Numbering numbering;
  }
  return mine.number;
}

}  // namespace

std::recursive_mutex& recorder_lock(std::uint16_t number) {
  Recorders& all = recorders();
  const std::lock_guard lock(all.mutex);
  return *all.locks[number - 1u];
}

RecordingWatch::RecordingWatch() noexcept
    : before_(recorder.watched), lost_before_(recorder.lost_gradients), structure_before_(std::exchange(recorder.structure, 0)) {
  recorder.watched = true;
  recorder.lost_gradients = false;
}
RecordingWatch::~RecordingWatch() {
  recorder.watched = before_;
  recorder.lost_gradients = lost_before_;
  recorder.structure = structure_before_;
}
bool RecordingWatch::active() noexcept { return recorder.watched; }
void RecordingWatch::note_number(double number) noexcept {
  if (recorder.watched) add_to_hash(recorder.structure, number);
}
std::uint64_t RecordingWatch::structure() const noexcept { return recorder.structure; }
bool RecordingWatch::lost_gradients() const noexcept { return recorder.lost_gradients; }

std::uint16_t this_recorder() noexcept { return recorder.number; }

std::span<Tensor> Inputs::resize(std::size_t count) {
  if (count > std::size(few_)) many_ = std::make_unique<Tensor[]>(count);
  size_ = static_cast<std::uint32_t>(count);
  return span();
}

void Inputs::clear() {
  for (Tensor& input : few_) input = Tensor();
  many_.reset();
  size_ = 0;
}

void* Node::operator new(std::size_t bytes) {
  Recorder& mine = detail::recorder;
  Link* link = mine.dead_nodes;
  if (!link) return ::operator new(bytes);
  mine.dead_nodes = link->next;
  --mine.dead_count;
  return link;
}

void Node::operator delete(void* memory) noexcept {
  Recorder& mine = detail::recorder;
  if (mine.ending || mine.dead_count >= most_kept) {
    ::operator delete(memory);
    return;
  }
  if (!mine.dead_nodes) thread_local Guard guard;
  mine.dead_nodes = new (memory) Link{mine.dead_nodes};
  ++mine.dead_count;
}

void NodeHead::dispose(NodeHead* head) noexcept {
  Node* node = static_cast<Node*>(head);
  Recorder& mine = detail::recorder;
  // A node that dies within another's death waits: no recursion, however long the chain.
  if (mine.disposing) {
    node->after = std::exchange(mine.dying, node);
    return;
  }
  mine.disposing = true;
  while (node) {
    delete node;
    node = mine.dying;
    if (node) mine.dying = node->after;
  }
  mine.disposing = false;
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

/// Drops gradients on purpose.
bool is_detach(const Op& op) { return op.name() == "detach"; }

/// Takes note of a node for a RecordingWatch.
void watch(Recorder& mine, const Node& node, bool has_tracked_input) {
  mine.lost_gradients = mine.lost_gradients || (has_tracked_input && !mine.gradients && is_floating(node.dtype) && !is_detach(*node.op));
  if (node.op->kind() == Op::Kind::view) return;  // views of values are not recorded where nothing is tracked
  add_to_hash(mine.structure, typeid(*node.op).hash_code());
  add_to_hash(mine.structure, node.dtype);
  add_to_hash(mine.structure, node.shape);
}

/// Fills in the rest of a node from its inputs, which are there.
Tensor finish(Ref<Node> made, std::shared_ptr<const Op>&& op, Shape&& shape, DType dtype) {
  Node& node = *made;
  if (!is_valid(shape)) [[unlikely]] refuse_shape(op->name(), shape);
  Recorder& mine = recorder;
  node.recorder = numbered(mine);
  bool requires_grad = false;
  std::uint64_t sequence = mine.sequence, oldest = ~std::uint64_t{0}, oldest_bytes = mine.bytes;
  for (const Tensor& input : std::as_const(node.inputs).span()) {
    Node& from = *input.node();
    if (from.recorder != node.recorder && !from.evaluated) [[unlikely]] evaluate_recorded_elsewhere(from);
    requires_grad = requires_grad || from.requires_grad;
    sequence = std::max(sequence, from.sequence);  // it may come from another thread
    if (from.evaluated || from.oldest >= oldest) continue;
    oldest = from.oldest;
    oldest_bytes = from.oldest_bytes;
  }
  node.op = std::move(op);
  node.shape = std::move(shape);
  node.dtype = dtype;
  node.sequence = mine.sequence = sequence + 1;
  node.requires_grad = requires_grad && mine.gradients && is_floating(dtype);
  node.oldest = std::min(oldest, node.sequence);
  node.oldest_bytes = oldest_bytes;
  mine.bytes += static_cast<std::uint64_t>(size_of(node.shape)) * size_of(dtype);
  const std::uint64_t traced = Tracing::limit();
  const bool whole = node.requires_grad && node.oldest - mine.cut > goes_on_within;
  if (node.sequence - node.oldest >= (traced != 0 ? traced : whole ? tracked_limit : pending_limit) ||
      (traced == 0 && mine.bytes - node.oldest_bytes > pending_bytes_limit)) [[unlikely]] {
    if (traced == 0 && node.requires_grad) mine.cut = node.sequence;
    evaluate(&node);
  }
  if (mine.watched) [[unlikely]] watch(mine, node, requires_grad);
  if (anomaly_mode()) [[unlikely]] check_recorded(node);
  return Tensor(std::move(made));
}

Ref<Node> new_node() {
  Node* node = new Node;
  node->acquire_first();
  return Ref<Node>::adopt(node);
}

}  // namespace

Tensor record(std::shared_ptr<const Op> op, std::span<const Tensor> inputs, Shape shape, DType dtype) {
  Ref<Node> node = new_node();
  Tensor* target = node->inputs.resize(inputs.size()).data();
  for (const Tensor& input : inputs) {
    if (input.node()->current) Capturing::note_leaf(input.node());
    *target++ = Tensor(Ref<Node>(resolve(input.node())));
  }
  return finish(std::move(node), std::move(op), std::move(shape), dtype);
}

Tensor record_moved(std::shared_ptr<const Op> op, std::span<Tensor> inputs, Shape shape, DType dtype) {
  Ref<Node> node = new_node();
  Tensor* target = node->inputs.resize(inputs.size()).data();
  for (Tensor& input : inputs) {
    if (input.node()->current) {
      Capturing::note_leaf(input.node());
      input = Tensor(input.node()->current);
    }
    *target++ = std::move(input);
  }
  return finish(std::move(node), std::move(op), std::move(shape), dtype);
}

Tensor record_view(std::shared_ptr<const Op> op, const Tensor& x, Shape shape) {
  Node& from = *resolve(x.node());
  if (from.recorder != recorder.number && !from.evaluated) [[unlikely]] evaluate_recorded_elsewhere(from);
  if (recorder.watched && from.requires_grad && !recorder.gradients && !is_detach(*op)) [[unlikely]] recorder.lost_gradients = true;
  if (from.evaluated && !(from.requires_grad && recorder.gradients) && !Tracing::active()) {
    Value value;
    if (static_cast<const ViewOp&>(*op).view(from.shape, from.value, shape, value)) {
      value.buffer = from.value.buffer;
      value.contiguous = is_contiguous(shape, value.strides);
      Ref<Node> node = new_node();
      node->shape = std::move(shape);
      node->dtype = from.dtype;
      node->value = std::move(value);
      node->evaluated = true;
      return Tensor(std::move(node));
    }
  }
  return record(std::move(op), std::span(&x, 1), std::move(shape), from.dtype);
}

void bound_interned(InternedOps& ops) {
  constexpr std::size_t most = 1 << 14;  // some megabytes
  if (ops.size() < most) return;
  std::erase_if(ops, [](const auto& entry) { return entry.second.use_count() == 1; });
  if (ops.size() > most / 2) ops.clear();
}

void sort_by_sequence(std::vector<Node*>& nodes) {
  const auto before = [](const Node* a, const Node* b) { return a->sequence < b->sequence; };
  if (std::is_sorted(nodes.begin(), nodes.end(), before)) return;
  const auto begin = std::partition(nodes.begin(), nodes.end(), [](const Node* node) { return node->sequence == 0; });  // leaves
  const auto [first, last] = std::minmax_element(begin, nodes.end(), before);
  const std::uint64_t lowest = (*first)->sequence, range = (*last)->sequence - lowest + 1;
  const auto count = static_cast<std::uint64_t>(nodes.end() - begin);
  if (range <= 4 * count) {
    std::vector<Node*> places(range, nullptr);
    std::uint64_t taken = 0;
    for (auto at = begin; at != nodes.end(); ++at) taken += std::exchange(places[(*at)->sequence - lowest], *at) == nullptr;
    if (taken == count) {  // else some are of several threads
      std::copy_if(places.begin(), places.end(), begin, [](const Node* node) { return node != nullptr; });
      return;
    }
  }
  std::sort(begin, nodes.end(), before);
}

Known known(const Node& recorded) {
  const Node* from = &recorded;  // a view shows what its input has
  while (!from->evaluated && from->op && from->op->kind() == Op::Kind::view) from = from->inputs.span()[0].node();
  const Node& node = *from;
  if (!node.evaluated || node.requires_grad || node.op || node.leaf || !is_floating(node.dtype) || size_of(node.shape) != 1 ||
      !node.value.buffer)
    return Known::nothing;
  Capturing::note_number(&node);
  const Array value = node.array();
  const double number = node.dtype == DType::float32 ? static_cast<double>(*value.as<float>()) : *value.as<double>();
  return number == 1 ? Known::one : std::isfinite(number) && number != 0 ? Known::finite : Known::nothing;
}

void throw_undefined(std::string_view op) {
  throw located<std::logic_error>(
      std::string(op) +
      ": the tensor is undefined; give it a value first. A grad() is undefined before a backward() that reaches the leaf, and for a tensor that "
      "is no leaf: w = w - g makes w the result of an op, where w.assign(w - g) or an optimiser changes the leaf");
}

}  // namespace detail

bool grad_enabled() noexcept { return detail::recorder.gradients; }

GradMode::GradMode(bool enabled) noexcept : before_(detail::recorder.gradients), watched_before_(detail::recorder.watched) {
  detail::recorder.gradients = enabled;
  detail::recorder.watched = false;
}
GradMode::~GradMode() {
  detail::recorder.gradients = before_;
  detail::recorder.watched = watched_before_;
}

}  // namespace xgrad
