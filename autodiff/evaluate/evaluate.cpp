#include <algorithm>
#include <autodiff/core/per_thread.hpp>
#include <autodiff/evaluate/plan_cache.hpp>
#include <autodiff/evaluate/executable.hpp>
#include <autodiff/core/evaluator.hpp>
#include <autodiff/core/trace_state.hpp>
#include <autodiff/kernels/tiles.hpp>
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

/// What evaluating takes, kept from one time to the next; of a thread.
struct Workspace {
  GraphSnapshot capture;
  std::vector<Value> results;
  StructureCache<Executable> graphs;
  bool busy = false;
};

Workspace& shared_workspace() {
  return per_thread<Workspace>();
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

  GraphSnapshot& capture = work.capture;
  capture.collect(roots);
  const std::uint64_t hash = capture.hash();
  std::shared_ptr<const Executable> graph = work.graphs.find(hash, capture.key);
  if (!graph) {
    graph = std::make_shared<const Executable>(capture);
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
