#include <algorithm>
#include <autodiff/evaluate/traced_function.hpp>
#include <autodiff/core/evaluator.hpp>
#include <autodiff/core/trace_state.hpp>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace xgrad::detail {
namespace {

Value contiguous(Node& node) {
  evaluate(&node);
  return contiguous_value(node);
}

/// Of a value that a graph may write over; single elements are not worth it, and are taken for known numbers.
bool may_replace(const Node& node) { return size_of(node.shape) > 1; }

/// Computes what a function makes of nothing but constants of its own, as far as that is small; what is fixed then.
std::unordered_set<const Node*> fold_constants(std::span<Node* const> roots, const std::vector<Tensor>& constants) {
  constexpr std::int64_t most_elements = 4096;
  GraphSnapshot capture;
  capture.collect(roots, true);
  std::unordered_set<const Node*> fixed, used;
  for (const Tensor& constant : constants) fixed.insert(constant.node());
  for (const Node* root : roots) used.insert(root);
  const auto folds = [&](const Node* node) {
    const std::span<const Tensor> inputs = std::as_const(node->inputs).span();
    return size_of(node->shape) <= most_elements &&
           std::all_of(inputs.begin(), inputs.end(), [&](const Tensor& input) { return fixed.contains(input.node()); });
  };
  for (const Node* node : capture.nodes) {
    if (folds(node)) fixed.insert(node);
    else
      for (const Tensor& input : std::as_const(node->inputs).span()) used.insert(input.node());
  }
  std::vector<Node*> wanted;
  std::copy_if(capture.nodes.begin(), capture.nodes.end(), std::back_inserter(wanted),
               [&](const Node* node) { return fixed.contains(node) && used.contains(node); });
  evaluate(wanted);
  return fixed;
}

}  // namespace

TracedFunction::TracedFunction(std::string_view name, std::span<Node* const> inputs, const std::vector<bool>& replaced,
                                   const Function& function, Reads reads)
    : replaced_(replaced) {
  using Origin = Place::Origin;
  NoGrad guard;
  std::vector<Tensor> stand_ins, results;
  std::unordered_map<const Node*, Place> places;
  for (std::uint32_t i = 0; i < inputs.size(); ++i) {
    forms_.push_back({inputs[i]->dtype, inputs[i]->shape});
    stand_ins.push_back(make_leaf(inputs[i]->shape, inputs[i]->dtype, contiguous(*inputs[i])));
    Node& node = *stand_ins.back().node();
    replaced_[i] = replaced_[i] && may_replace(node);
    if (!replaced_[i]) node.leaf = Ref<Leaf>(new Leaf);
    places[&node] = {Origin::input, i};
  }
  std::optional<Capturing> under_way(std::in_place, name, reads == Reads::refused);
  results = function(stand_ins);
  pure_ = !under_way->read();
  std::vector<Node*> roots;
  for (const Tensor& result : results) {
    check_defined(name, result);
    if (result.node()->current) Capturing::note_leaf(result.node());
  }
  const auto leaves = std::move(under_way->leaves);
  const auto constants = std::move(under_way->constants);
  const auto numbers = std::move(under_way->numbers);
  const auto checking = std::move(under_way->checking);
  auto checks = std::move(under_way->checks);
  under_way.reset();
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
  const std::unordered_set<const Node*> fixed = fold_constants(roots, constants);
  const auto place = [&](Node* node) {
    const auto found = places.find(node);
    if (found != places.end()) return found->second;
    const auto use = std::find_if(leaves.begin(), leaves.end(), [node](const auto& leaf) { return leaf.value == node; });
    Tensor tensor = use != leaves.end() ? use->leaf : Tensor(Ref<Node>(node));
    constants_.push_back({std::move(tensor), {node->dtype, node->shape}, node->value.contiguous, known(*node), fixed.contains(node)});
    return places[node] = {Origin::constant, static_cast<std::uint32_t>(constants_.size() - 1)};
  };

  for (const Tensor& number : numbers)
    if (!fixed.contains(number.node())) place(number.node());
  std::vector<Node*> computed = roots;
  for (const Tensor& tensor : checking) computed.push_back(tensor.node());
  GraphSnapshot capture;
  capture.collect(computed, true);
  if (!capture.nodes.empty()) {
    graph_ = std::make_shared<const Executable>(capture, Executable::Overwrites::at_the_end);
    for (std::uint32_t r = 0; r < graph_->results().size(); ++r)
      places[capture.nodes[graph_->results()[r]]] = {Origin::computed, r};
    for (Node* value : capture.values) values_.push_back(place(value));
  }
  for (Node* root : roots) {
    const Place result = place(root);
    for (Place& before : results_)
      if (before.origin == result.origin && before.index == result.index) before.last = false;
    results_.push_back(result);
  }
  for (NotedCheck& check : checks) checks_.push_back({place(resolve(check.of.node())), std::move(check.check), check.result});
}

std::uint64_t TracedFunction::hash_of(std::span<Node* const> inputs) {
  std::uint64_t hash = inputs.size();
  for (const Node* input : inputs) {
    add_to_hash(hash, input->dtype);
    add_to_hash(hash, input->shape);
  }
  return hash;
}

std::size_t TracedFunction::size() const { return forms_.size() + constants_.size() + (graph_ ? graph_->size() : 0) + 1; }

bool TracedFunction::fits(std::span<Node* const> inputs) const {
  if (!pure_ || inputs.size() != forms_.size()) return false;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!forms_[i].matches(*inputs[i])) return false;
  const auto same = [](const Constant& constant) {
    if (constant.fixed) return true;
    const Node& value = *resolve(constant.tensor.node());
    return constant.form.matches(value) && value.value.contiguous == constant.contiguous && known(value) == constant.known;
  };
  return std::all_of(constants_.begin(), constants_.end(), same) && std::all_of(checks_.begin(), checks_.end(), [&](const Check& check) {
           Node* const node = at(check.place, inputs);
           evaluate(node);
           return check.check(node->array()) == check.result;
         });
}

bool TracedFunction::uses_parameters() const {
  return std::any_of(constants_.begin(), constants_.end(), [](const Constant& constant) { return constant.tensor.requires_grad(); });
}

std::span<Value> TracedFunction::run(std::span<Node* const> inputs) {
  using Origin = Place::Origin;
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
    for (const Place& value : values_) {
      Node* node = at(value, nodes_);
      value_nodes_.push_back(node);
      spare_.push_back(value.origin == Origin::input && replaced_[value.index] && node->references() == 1 && node->value.buffer &&
                       node->value.buffer->references() == 1);
    }
    computed_.clear();
    computed_.resize(graph_->results().size());
    graph_->run(value_nodes_, spare_, computed_);
  }
  run_results_.clear();
  for (const Place& result : results_) {
    if (result.origin != Origin::computed) run_results_.push_back(at(result, nodes_)->value);
    else if (result.last) run_results_.push_back(std::move(computed_[result.index]));
    else run_results_.push_back(computed_[result.index]);
  }
  return run_results_;
}

}  // namespace xgrad::detail
