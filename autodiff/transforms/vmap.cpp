#include <algorithm>
#include <atomic>
#include <autodiff/transforms/batch_recording.hpp>
#include <autodiff/ops/batching.hpp>
#include <autodiff/core/evaluator.hpp>
#include <autodiff/core/trace_state.hpp>
#include <autodiff/kernels/tiles.hpp>
#include <autodiff/ops/rearrange.hpp>
#include <autodiff/transforms/vmap.hpp>
#include <stdexcept>
#include <string>
#include <unordered_set>

namespace xgrad {
namespace detail {
namespace {

/// Has the value of its input, but takes note of being asked for it.
struct StandIn final : GeneralOp {
  std::string_view name() const override { return "vmap"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    read = true;
    copy_contiguous(inputs[0], output.data);
  }
  Tensor vjp(std::size_t, const Tensor&, std::span<const Tensor>, const Tensor&) const override { return {}; }
  mutable std::atomic<bool> read = false;
};

}  // namespace

BatchRecording::BatchRecording(const TensorFunction& f, const std::vector<Tensor>& examples) : stand_in_(std::make_shared<const StandIn>()) {
  const GradMode tracking(true);
  const Tracing tracing;  // nothing is computed ahead, and views of values are recorded
  std::unordered_set<const Node*> depending;
  std::uint64_t first = ~std::uint64_t{0};
  for (const Tensor& example : examples) {
    inputs_.push_back(record(stand_in_, {&example, 1}, example.shape(), example.dtype()));
    Node* node = inputs_.back().node();
    node->requires_grad = is_floating(example.dtype());  // whether or not the batch does: `f` may take gradients
    depending.insert(node);
    first = std::min(first, node->sequence);
  }
  output_ = f(inputs_);
  check_defined("vmap", output_);
  if (read_values()) return;

  std::vector<Node*> stack{resolve(output_.node())}, found;
  std::unordered_set<const Node*> seen(depending.begin(), depending.end());
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    if (node->sequence < first || !seen.insert(node).second) continue;
    found.push_back(node);
    for (const Tensor& input : node->inputs.span()) stack.push_back(input.node());
  }
  sort_by_sequence(found);
  for (Node* node : found) {
    const std::span<const Tensor> inputs = std::as_const(node->inputs).span();
    if (std::none_of(inputs.begin(), inputs.end(), [&](const Tensor& input) { return depending.contains(input.node()); })) continue;
    depending.insert(node);
    nodes_.push_back(node);
    largest_ = std::max(largest_, size_of(node->shape));
  }
}

bool BatchRecording::read_values() const { return static_cast<const StandIn&>(*stand_in_).read; }

Tensor BatchRecording::apply(const std::vector<Tensor>& batches) const {
  const std::int64_t count = batches[0].shape(0);
  std::unordered_map<const Node*, Tensor> results;
  for (std::size_t i = 0; i < batches.size(); ++i) results[inputs_[i].node()] = batches[i];
  for (const Node* node : nodes_) {
    std::vector<Tensor> inputs;
    std::vector<bool> mapped;
    for (const Tensor& input : node->inputs.span()) {
      const auto found = results.find(input.node());
      mapped.push_back(found != results.end());
      inputs.push_back(mapped.back() ? found->second : input);
    }
    const GradMode mode(grad_enabled() && node->requires_grad);
    const Batched batched(node->op, std::move(inputs), std::move(mapped), count, node->shape, node->dtype);
    Tensor result = node->op->vectorized(batched);
    results[node] = result.defined() ? result : batched.one_by_one();
  }
  const auto found = results.find(resolve(output_.node()));
  const Tensor result = found != results.end() ? found->second : Batched(nullptr, {output_}, {false}, count, output_.shape(), output_.dtype()).full(0);
  return grad_enabled() ? result : result.detach();
}

namespace {

std::string in_all(const std::vector<MappedAxis>& axes, const std::vector<Tensor>& inputs) {
  std::string text;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    text += (i ? ", " : "") + to_string(inputs[i].shape()) + (axes[i] ? " along " + std::to_string(*axes[i]) : " as it is");
  return text;
}

/// How many elements there are; moves their axes to the front.
std::int64_t to_front(const std::vector<MappedAxis>& axes, std::vector<Tensor>& inputs) {
  for (const Tensor& input : inputs) check_defined("vmap", input);
  if (inputs.size() != axes.size())
    throw detail::located<std::invalid_argument>("vmap: " + std::to_string(axes.size()) + " axes for " + std::to_string(inputs.size()) + " arguments");
  const std::string given = in_all(axes, inputs);
  std::int64_t count = -1;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!axes[i]) continue;
    const std::int64_t axis = normalize_axis("vmap", *axes[i], inputs[i].shape()), extent = inputs[i].shape(axis);
    if (extent == 0) throw detail::located<std::invalid_argument>("vmap: axis " + std::to_string(axis) + " of shape " + to_string(inputs[i].shape()) + " is empty");
    if (count >= 0 && extent != count) throw detail::located<std::invalid_argument>("vmap: different numbers of elements: " + given);
    count = extent;
    inputs[i] = moveaxis(inputs[i], axis, 0);
  }
  if (count < 0) throw detail::located<std::invalid_argument>("vmap: no argument is mapped: " + given);
  return count;
}

}  // namespace

TensorFunction vmap(TensorFunction f, std::vector<MappedAxis> axes) {
  const auto reads = std::make_shared<std::atomic<bool>>(false);  // once seen to, it is not tried again
  return [f = std::move(f), axes = std::move(axes), reads](std::vector<Tensor> inputs) {
    const std::int64_t count = to_front(axes, inputs);
    const auto all_with = [&](std::vector<Tensor> mapped) {
      std::vector<Tensor> all = inputs;
      for (std::size_t i = 0, next = 0; i < all.size(); ++i)
        if (axes[i]) all[i] = mapped[next++];
      return all;
    };
    const auto element = [&](std::int64_t at) {
      std::vector<Tensor> elements;
      for (std::size_t i = 0; i < inputs.size(); ++i)
        if (axes[i]) elements.push_back(inputs[i].slice(at));
      return elements;
    };
    if (!*reads) {
      const BatchRecording recording([&](const std::vector<Tensor>& mapped) { return f(all_with(mapped)); }, no_grad([&] { return element(0); }));
      if (!recording.read_values()) {
        std::vector<Tensor> batches;
        for (std::size_t i = 0; i < inputs.size(); ++i)
          if (axes[i]) batches.push_back(inputs[i]);
        return recording.apply(batches);
      }
      *reads = true;
    }
    std::vector<Tensor> results;
    for (std::int64_t at = 0; at < count; ++at) results.push_back(f(all_with(element(at))));
    return stack(results);
  };
}

}  // namespace detail
}  // namespace xgrad
