#include <algorithm>
#include <autodiff/gradient/backward.hpp>
#include <autodiff/core/evaluator.hpp>
#include <autodiff/core/trace_state.hpp>
#include <autodiff/gradient/gradient_cache.hpp>
#include <autodiff/ops/create.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/gradient/segments.hpp>
#include <autodiff/gradient/replay.hpp>
#include <stdexcept>
#include <unordered_map>
#include <unordered_set>

namespace xgrad {
namespace {

using detail::GraphSnapshot;
using detail::CaptureRef;
using detail::Executable;
using detail::GradientLease;
using detail::GradientPlan;
using detail::GradientWorkspace;
using detail::Node;
using detail::Replay;

/// Adds to the gradient of a leaf. Passes of several threads may do so at once: none of their sums is lost.
void put_gradient(detail::Leaf& leaf, Tensor gradient) {
  NoGrad guard;
  while (true) {
    const Tensor other = leaf.exchange_if_taken(gradient);
    if (!other.defined()) return;
    gradient = add(other, gradient).evaluate();
  }
}

void check_cotangents(std::string_view name, const std::vector<Tensor>& outputs, const std::vector<Tensor>& given) {
  const std::string op(name);
  if (outputs.empty()) throw detail::located<std::invalid_argument>(op + ": there are no outputs");
  if (!given.empty() && given.size() != outputs.size())
    throw detail::located<std::invalid_argument>(op + ": " + std::to_string(given.size()) + " cotangents for " + std::to_string(outputs.size()) +
                                " outputs");
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& output = outputs[i];
    detail::check_defined(op, output);
    if (!is_floating(output.dtype()))
      throw detail::located<std::invalid_argument>(op + ": the output of shape " + to_string(output.shape()) + " is " +
                                  std::string(name_of(output.dtype())) + "; only float32 and float64 carry gradients");
    if (!given.empty() && given[i].defined()) {
      if (given[i].shape() != output.shape())
        throw detail::located<std::invalid_argument>(op + ": a cotangent of shape " + to_string(given[i].shape()) + " for an output of shape " +
                                    to_string(output.shape()));
    } else if (output.size() != 1) {
      throw detail::located<std::invalid_argument>(op + ": the output has shape " + to_string(output.shape()) +
                                  "; give a cotangent of that shape, or reduce it to one element");
    }
  }
}

/// Cotangents in their outputs' dtype; undefined ones stay for the default of 1.
std::vector<Tensor> cast_cotangents(const std::vector<Tensor>& outputs, const std::vector<Tensor>& given) {
  std::vector<Tensor> cotangents(outputs.size());
  for (std::size_t i = 0; i < given.size(); ++i)
    if (given[i].defined()) cotangents[i] = given[i].to(outputs[i].dtype());
  return cotangents;
}

/// Starts at the outputs. The support of a cotangent that is `restricted` is where it is not 0.
void seed(Replay& replay, const std::vector<Tensor>& outputs, const std::vector<Tensor>& cotangents, const detail::Flags& restricted) {
  for (std::size_t i = 0; i < outputs.size(); ++i)
    replay.seed(detail::resolve(outputs[i].node()), cotangents[i].defined() ? cotangents[i] : ones(outputs[i].shape(), outputs[i].dtype()),
                restricted[i] && cotangents[i].defined() ? detail::Support{cotangents[i] != 0} : detail::Support{});
}

bool has_zeros(const Tensor& x) {
  Node& node = *detail::resolve(x.evaluate().node());
  Shape shape;
  Strides strides;
  for (std::size_t i = 0; i < node.shape.size(); ++i)
    if (node.value.strides[i] != 0) {  // else all along the axis are one
      shape.push_back(node.shape[i]);
      strides.push_back(node.value.strides[i]);
    }
  const detail::Value value = strides == contiguous_strides(shape) ? node.value : detail::contiguous_value(node);
  const std::int64_t count = strides == contiguous_strides(shape) ? size_of(shape) : x.size();
  return dispatch_floating(x.dtype(), [&]<class T>(T) {
    const T* from = static_cast<const T*>(value.buffer->data()) + value.offset;
    constexpr std::int64_t block = 1024;  // within which no end is looked for, so that compilers use vectors
    for (std::int64_t first = 0; first < count; first += block) {
      bool found = false;
      for (std::int64_t i = first; i < std::min(first + block, count); ++i) found |= from[i] == 0;
      if (found) return true;
    }
    return false;
  });
}

/// Which of the cotangents given leave elements of their outputs out: constants do so where they are 0.
detail::Flags find_restricted(const std::vector<Tensor>& cotangents, bool sparse) {
  detail::Flags restricted(cotangents.size());
  std::transform(cotangents.begin(), cotangents.end(), restricted.begin(), [sparse](const Tensor& g) {
    return g.defined() && (sparse || (!g.requires_grad() && g.size() > 0 && (detail::Tracing::active() || has_zeros(g))));
  });
  return restricted;
}

void check_tracked(std::string_view op, const std::vector<Tensor>& outputs) {
  if (std::none_of(outputs.begin(), outputs.end(), [](const Tensor& output) { return output.requires_grad(); }))
    throw detail::located<std::logic_error>(std::string(op) + ": the output of shape " + to_string(outputs.front().shape()) +
                           " depends on nothing that requires gradients; call set_requires_grad() on a leaf before recording");
}

/// What a gradient is of. A leaf assigned to in between appears as several nodes, so it goes by what they share.
const void* identity(const Node* node) { return node->leaf ? static_cast<const void*>(node->leaf.get()) : node; }

/// Which leaves gradients are wanted for.
struct Wanted {
  bool all = true;
  std::unordered_set<const void*> leaves = {};  ///< else these
  bool operator()(const Node* node) const { return all || !node->leaf || leaves.contains(identity(node)); }
};

/// Of a recording, or of a part of it, gradients of the leaves it reads and of nodes recorded before it.
struct Gathered {
  std::vector<detail::Ref<Node>> targets;
  std::vector<Tensor> gradients;  ///< undefined where none arrived
  detail::Flags restricted;       ///< for each gradient, whether its support is other than all elements
};

/// Computes gradients that were recorded, and frees the recording unless it is retained. Where `plans`, how they are computed is kept
/// for the next recording with the key of the workspace's capture.
void finish(GradientWorkspace& work, Replay& replay, const std::vector<Tensor>& outputs, const std::vector<Tensor>& gradients,
            bool retain_graph, bool plans, std::uint64_t hash, const detail::Flags& restricted = {}) {
  std::vector<Tensor> defined;
  std::copy_if(gradients.begin(), gradients.end(), std::back_inserter(defined), [](const Tensor& g) { return g.defined(); });
  GradientPlan made;
  std::vector<std::shared_ptr<const Op>> ops;
  if (plans) ops = ops_of(work.capture);  // before they are let go of
  const detail::EvaluationObserver observer = [&](const GraphSnapshot& computed, const std::shared_ptr<const Executable>& graph) {
    made = make_plan(work.capture, gradients, computed, graph);
  };
  replay.finish(outputs, defined, retain_graph, plans ? &observer : nullptr);
  if (!made.graph) return;
  made.ops = std::move(ops);
  made.restricted = restricted;
  work.plans.insert(hash, work.capture.key, std::make_shared<const GradientPlan>(std::move(made)));
}

/// Gradients of leaves that a pass is adding to. They are taken out of the leaves, so that what other threads' passes put there meanwhile
/// is added and not overwritten; those that are not put back in the end are as they were.
class TakenGradients {
 public:
  TakenGradients() = default;
  TakenGradients(const TakenGradients&) = delete;
  TakenGradients& operator=(const TakenGradients&) = delete;
  ~TakenGradients() {
    for (Entry& entry : entries_)
      if (entry.before.defined()) put_gradient(*entry.leaf, std::move(entry.before));
  }
  /// What the leaf had; undefined if nothing. `number` is that of the leaf in the pass.
  const Tensor& take(Node* node, std::size_t number) {
    static const Tensor nothing;
    if (number < entries_.size() && entries_[number].leaf) return entries_[number].before;
    Tensor before = node->leaf->take_gradient();
    if (!before.defined()) return nothing;
    if (number >= entries_.size()) entries_.resize(number + 1);
    entries_[number] = {node->leaf, std::move(before)};
    return entries_[number].before;
  }
  void put(Node* node, std::size_t number, Tensor gradient) {
    if (number < entries_.size()) entries_[number].before = {};
    put_gradient(*node->leaf, std::move(gradient));
  }

