#include <algorithm>
#include <autodiff/core/per_thread.hpp>
#include <autodiff/core/evaluator.hpp>
#include <autodiff/core/trace_state.hpp>
#include <autodiff/gradient/gradient_cache.hpp>
#include <unordered_map>

namespace xgrad::detail {
namespace {

GradientWorkspace& shared_workspace() {
  return per_thread<GradientWorkspace>();
}

/// Where a captured node lies, if it does.
std::uint32_t find_node(const GraphSnapshot& capture, const Node* node) {
  auto at = std::lower_bound(capture.nodes.begin(), capture.nodes.end(), node,
                             [](const Node* a, const Node* b) { return a->sequence < b->sequence; });
  while (at != capture.nodes.end() && *at != node && (*at)->sequence == node->sequence) ++at;  // those of several threads
  return at != capture.nodes.end() && *at == node ? static_cast<std::uint32_t>(at - capture.nodes.begin()) : GradientPlan::none;
}

}  // namespace

GradientLease::GradientLease()
    : own_(shared_workspace().busy ? std::make_unique<GradientWorkspace>() : nullptr), work_(own_ ? *own_ : shared_workspace()) {
  work_.busy = true;
}
GradientLease::~GradientLease() {
  work_.results.clear();
  work_.busy = false;
}

bool capture_recording(GraphSnapshot& capture, std::span<const Tensor> outputs, std::span<const Tensor> cotangents, std::uint64_t first) {
  xt::svector<Node*, 8> roots;
  for (const Tensor& output : outputs) roots.push_back(resolve(output.node()));
  for (const Tensor& cotangent : cotangents)
    if (cotangent.defined()) cotangent.evaluate();
  if (!capture.collect_recording({roots.data(), roots.size()}, longest_planned, first)) {
    evaluate(std::span<Node* const>(roots.data(), roots.size()));  // at once, rather than wherever a gradient meets what is pending
    return false;
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::uint32_t at = find_node(capture, roots[i]);
    capture.note(at != GradientPlan::none ? CaptureRef::node(at).word() : CaptureRef::value(capture.add_value(roots[i])).word());
    if (!cotangents[i].defined()) capture.note(GradientPlan::none);
    else capture.note(capture.add_value(resolve(cotangents[i].node())));
  }
  return true;
}

std::vector<std::shared_ptr<const Op>> ops_of(const GraphSnapshot& capture) {
  std::vector<std::shared_ptr<const Op>> ops;
  for (const Node* node : capture.nodes) ops.push_back(node->op);
  return ops;
}

GradientPlan make_plan(const GraphSnapshot& recording, std::span<const Tensor> gradients, const GraphSnapshot& computed,
                       std::shared_ptr<const Executable> graph) {
  using Origin = GradientPlan::Origin;
  std::unordered_map<const Node*, GradientPlan::Place> places;
  for (std::uint32_t i = 0; i < recording.values.size(); ++i) places[recording.values[i]] = {Origin::value, i};
  for (std::uint32_t i = 0; i < recording.nodes.size(); ++i) places[recording.nodes[i]] = {Origin::node, i};
  GradientPlan plan;
  const auto place = [&](Node* node) {
    const auto found = places.find(node);
    if (found != places.end()) return found->second;
    plan.constants.emplace_back(Ref<Node>(node));
    return places[node] = {Origin::constant, static_cast<std::uint32_t>(plan.constants.size() - 1)};
  };
  for (Node* value : computed.values) plan.values.push_back(place(value));
  std::unordered_map<const Node*, std::uint32_t> results;
  for (const std::uint32_t i : graph->results()) {
    const Node* node = computed.nodes[i];
    const auto found = places.find(node);
    plan.kept.push_back(found != places.end() ? found->second.index : GradientPlan::none);
    results[node] = static_cast<std::uint32_t>(results.size());
  }
  for (const Tensor& gradient : gradients) {
    if (!gradient.defined()) {
      plan.gradients.emplace_back();
      continue;
    }
    Node* node = resolve(gradient.node());
    const auto result = results.find(node);
    plan.gradients.push_back(result != results.end() ? GradientPlan::Place{Origin::result, result->second} : place(node));
  }
  plan.graph = std::move(graph);
  return plan;
}

std::vector<Tensor> run_plan(GradientWorkspace& work, const GradientPlan& plan, std::span<const Node* const> targets) {
  using Origin = GradientPlan::Origin;
  GraphSnapshot& capture = work.capture;
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
                       ? make_leaf(targets[t]->shape, targets[t]->dtype, work.results[place.index])
                       : Tensor(Ref<Node>(node_at(place))).detach();
  }
  for (std::size_t r = 0; r < plan.kept.size(); ++r)
    if (plan.kept[r] != GradientPlan::none) {
      Node& node = *capture.nodes[plan.kept[r]];
      node.value = std::move(work.results[r]);
      node.evaluated = true;
    }
  for (Node* node : capture.nodes) node->released = node->requires_grad;
  for (Node* node : capture.nodes) forget(*node);  // in order: it may destroy those before
  return gradients;
}

}  // namespace xgrad::detail
