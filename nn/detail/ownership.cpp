#include <algorithm>
#include <atomic>
#include <autodiff/debug/graph.hpp>
#include <autodiff/core/tape.hpp>
#include <mutex>
#include <nn/detail/ownership.hpp>
#include <stdexcept>
#include <string>
#include <unordered_map>

namespace xgrad::nn::detail {
namespace {

using xgrad::detail::Node;

/// The parameters that were made and have no owner yet.
struct Waiting {
  std::mutex mutex;
  std::unordered_map<const Node*, Tensor> parameters;
  std::atomic<std::size_t> count{0};

  /// Forgets those that nobody else holds any more.
  void prune() {
    std::erase_if(parameters, [](const auto& entry) { return entry.second.node()->references() == 1; });
    count = parameters.size();
  }
};
Waiting& waiting() {
  static Waiting* const all = new Waiting;  // for parameters that outlive statics
  return *all;
}

[[noreturn]] void refuse(std::string_view who, const char* what, const Tensor& leaf) {
  throw std::logic_error(std::string(who) + ": a parameter of shape " + to_string(leaf.shape()) + " and dtype " + std::string(name_of(leaf.dtype())) + ' ' +
                         what + " belongs to no module and no optimiser: is it missing in XGRAD_MODULE? If it is not to be trained, "
                         "call set_requires_grad(false) on it, or take detach()");
}

}  // namespace

void own(const Tensor& parameter) {
  const auto& leaf = parameter.node()->leaf;
  if (!leaf || leaf->owned.exchange(true, std::memory_order_relaxed)) return;
  Waiting& all = waiting();
  if (all.count.load(std::memory_order_relaxed) == 0) return;
  const std::lock_guard lock(all.mutex);
  all.parameters.erase(parameter.node());
  all.count = all.parameters.size();
}

bool owned(const Tensor& parameter) {
  const auto& leaf = parameter.node()->leaf;
  return leaf && leaf->owned;
}

void await_owner(const Tensor& parameter) {
  Waiting& all = waiting();
  const std::lock_guard lock(all.mutex);
  all.prune();
  all.parameters.emplace(parameter.node(), parameter);
  all.count = all.parameters.size();
}

void check_gradients_owned(std::string_view who) {
  Waiting& all = waiting();
  if (all.count.load(std::memory_order_relaxed) == 0) return;
  const std::lock_guard lock(all.mutex);
  all.prune();
  for (const auto& [node, parameter] : all.parameters)
    if (parameter.grad().defined()) refuse(who, "that has a gradient", parameter);
}

void check_owned(std::string_view who, const Tensor& output, std::span<const Tensor> known) {
  for (const Node* node : xgrad::detail::recorded(who, output)) {
    if (node->op || !node->requires_grad || !node->leaf || node->leaf->owned) continue;
    if (std::any_of(known.begin(), known.end(), [node](const Tensor& tensor) { return xgrad::detail::resolve(tensor.node()) == node; })) continue;
    refuse(who, "that the result depends on", Tensor(xgrad::detail::Ref<Node>(const_cast<Node*>(node))));
  }
}

}  // namespace xgrad::nn::detail