 private:
  /// A leaf that had a gradient, and that gradient.
  struct Entry {
    detail::Ref<detail::Leaf> leaf;
    Tensor before;
  };
  std::vector<Entry> entries_;
};

/// The gradients that arrive from nodes recorded since `first`, added to what is there `before(node)`. By a plan, if the recording is
/// in the workspace's capture and there is one or `may_plan(hash)`. `before(node, number)` gets the number of the target.
template <class Before, class MayPlan>
Gathered gather(GradientWorkspace& work, const std::vector<Tensor>& outputs, const std::vector<Tensor>& cotangents,
                const detail::Flags& restricted, std::uint64_t first, bool captured, bool retain_graph, const Wanted& wanted, const Before& before, const MayPlan& may_plan) {
  GraphSnapshot& capture = work.capture;
  detail::PointerMap& known = work.known;
  known.clear();
  Gathered result;
  auto& [targets, gradients, are_restricted] = result;
  std::uint64_t hash = 0;
  std::shared_ptr<const GradientPlan> plan;
  if (captured) {
    for (std::size_t i = 0; i < capture.values.size(); ++i) {
      Node* node = capture.values[i];
      if (!node->requires_grad || (!node->leaf && node->sequence >= first)) continue;
      if (!wanted(node)) {
        capture.note(GradientPlan::none);
        continue;
      }
      const auto [number, is_new] = known.add(identity(node));
      capture.note(number);
      if (is_new) targets.emplace_back(node);
    }
    for (std::size_t i = 0; i < targets.size(); ++i) {
      const Tensor& there = before(targets[i].get(), i);
      if (there.defined()) there.evaluate();
      capture.note(there.defined() ? capture.add_value(detail::resolve(there.node())) : GradientPlan::none);
    }
    for (const bool is_restricted : restricted) capture.note(is_restricted);
    hash = capture.hash();
    plan = work.plans.find(hash, capture.key);
  }
  if (plan) {
    xt::svector<const Node*, 16> nodes;
    for (const detail::Ref<Node>& target : targets) nodes.push_back(target.get());
    gradients = run_plan(work, *plan, {nodes.data(), nodes.size()});
    are_restricted = plan->restricted;
    return result;
  }

  const bool plans = captured && may_plan(hash);
  gradients.resize(targets.size());
  are_restricted.resize(targets.size());
  Replay replay(outputs, first);
  bool fits_all = plans;
  {
    const detail::Tracing tracing(replay.size());
    // What leads to the next part is taken to lead to what is wanted there.
    const auto is_target = [&](const Node* node) { return (node->leaf || node->sequence < first) && wanted(node); };
    if (!wanted.all) replay.prune(is_target);
    seed(replay, outputs, cotangents, restricted);
    replay.run([&](Node* node, const Tensor& g, const detail::Support& support) {
      if (!is_target(node)) return;
      const auto [number, is_new] = known.add(identity(node));
      if (is_new) {
        targets.emplace_back(node);
        gradients.emplace_back();
        are_restricted.resize(targets.size());
      }
      are_restricted[number] = support.is_restricted();
      Tensor& gradient = gradients[number];
      const Tensor& there = gradient.defined() ? gradient : before(node, number);
      gradient = there.defined() ? add(there, g) : g;
    });
    fits_all = fits_all && !tracing.read;
  }
  finish(work, replay, outputs, gradients, retain_graph, fits_all, hash, are_restricted);
  for (Tensor& gradient : gradients)
    if (gradient.defined()) gradient = gradient.detach();
  return result;
}

/// A recording too long to be planned as a whole: what was recorded last is done with, and freed, before what was recorded earlier.
Gathered gather_in_parts(GradientWorkspace& work, const std::vector<Tensor>& outputs, const std::vector<Tensor>& cotangents,
                         const detail::Flags& restricted, const Wanted& wanted = {}) {
  detail::Segments parts;
  Gathered leaves;
  std::unordered_map<const void*, std::size_t> numbers;  // of leaves
  // What leaves have from before is added in the end, by those that want it.
  const auto before = [&](Node* node, std::size_t) -> Tensor {
    if (!node->leaf) return parts.cotangent(node);
    const auto found = numbers.find(identity(node));
    return found != numbers.end() ? leaves.gradients[found->second] : Tensor();
  };
  const auto set = [&](Node* node, Tensor gradient, bool is_restricted) {
    if (!node->leaf) return parts.set(node, std::move(gradient), is_restricted && parts.is_restricted(node));
    const auto [at, is_new] = numbers.emplace(identity(node), leaves.targets.size());
    if (is_new) {
      leaves.targets.emplace_back(node);
      leaves.gradients.emplace_back();
    }
    leaves.gradients[at->second] = std::move(gradient);
  };
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    Node* node = detail::resolve(outputs[i].node());
    if (!node->requires_grad || !wanted(node)) continue;
    const Tensor g = cotangents[i].defined() ? cotangents[i] : ones(outputs[i].shape(), outputs[i].dtype());
    const Tensor there = before(node, i);
    set(node, there.defined() ? add(there, g) : g, restricted[i] && cotangents[i].defined());
  }
  // What comes once is not worth a plan; nor, in another backward, are more than a few parts.
  constexpr std::size_t most_kept = 8, most_seen = 64;
  std::vector<std::uint64_t> seen;
  std::size_t number = 0;
  const auto may_plan = [&](std::uint64_t hash) {
    const auto in = [hash](const auto& hashes) { return std::find(hashes.begin(), hashes.end(), hash) != hashes.end(); };
    if (in(seen) || (number <= most_kept && in(work.seen))) return true;
    seen.push_back(hash);
    if (number > most_kept) return false;
    if (work.seen.size() == most_seen) work.seen.pop_front();
    work.seen.push_back(hash);
    return false;
  };
  while (!parts.empty()) {
    const detail::Segments::Part part = parts.take();
    ++number;
    const bool captured = capture_recording(work.capture, part.outputs, part.cotangents, part.first);
    Gathered gathered = gather(work, part.outputs, part.cotangents, part.restricted, part.first, captured, false, wanted, before, may_plan);
    for (std::size_t i = 0; i < gathered.targets.size(); ++i)
      if (gathered.gradients[i].defined()) set(gathered.targets[i].get(), std::move(gathered.gradients[i]), gathered.restricted[i]);
  }
  return leaves;
}

}  // namespace

