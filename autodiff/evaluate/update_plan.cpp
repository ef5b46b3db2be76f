#include <algorithm>
#include <autodiff/evaluate/evaluate.hpp>
#include <autodiff/evaluate/update_plan.hpp>
#include <unordered_map>

namespace xgrad::detail {
namespace {

Value contiguous(Node& node) {
  evaluate(&node);
  return contiguous_value(node);
}

/// Of a value that a graph may write over; single elements are not worth it, and are taken for known numbers.
bool may_replace(const Node& node) { return size_of(node.shape) > 1; }

}  // namespace

UpdatePlan::UpdatePlan(std::span<Node* const> inputs, const std::vector<bool>& replaced, const Function& function)
    : replaced_(replaced) {
  using Origin = Result::Origin;
  NoGrad guard;
  std::vector<Tensor> stand_ins, results;
  std::unordered_map<const Node*, Result> places;
  for (std::uint32_t i = 0; i < inputs.size(); ++i) {
    forms_.push_back({inputs[i]->dtype, inputs[i]->shape});
    stand_ins.push_back(make_leaf(inputs[i]->shape, inputs[i]->dtype, contiguous(*inputs[i])));
    Node& node = *stand_ins.back().node();
    replaced_[i] = replaced_[i] && may_replace(node);
    if (!replaced_[i]) node.leaf = Ref<Leaf>(new Leaf);
    places[&node] = {Origin::input, i};
  }
  {
    const Tracing tracing;
    results = function(stand_ins);
    pure_ = !tracing.read;
  }
  std::vector<Node*> roots;
  for (const Tensor& result : results) {
    Node* node = resolve(result.node());
    if (!pure_) evaluate(node);
    roots.push_back(node);
    result_forms_.push_back({node->dtype, node->shape});
    if (const auto found = places.find(node); found != places.end() && !node->leaf) {
      node->leaf = Ref<Leaf>(new Leaf);
      replaced_[found->second.index] = false;
    }
  }

  Capture capture;
  capture.collect(roots);
  const auto place = [&](Node* node) {
    const auto [found, is_new] = places.try_emplace(node, Result{Origin::constant, static_cast<std::uint32_t>(constants_.size())});
    if (is_new) constants_.emplace_back(Ref<Node>(node));
    return found->second;
  };
  if (!capture.nodes.empty()) {
    graph_ = std::make_shared<const CompiledGraph>(capture);
    for (std::uint32_t r = 0; r < graph_->results().size(); ++r) {
      places[capture.nodes[graph_->results()[r]]] = {Origin::computed, r};
    }
    for (Node* value : capture.values) values_.push_back(place(value));
    if (graph_->may_throw()) replaced_.assign(replaced_.size(), false);  // or an error would leave half of them
  }
  for (Node* root : roots) {
    const Result result = place(root);
    for (Result& before : results_)
      if (before.origin == result.origin && before.index == result.index) before.last = false;
    results_.push_back(result);
  }
}

bool UpdatePlan::fits(std::span<Node* const> inputs) const {
  return pure_ && std::equal(inputs.begin(), inputs.end(), forms_.begin(), forms_.end(), [](const Node* node, const Form& form) {
           return node->dtype == form.dtype && node->shape == form.shape;
         });
}

std::span<Value> UpdatePlan::run(std::span<Node* const> inputs) {
  using Origin = Result::Origin;
  packed_.clear();
  nodes_.assign(inputs.begin(), inputs.end());
  for (Node*& node : nodes_) {
    if (!node->evaluated) evaluate(node);
    if (node->value.contiguous) continue;
    packed_.push_back(make_leaf(node->shape, node->dtype, contiguous_value(*node)));
    node = packed_.back().node();
  }
  if (graph_) {
    value_nodes_.clear();
    spare_.clear();
    for (const Result& value : values_) {
      Node* node = value.origin == Origin::input ? nodes_[value.index] : constants_[value.index].node();
      value_nodes_.push_back(node);
      spare_.push_back(value.origin == Origin::input && replaced_[value.index] && node->references() == 1 && node->value.buffer &&
                       node->value.buffer->references() == 1);
    }
    computed_.clear();
    computed_.resize(graph_->results().size());
    graph_->run(value_nodes_, spare_, computed_);
  }
  run_results_.clear();
  for (const Result& result : results_) {
    if (result.origin != Origin::computed)
      run_results_.push_back((result.origin == Origin::input ? nodes_[result.index] : constants_[result.index].node())->value);
    else if (result.last) run_results_.push_back(std::move(computed_[result.index]));
    else run_results_.push_back(computed_[result.index]);
  }
  return run_results_;
}

}  // namespace xgrad::detail
