#include <algorithm>
#include <autodiff/evaluate/cache.hpp>
#include <autodiff/evaluate/compiled.hpp>
#include <autodiff/evaluate/evaluate.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace xgrad {
namespace detail {
namespace {

Value packed_value(const Node& node) {
  Value value = fresh_value(node);
  copy_contiguous(node.array(), value.buffer->data());
  return value;
}

thread_local Tracing* tracing = nullptr;
thread_local Capturing* capturing = nullptr;

constexpr std::uint64_t unlimited = ~std::uint64_t{0}, part_of_long = 1 << 12;

/// What evaluating takes, kept from one time to the next; of a thread.
struct Workspace {
  Capture capture;
  std::vector<Value> results;
  StructureCache<CompiledGraph> graphs;
  bool busy = false;
};

Workspace& shared_workspace() {
  thread_local Workspace workspace;
  return workspace;
}

/// The lock of a thread; that of the calling one is looked up once.
std::recursive_mutex& lock_of(std::uint16_t recorder) {
  thread_local std::recursive_mutex* mine = nullptr;
  if (recorder != this_recorder()) return recorder_lock(recorder);
  if (!mine) mine = &recorder_lock(recorder);
  return *mine;
}

}  // namespace

void forget(Node& node) {
  node.op.reset();
  node.inputs.clear();
}

Value fresh_value(const Node& node) {
  return {Buffer::allocate(static_cast<std::size_t>(size_of(node.shape)) * size_of(node.dtype)), 0, contiguous_strides(node.shape),
          true};
}

std::uint64_t Tracing::current() noexcept { return tracing ? tracing->number_ : 0; }
void Tracing::note_read() {
  if (capturing && capturing->strict_)
    throw std::logic_error(std::string(capturing->name_) +
                           ": the function reads a value or draws random numbers while it is captured, which would stay as they are; pass "
                           "them as arguments, and choose by value with where()");
  for (Tracing* at = tracing; at; at = at->before_) at->read = true;
}
std::uint64_t Tracing::limit() noexcept { return tracing ? tracing->limit_ : 0; }
Tracing::Tracing(std::size_t nodes) noexcept
    : before_(std::exchange(tracing, this)), limit_(nodes > longest_planned ? part_of_long : unlimited) {
  thread_local std::uint64_t count = 0;
  number_ = ++count;
}
Tracing::~Tracing() { tracing = before_; }

Capturing::Capturing(std::string_view name, bool strict) noexcept : name_(name), strict_(strict), before_(std::exchange(capturing, this)) {}
Capturing::~Capturing() { capturing = before_; }
bool Capturing::active() noexcept { return capturing != nullptr; }
void Capturing::refuse(std::string_view op) {
  if (capturing && capturing->strict_)
    throw std::logic_error(std::string(op) + ": not within a function that " + std::string(capturing->name_) +
                           " captures; it would be done once, rather than each time it runs");
}
void Capturing::refuse_shape(std::string_view op) {
  if (capturing && capturing->strict_)
    throw located<std::logic_error>(std::string(op) + ": the shape of the result depends on values, so not within a function that " + std::string(capturing->name_) +
                                    " captures; use where() or masked_fill(), or call it before and pass the result as an argument");
}
void Capturing::note_leaf(Node* leaf) {
  if (!capturing) return;
  const auto is_it = [leaf](const LeafUse& use) { return use.value == leaf->current.get(); };
  if (std::none_of(capturing->leaves.begin(), capturing->leaves.end(), is_it))
    capturing->leaves.push_back({Tensor(Ref<Node>(leaf)), leaf->current.get()});
}
Tensor Capturing::leaf_of_value(const Node* value) {
  if (capturing)
    for (const LeafUse& use : capturing->leaves)
      if (use.value == value) return use.leaf;
  return {};
}
void Capturing::note_number(const Node* number) {
  if (capturing) capturing->numbers.emplace_back(Ref<Node>(const_cast<Node*>(number)));
}
void Capturing::note_constant(Node* leaf) {
  if (capturing) capturing->constants.emplace_back(Ref<Node>(leaf));
}
bool Capturing::strict() noexcept { return capturing != nullptr && capturing->strict_; }
void Capturing::note_checking(const Tensor& x) {
  if (capturing) capturing->checking.push_back(x);
}
bool Capturing::note_check(const Tensor& x, ValuesCheck check) {
  for (Tracing* at = tracing; at; at = at->before_) at->read = true;  // on purpose, so this is no error
  const bool result = check(resolve(x.node())->array());
  capturing->checks.push_back({x, std::move(check), result});
  return result;
}

namespace {

/// Computes what one thread recorded, under its lock.
void compute(std::span<Node* const> roots, const EvaluationObserver* observer, std::uint16_t recorder) {
  const std::lock_guard lock(lock_of(recorder));
  Workspace& shared = shared_workspace();
  const auto own = shared.busy ? std::make_unique<Workspace>() : nullptr;  // for an op that evaluates tensors while it is evaluated
  Workspace& work = own ? *own : shared;
  struct Lease {
    explicit Lease(bool& busy) : busy(busy) { busy = true; }
    ~Lease() { busy = false; }
    bool& busy;
  } lease(work.busy);

  Capture& capture = work.capture;
  capture.collect(roots);
  const std::uint64_t hash = capture.hash();
  std::shared_ptr<const CompiledGraph> graph = work.graphs.find(hash, capture.key);
  if (!graph) {
    graph = std::make_shared<const CompiledGraph>(capture);
    if (!observer) work.graphs.insert(hash, capture.key, graph);
  }
  if (observer) (*observer)(capture, graph);
  work.results.clear();
  work.results.resize(graph->results().size());
  graph->run(capture.values, capture.spare, work.results);
  for (std::size_t r = 0; r < work.results.size(); ++r) {
    Node& node = *capture.nodes[graph->results()[r]];
    node.value = std::move(work.results[r]);
  }
  work.results.clear();
  // In order: letting go of what led to one may destroy those before it. A node counts as computed once it is as it stays.
  for (const std::uint32_t result : graph->results()) {
    Node& node = *capture.nodes[result];
    if (forgets(node)) forget(node);
    node.evaluated = true;
  }
}

}  // namespace

void evaluate(std::span<Node* const> roots) { evaluate(roots, nullptr); }

void evaluate(std::span<Node* const> roots, const EvaluationObserver* observer) {
  if (std::all_of(roots.begin(), roots.end(), [](const Node* root) -> bool { return root->evaluated; }) && !observer) return;
  Tracing::note_read();
  const std::uint16_t mine = this_recorder();
  for (Node* root : roots)
    if (root->recorder != mine && !root->evaluated) [[unlikely]] evaluate_recorded_elsewhere(*root);
  if (mine == 0) return;  // a thread that has recorded nothing has nothing of its own to compute
  compute(roots, observer, mine);
}

void evaluate_recorded_elsewhere(Node& node) {
  Node* const root = &node;
  compute({&root, 1}, nullptr, node.recorder);
}

Value contiguous_value(Node& node) {
  if (node.value.contiguous) return node.value;
  Buffer* packed = node.packed.load(std::memory_order_acquire);
  if (!packed) {
    const Value value = packed_value(node);
    if (node.packed.compare_exchange_strong(packed, value.buffer.get(), std::memory_order_acq_rel)) {
      packed = value.buffer.get();
      packed->acquire();
    }
  }
  return {Ref<Buffer>(packed), 0, contiguous_strides(node.shape), true};
}

}  // namespace detail

void evaluate(std::span<const Tensor> tensors) {
  std::vector<detail::Node*> roots;
  roots.reserve(tensors.size());
  for (const Tensor& tensor : tensors) {
    detail::check_defined("evaluate", tensor);
    roots.push_back(detail::resolve(tensor.node()));
  }
  detail::evaluate(roots);
}

}  // namespace xgrad