void backward(const std::vector<Tensor>& outputs, const std::vector<Tensor>& given, bool retain_graph) {
  detail::Capturing::refuse("backward");
  check_cotangents("backward", outputs, given);
  check_tracked("backward", outputs);
  NoGrad guard;
  const std::vector<Tensor> cotangents = cast_cotangents(outputs, given);
  const GradientLease lease;
  GradientWorkspace& work = *lease;
  const detail::Flags restricted = find_restricted(cotangents, false);
  const bool captured = capture_recording(work.capture, outputs, cotangents), frees = !retain_graph && !detail::anomaly_mode();
  if (frees && !captured) {
    Gathered gathered = gather_in_parts(work, outputs, cotangents, restricted);
    for (std::size_t i = 0; i < gathered.targets.size(); ++i)
      if (gathered.gradients[i].defined()) put_gradient(*gathered.targets[i]->leaf, std::move(gathered.gradients[i]));
    return;
  }
  TakenGradients taken;
  const auto before = [&](Node* node, std::size_t number) -> const Tensor& { return taken.take(node, number); };
  Gathered gathered = gather(work, outputs, cotangents, restricted, 0, frees, retain_graph, {}, before, [](std::uint64_t) { return true; });
  for (std::size_t i = 0; i < gathered.targets.size(); ++i)
    if (gathered.gradients[i].defined()) taken.put(gathered.targets[i].get(), i, std::move(gathered.gradients[i]));
}

