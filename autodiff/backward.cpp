#include <algorithm>
#include <autodiff/backward.hpp>
#include <autodiff/evaluate/cache.hpp>
#include <autodiff/evaluate/compiled.hpp>
#include <autodiff/evaluate/evaluate.hpp>
#include <autodiff/ops/create.hpp>
#include <autodiff/replay.hpp>
#include <stdexcept>
#include <unordered_map>

namespace xgrad {
namespace {

using detail::Capture;
using detail::CaptureRef;
using detail::CompiledGraph;
using detail::Node;
using detail::Replay;

void check_cotangents(std::string_view name, const std::vector<Tensor>& outputs, const std::vector<Tensor>& given) {
  const std::string op(name);
  if (outputs.empty()) throw std::invalid_argument(op + ": there are no outputs");
  if (!given.empty() && given.size() != outputs.size())
    throw std::invalid_argument(op + ": " + std::to_string(given.size()) + " cotangents for " + std::to_string(outputs.size()) +
                                " outputs");
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& output = outputs[i];
    detail::check_defined(op, output);
    if (!is_floating(output.dtype()))
      throw std::invalid_argument(op + ": the output of shape " + to_string(output.shape()) + " is " +
                                  std::string(name_of(output.dtype())) + "; only float32 and float64 carry gradients");
    if (!given.empty() && given[i].defined()) {
      if (given[i].shape() != output.shape())
        throw std::invalid_argument(op + ": a cotangent of shape " + to_string(given[i].shape()) + " for an output of shape " +
                                    to_string(output.shape()));
    } else if (output.size() != 1) {
      throw std::invalid_argument(op + ": the output has shape " + to_string(output.shape()) +
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

void seed(Replay& replay, const std::vector<Tensor>& outputs, const std::vector<Tensor>& cotangents) {
  for (std::size_t i = 0; i < outputs.size(); ++i)
    replay.seed(detail::resolve(outputs[i].node()),
                cotangents[i].defined() ? cotangents[i] : ones(outputs[i].shape(), outputs[i].dtype()));
}

void check_tracked(std::string_view op, const std::vector<Tensor>& outputs) {
  if (std::none_of(outputs.begin(), outputs.end(), [](const Tensor& output) { return output.requires_grad(); }))
    throw std::logic_error(std::string(op) + ": the output of shape " + to_string(outputs.front().shape()) +
                           " depends on nothing that requires gradients; call set_requires_grad() on a leaf before recording");
}

/// What a gradient is of. A leaf assigned to in between appears as several nodes, so it goes by what they share.
const void* identity(const Node* node) { return node->leaf ? static_cast<const void*>(node->leaf.get()) : node; }

constexpr std::uint32_t none = ~std::uint32_t{0};

/// The gradients of recordings of one structure: asked of the rules once, and what they said kept as a plan. Recordings that
/// come back, as those of training do, are recognised by their capture's key and ask no rule.
struct GradientPlan {
  enum class Origin : std::uint8_t { value, node, constant, result, unused };
  struct Place {
    Origin origin = Origin::unused;
    std::uint32_t index = 0;
  };
  std::shared_ptr<const CompiledGraph> graph;
  std::vector<Place> values;         ///< where those of the graph come from
  std::vector<Tensor> constants;     ///< that rules made
  std::vector<std::uint32_t> kept;   ///< the captured node that a result of the graph is the value of
  std::vector<Place> gradients;      ///< of the targets, in their order
  std::vector<std::shared_ptr<const Op>> ops;  ///< of the recording: while they live, no other op has their address
};

/// A recording about to be replayed, of a thread.
struct Workspace {
  Capture capture;
  std::vector<detail::Ref<detail::Leaf>> leaves;
  std::vector<const Node*> targets;
  detail::PointerIndex known;  ///< leaves, in their order
  std::vector<detail::Value> results;
  std::vector<Node*> values;
  std::vector<bool> spare;
  detail::StructureCache<GradientPlan> plans;
  bool busy = false;
};
Workspace& shared_workspace() {
  thread_local Workspace workspace;
  return workspace;
}

/// The workspace, unless a rule that is being asked takes gradients itself.
class Lease {
 public:
  Lease() : own_(shared_workspace().busy ? std::make_unique<Workspace>() : nullptr), work_(own_ ? *own_ : shared_workspace()) {
    work_.busy = true;
  }
  ~Lease() {
    work_.leaves.clear();
    work_.results.clear();
    work_.busy = false;
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  Workspace& operator*() const { return work_; }

 private:
  std::unique_ptr<Workspace> own_;
  Workspace& work_;
};

/// Where a captured node lies, if it does.
std::uint32_t find_node(const Capture& capture, const Node* node) {
  auto at = std::lower_bound(capture.nodes.begin(), capture.nodes.end(), node,
                             [](const Node* a, const Node* b) { return a->sequence < b->sequence; });
  while (at != capture.nodes.end() && *at != node && (*at)->sequence == node->sequence) ++at;  // those of several threads
  return at != capture.nodes.end() && *at == node ? static_cast<std::uint32_t>(at - capture.nodes.begin()) : none;
}

/// Captures the recording of `outputs` and their cotangents; false where it is too long to be planned as a whole.
bool capture_recording(Workspace& work, const std::vector<Tensor>& outputs, const std::vector<Tensor>& cotangents) {
  xt::svector<Node*, 8> roots;
  for (const Tensor& output : outputs) roots.push_back(detail::resolve(output.node()));
  for (const Tensor& cotangent : cotangents)
    if (cotangent.defined()) cotangent.evaluate();
  Capture& capture = work.capture;
  if (!capture.collect_recording({roots.data(), roots.size()}, detail::longest_planned)) {
    detail::evaluate({roots.data(), roots.size()});  // at once, rather than wherever a gradient meets what is pending
    return false;
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::uint32_t at = find_node(capture, roots[i]);
    capture.note(at != none ? CaptureRef::node(at).word() : CaptureRef::value(capture.add_value(roots[i])).word());
    if (!cotangents[i].defined()) capture.note(none);
    else capture.note(capture.add_value(detail::resolve(cotangents[i].node())));
  }
  return true;
}

std::vector<std::shared_ptr<const Op>> ops_of(const Capture& capture) {
  std::vector<std::shared_ptr<const Op>> ops;
  for (const Node* node : capture.nodes) ops.push_back(node->op);
  return ops;
}

/// Notes how a graph that is about to run can be run for the next recording of this structure.
GradientPlan make_plan(const Capture& recording, const std::vector<Tensor>& gradients, const Capture& computed,
                       std::shared_ptr<const CompiledGraph> graph) {
  using Origin = GradientPlan::Origin;
  std::unordered_map<const Node*, GradientPlan::Place> places;
  for (std::uint32_t i = 0; i < recording.values.size(); ++i) places[recording.values[i]] = {Origin::value, i};
  for (std::uint32_t i = 0; i < recording.nodes.size(); ++i) places[recording.nodes[i]] = {Origin::node, i};
  GradientPlan plan;
  const auto place = [&](Node* node) {
    const auto found = places.find(node);
    if (found != places.end()) return found->second;
    plan.constants.emplace_back(detail::Ref<Node>(node));
    return places[node] = {Origin::constant, static_cast<std::uint32_t>(plan.constants.size() - 1)};
  };
  for (Node* value : computed.values) plan.values.push_back(place(value));
  std::unordered_map<const Node*, std::uint32_t> results;
  for (const std::uint32_t i : graph->results()) {
    const Node* node = computed.nodes[i];
    const auto found = places.find(node);
    plan.kept.push_back(found != places.end() ? found->second.index : none);
    results[node] = static_cast<std::uint32_t>(results.size());
  }
  for (const Tensor& gradient : gradients) {
    if (!gradient.defined()) {
      plan.gradients.emplace_back();
      continue;
    }
    Node* node = detail::resolve(gradient.node());
    const auto result = results.find(node);
    plan.gradients.push_back(result != results.end() ? GradientPlan::Place{Origin::result, result->second} : place(node));
  }
  plan.graph = std::move(graph);
  return plan;
}

/// The gradients of the captured recording by a plan for its structure; then frees the recording.
std::vector<Tensor> run_plan(Workspace& work, const GradientPlan& plan, std::span<const Node* const> targets) {
  using Origin = GradientPlan::Origin;
  Capture& capture = work.capture;
  const auto node_at = [&](GradientPlan::Place place) {
    return place.origin == Origin::value  ? capture.values[place.index]
           : place.origin == Origin::node ? capture.nodes[place.index]
                                          : plan.constants[place.index].node();
  };
  work.values.clear();
  work.spare.clear();
  for (const GradientPlan::Place place : plan.values) {
    work.values.push_back(node_at(place));
    work.spare.push_back(place.origin == Origin::value && place.index < capture.spare.size() && capture.spare[place.index]);
  }
  for (const GradientPlan::Place gradient : plan.gradients)
    if (gradient.origin == Origin::value)
      for (std::size_t i = 0; i < work.values.size(); ++i)
        if (work.values[i] == node_at(gradient)) work.spare[i] = false;
  work.results.assign(plan.graph->results().size(), {});
  plan.graph->run(work.values, work.spare, work.results);

  std::vector<Tensor> gradients(targets.size());
  for (std::size_t t = 0; t < targets.size(); ++t) {
    const GradientPlan::Place place = plan.gradients[t];
    if (place.origin == Origin::unused) continue;
    gradients[t] = place.origin == Origin::result
                       ? detail::make_leaf(targets[t]->shape, targets[t]->dtype, work.results[place.index])
                       : Tensor(detail::Ref<Node>(node_at(place))).detach();
  }
  for (std::size_t r = 0; r < plan.kept.size(); ++r)
    if (plan.kept[r] != none) {
      Node& node = *capture.nodes[plan.kept[r]];
      node.value = std::move(work.results[r]);
      node.evaluated = true;
    }
  for (Node* node : capture.nodes) node->released = node->requires_grad;
  for (Node* node : capture.nodes) detail::forget(*node);  // in order: it may destroy those before
  return gradients;
}

}  // namespace

void backward(const std::vector<Tensor>& outputs, const std::vector<Tensor>& given, bool retain_graph) {
  check_cotangents("backward", outputs, given);
  check_tracked("backward", outputs);
  NoGrad guard;
  const std::vector<Tensor> cotangents = cast_cotangents(outputs, given);

  const Lease lease;
  Workspace& work = *lease;
  Capture& capture = work.capture;
  const bool plans = capture_recording(work, outputs, cotangents) && !retain_graph && !detail::anomaly_mode();
  // The leaves, with the gradients they have so far.
  auto& leaves = work.leaves;
  auto& targets = work.targets;
  detail::PointerIndex& known = work.known;
  targets.clear();
  known.clear();
  for (std::size_t i = 0; i < capture.values.size(); ++i) {
    const Node* node = capture.values[i];
    if (!node->leaf || !node->requires_grad) continue;
    const auto [number, is_new] = known.add(node->leaf.get());
    capture.note(number);
    if (!is_new) continue;
    leaves.push_back(node->leaf);
    targets.push_back(node);
  }
  for (const detail::Ref<detail::Leaf>& leaf : leaves) {
    const Tensor& before = leaf->gradient;
    if (before.defined()) before.evaluate();
    capture.note(before.defined() ? capture.add_value(detail::resolve(before.node())) : none);
  }

  std::vector<Tensor> gradients;
  const std::uint64_t hash = plans ? capture.hash() : 0;
  const std::shared_ptr<const GradientPlan> plan = plans ? work.plans.find(hash, capture.key) : nullptr;
  if (plan) {
    gradients = run_plan(work, *plan, targets);
  } else {
    gradients.resize(leaves.size());
    std::vector<std::shared_ptr<const Op>> ops = plans ? ops_of(capture) : std::vector<std::shared_ptr<const Op>>();
    Replay replay(outputs);
    bool fits_all = plans;
    {
      const detail::Tracing tracing(replay.size());
      seed(replay, outputs, cotangents);
      replay.run([&](Node* node, const Tensor& g) {
        if (!node->leaf) return;
        const auto [number, is_new] = known.add(node->leaf.get());
        if (is_new) leaves.push_back(node->leaf);
        gradients.resize(leaves.size());
        Tensor& gradient = gradients[number];
        const Tensor& before = gradient.defined() ? gradient : node->leaf->gradient;
        gradient = before.defined() ? add(before, g) : g;
      });
      fits_all = fits_all && !tracing.read;
    }
    std::vector<Tensor> defined;
    std::copy_if(gradients.begin(), gradients.end(), std::back_inserter(defined), [](const Tensor& g) { return g.defined(); });
    GradientPlan made;
    const detail::EvaluationObserver observer = [&](const Capture& computed, const std::shared_ptr<const CompiledGraph>& graph) {
      made = make_plan(capture, gradients, computed, graph);
    };
    replay.finish(outputs, defined, retain_graph, fits_all ? &observer : nullptr);
    made.ops = std::move(ops);
    if (made.graph) work.plans.insert(hash, capture.key, std::make_shared<const GradientPlan>(std::move(made)));
    for (Tensor& gradient : gradients)
      if (gradient.defined()) gradient = gradient.detach();
  }
  for (std::size_t i = 0; i < leaves.size(); ++i)
    if (gradients[i].defined()) leaves[i]->gradient = std::move(gradients[i]);
}

std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs, const GradOptions& options) {
  check_cotangents("grad", outputs, options.cotangents);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    detail::check_defined("grad", inputs[i]);
    if (!inputs[i].requires_grad())
      throw std::logic_error("grad: input " + std::to_string(i) + " of shape " + to_string(inputs[i].shape()) +
                             " does not require gradients; call set_requires_grad() on it before recording");
  }
  const std::vector<Tensor> cotangents = cast_cotangents(outputs, options.cotangents);
  const auto check_used = [&](std::size_t i) {
    if (!options.allow_unused)
      throw std::invalid_argument("grad: no output depends on input " + std::to_string(i) + " of shape " +
                                  to_string(inputs[i].shape()) + "; set allow_unused to get an undefined gradient for it");
  };
  std::unordered_map<const void*, std::vector<std::size_t>> targets;
  for (std::size_t i = 0; i < inputs.size(); ++i) targets[identity(inputs[i].node())].push_back(i);

  const bool frees = !options.create_graph && !options.retain_graph && !detail::anomaly_mode();
  bool plans = false;
  const Lease lease;
  Workspace& work = *lease;
  Capture& capture = work.capture;
  std::uint64_t hash = 0;
  if (frees) {
    NoGrad guard;
    plans = capture_recording(work, outputs, cotangents);
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

  std::vector<std::shared_ptr<const Op>> ops;
  if (plans) ops = ops_of(capture);
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
    seed(replay, outputs, cotangents);
    replay.run([&](Node* node, const Tensor& g) {
      const auto found = targets.find(identity(node));
      if (found == targets.end()) return;
      for (const std::size_t i : found->second) gradients[i] = gradients[i].defined() ? add(gradients[i], g) : g;
    });
    fits_all = fits_all && !tracing->read;
  }
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!gradients[i].defined()) check_used(i);
  if (!options.create_graph) {
    std::vector<Tensor> defined;
    std::copy_if(gradients.begin(), gradients.end(), std::back_inserter(defined), [](const Tensor& g) { return g.defined(); });
    GradientPlan made;
    const detail::EvaluationObserver observer = [&](const Capture& computed, const std::shared_ptr<const CompiledGraph>& graph) {
      made = make_plan(capture, gradients, computed, graph);
    };
    replay.finish(outputs, defined, options.retain_graph, fits_all ? &observer : nullptr);
    made.ops = std::move(ops);
    if (made.graph) work.plans.insert(hash, capture.key, std::make_shared<const GradientPlan>(std::move(made)));
  }
  return gradients;
}

Tensor grad(const Tensor& output, const Tensor& input, const GradOptions& options) {
  return grad(std::vector<Tensor>{output}, std::vector<Tensor>{input}, options).front();
}

}  // namespace xgrad
