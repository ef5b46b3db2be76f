#include <algorithm>
#include <autodiff/core/evaluator.hpp>
#include <autodiff/core/trace_state.hpp>
#include <autodiff/evaluate/trace.hpp>
#include <cstring>
#include <sstream>
#include <stdexcept>
#include <unordered_map>

namespace xgrad::detail {
namespace {

std::string describe(const Op& op, const Shape& shape) { return "'" + std::string(op.name()) + "' of shape " + to_string(shape); }

std::string number(const Tensor& x, std::int64_t i) {
  std::ostringstream text;
  dispatch(x.dtype(), [&](auto type) { text << std::boolalpha << static_cast<const decltype(type)*>(x.node()->array().data)[i]; });
  return text.str();
}

/// What is different in `b`, which a function uses in the place of `a`.
std::string difference_of(const Tensor& a, const Tensor& b) {
  if (a.is(b)) return {};
  if (a.node()->current || b.node()->current) return "a leaf of shape " + to_string(a.shape()) + " that it uses is another one now";
  const std::string which = "a tensor of shape " + to_string(a.shape()) + " that it uses beside its arguments";
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) return which + " has shape " + to_string(b.shape()) + " or another dtype now";
  const auto packed = [](const Tensor& x) { return make_leaf(x.shape(), x.dtype(), contiguous_value(*x.node())); };
  const Tensor x = packed(a), y = packed(b);
  const auto* const first = static_cast<const std::byte*>(x.node()->array().data);
  const auto* const second = static_cast<const std::byte*>(y.node()->array().data);
  const std::size_t width = size_of(a.dtype());
  for (std::int64_t i = 0; i < a.size(); ++i) {
    const std::size_t at = static_cast<std::size_t>(i) * width;
    if (std::memcmp(first + at, second + at, width) == 0) continue;
    return (a.dim() == 0 ? "a number that it uses" : which + ", at element " + std::to_string(i) + ",") + " was " + number(x, i) + " and is " + number(y, i) + " now";
  }
  return {};
}

}  // namespace

Trace::Trace(std::span<const Tensor> inputs, std::span<const Tensor> results) {
  std::unordered_map<const Node*, Source> sources;
  for (std::size_t i = 0; i < inputs.size(); ++i) sources[resolve(inputs[i].node())] = {Origin::input, i};
  std::vector<Node*> nodes, stack;
  const auto visit = [&](const Tensor& tensor) {
    Node* const node = resolve(tensor.node());
    if (!sources.try_emplace(node, Source{Origin::step, 0}).second) return;
    if (node->op && !node->evaluated) {
      nodes.push_back(node);
      stack.push_back(node);
    } else {
      sources[node].origin = Origin::outside;
    }
  };
  // Two numbers may be one tensor until one of them changes, so each use counts.
  const auto source = [&](const Tensor& tensor) {
    Node* const node = resolve(tensor.node());
    const Source known = sources.at(node);
    if (known.origin != Origin::outside) return known;
    const Tensor leaf = tensor.node() == node ? Capturing::leaf_of_value(node) : tensor;
    outside_.push_back(leaf.defined() ? leaf : tensor);
    return Source{Origin::outside, outside_.size() - 1};
  };
  for (const Tensor& result : results) visit(result);
  while (!stack.empty()) {
    const Node* const node = stack.back();
    stack.pop_back();
    for (const Tensor& input : node->inputs.span()) visit(input);
  }
  std::sort(nodes.begin(), nodes.end(), [](const Node* a, const Node* b) { return a->sequence < b->sequence; });
  for (std::size_t i = 0; i < nodes.size(); ++i) sources[nodes[i]].index = i;
  for (const Node* node : nodes) {
    Step& step = steps_.emplace_back(node->op, node->dtype, node->shape);
    for (const Tensor& input : node->inputs.span()) step.inputs.push_back(source(input));
  }
  for (const Tensor& result : results) results_.push_back(source(result));
}

std::string Trace::difference(const Trace& other) const {
  for (std::size_t i = 0; i < std::max(steps_.size(), other.steps_.size()); ++i) {
    if (i >= other.steps_.size()) return describe(*steps_[i].op, steps_[i].shape) + " is no longer there";
    const Step& now = other.steps_[i];
    if (i >= steps_.size()) return describe(*now.op, now.shape) + " was not there";
    const Step& before = steps_[i];
    if (before.op->name() != now.op->name() || before.shape != now.shape)
      return describe(*before.op, before.shape) + " is " + describe(*now.op, now.shape) + " now";
    if (!before.op->same_as(*now.op) || before.dtype != now.dtype) return describe(*now.op, now.shape) + " has another parameter or dtype now";
    if (before.inputs != now.inputs) return describe(*now.op, now.shape) + " is of other operands now";
  }
  for (std::size_t i = 0; i < std::min(outside_.size(), other.outside_.size()); ++i)
    if (std::string text = difference_of(outside_[i], other.outside_[i]); !text.empty()) return text;
  return results_ == other.results_ ? "" : "its results are other tensors now";
}

void verify_trace(std::string_view name, const Trace& before, std::span<Node* const> inputs, std::size_t arguments,
                  const std::function<std::vector<Tensor>(std::span<const Tensor>)>& record) {
  NoGrad guard;
  std::vector<Tensor> stand_ins;
  std::string shapes;
  for (Node* input : inputs) {
    evaluate(input);
    stand_ins.push_back(make_leaf(input->shape, input->dtype, contiguous_value(*input)));
    stand_ins.back().node()->leaf = Ref<Leaf>(new Leaf);
    if (stand_ins.size() <= arguments) shapes += (shapes.empty() ? "" : ", ") + to_string(input->shape) + ' ' + std::string(name_of(input->dtype));
  }
  const Capturing under_way(name, true);
  const std::vector<Tensor> results = record(stand_ins);
  const std::string difference = before.difference(Trace(stand_ins, results));
  if (!difference.empty())
    throw std::logic_error(std::string(name) + ": the function does not do what it did when it was recorded for arguments of " + shapes + ": " + difference +
                           "; later runs would not see that. Pass what changes from call to call as an argument");
}

}  // namespace xgrad::detail