std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs, const GradOptions& options) {
  check_cotangents("grad", outputs, options.cotangents);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    detail::check_defined("grad", inputs[i]);
    if (!inputs[i].requires_grad())
      throw detail::located<std::logic_error>("grad: input " + std::to_string(i) + " of shape " + to_string(inputs[i].shape()) +
                             " does not require gradients; call set_requires_grad() on it before recording");
  }
  const std::vector<Tensor> cotangents = cast_cotangents(outputs, options.cotangents);
  const detail::Flags restricted = find_restricted(cotangents, options.sparse_cotangents);
  const auto check_used = [&](std::size_t i) {
    if (!options.allow_unused)
      throw detail::located<std::invalid_argument>("grad: no output depends on input " + std::to_string(i) + " of shape " +
                                  to_string(inputs[i].shape()) + "; set allow_unused to get an undefined gradient for it");
  };
  std::unordered_map<const void*, std::vector<std::size_t>> targets;
  for (std::size_t i = 0; i < inputs.size(); ++i) targets[identity(inputs[i].node())].push_back(i);

  // Within a function that is captured gradients are part of what it records.
  const bool computes = !options.create_graph && !detail::Capturing::active();
  const bool frees = computes && !options.retain_graph && !detail::anomaly_mode();
  bool plans = false;
  const GradientLease lease;
  GradientWorkspace& work = *lease;
  GraphSnapshot& capture = work.capture;
  std::uint64_t hash = 0;
  if (frees) {
    NoGrad guard;
    plans = capture_recording(capture, outputs, cotangents);
  }
  if (plans) {
    NoGrad guard;
    const auto note = [&](const Node* node, CaptureRef ref) {
      if (!node->requires_grad) return;
      const auto found = targets.find(identity(node));
      if (found == targets.end()) return;
      capture.note(ref.word());
      for (const std::size_t i : found->second) capture.note(i);
    };
    const std::size_t values = capture.values.size();
    for (std::size_t i = 0; i < values; ++i) note(capture.values[i], CaptureRef::value(i));
    for (std::size_t i = 0; i < capture.nodes.size(); ++i) note(capture.nodes[i], CaptureRef::node(i));
    capture.note(inputs.size());
    for (const bool is_restricted : restricted) capture.note(is_restricted);
    capture.note(2);  // unlike a backward's
    hash = capture.hash();
    if (const std::shared_ptr<const GradientPlan> plan = work.plans.find(hash, capture.key)) {
      for (std::size_t i = 0; i < inputs.size(); ++i)
        if (plan->gradients[i].origin == GradientPlan::Origin::unused) check_used(i);
      std::vector<const Node*> nodes;
      for (const Tensor& input : inputs) nodes.push_back(input.node());
      return run_plan(work, *plan, nodes);
    }
  }

  if (frees && !plans && std::all_of(inputs.begin(), inputs.end(), [](const Tensor& input) { return input.node()->leaf; })) {
    NoGrad guard;
    std::unordered_set<const void*> missing;
    for (const Tensor& input : inputs) missing.insert(identity(input.node()));
    const Wanted wanted{.all = false, .leaves = missing};
    detail::walk_back(outputs, [&](const Node* node) {
      missing.erase(identity(node));
      return !missing.empty();
    });
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (missing.contains(identity(inputs[i].node()))) check_used(i);
    Gathered gathered = gather_in_parts(work, outputs, cotangents, restricted, wanted);
    std::vector<Tensor> gradients(inputs.size());
    for (std::size_t t = 0; t < gathered.targets.size(); ++t)
      for (const std::size_t i : targets.at(identity(gathered.targets[t].get()))) gradients[i] = gathered.gradients[t];
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (!gradients[i].defined()) check_used(i);
    return gradients;
  }

  // What leads to the inputs is left alone, unless it is to be freed.
  std::uint64_t first = ~std::uint64_t{0};
  for (const Tensor& input : inputs) first = std::min(first, detail::resolve(input.node())->sequence);
  Replay replay(outputs, options.create_graph || options.retain_graph ? first : 0);
  std::vector<Tensor> gradients(inputs.size());
  bool fits_all = plans;
  {
    GradMode mode(options.create_graph);
    const std::unique_ptr<const detail::Tracing> tracing(frees ? new detail::Tracing(replay.size()) : nullptr);
    replay.prune([&](const Node* node) { return targets.contains(identity(node)); });
    seed(replay, outputs, cotangents, restricted);
    replay.run([&](Node* node, const Tensor& g, const detail::Support&) {
      const auto found = targets.find(identity(node));
      if (found == targets.end()) return;
      for (const std::size_t i : found->second) gradients[i] = gradients[i].defined() ? add(gradients[i], g) : g;
    });
    fits_all = fits_all && !tracing->read;
  }
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!gradients[i].defined()) check_used(i);
  if (computes) finish(work, replay, outputs, gradients, options.retain_graph, fits_all, hash);
  return gradients;
}

Tensor grad(const Tensor& output, const Tensor& input, const GradOptions& options) {
  return grad(std::vector<Tensor>{output}, std::vector<Tensor>{input}, options).front();
}

void Tensor::run_backward(const Tensor& cotangent, bool retain_graph) const {
  if (cotangent.defined()) xgrad::backward({*this}, {cotangent}, retain_graph);
  else xgrad::backward({*this}, {}, retain_graph);
}

}  // namespace xgrad
