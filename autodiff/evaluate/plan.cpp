#include <algorithm>
#include <autodiff/evaluate/plan.hpp>
#include <autodiff/ops/reduction.hpp>
#include <limits>
#include <queue>

namespace xgrad::detail {
namespace {

// Bounds the tiles of a pass, and with them its share of the cache.
constexpr std::uint32_t longest_pass = 256;

// Shorter rows are not worth the trouble; more columns than these would not stay in the cache.
constexpr std::size_t shortest_row = 128, most_columns = 1 << 14;

/// What elementwise nodes must have in common to share a pass, beside the shape.
enum class Class : std::uint8_t { other, any, float32, float64 };

Class class_of(const Node& node) {
  if (node.op->kind() != Op::Kind::elementwise) return Class::other;
  xt::svector<DType, 4> operands;
  for (const Tensor& input : node.inputs.span()) operands.push_back(input.node()->dtype);
  const VectorType type = vector_type(static_cast<const ElementwiseOp&>(*node.op), node.dtype, {operands.data(), operands.size()});
  return type == VectorType::none ? Class::any : type == VectorType::float32 ? Class::float32 : Class::float64;
}

}  // namespace

FusedSum fused_sum(const Node& node) {
  FusedSum sum;
  if (node.op->kind() != Op::Kind::sum) return sum;
  const Shape& shape = node.inputs.span()[0].shape();
  if (!is_floating(node.dtype)) return sum;
  const auto& axes = static_cast<const Reduction&>(*node.op).axes;
  std::size_t reduced = 1, kept = 1, last = 1;
  bool reduced_last = false, reduced_before_kept = false, kept_before_reduced = false;
  for (std::size_t i = 0, next = 0; i < shape.size(); ++i) {
    const bool is_reduced = next < axes.size() && axes[next] == static_cast<std::int64_t>(i);
    if (is_reduced) ++next;
    const auto extent = static_cast<std::size_t>(shape[i]);
    if (extent == 1) continue;
    if (extent == 0) return sum;
    (is_reduced ? reduced : kept) *= extent;
    reduced_last = is_reduced;
    last = extent;
    reduced_before_kept = reduced_before_kept || (!is_reduced && reduced > 1);
    kept_before_reduced = kept_before_reduced || (is_reduced && kept > 1);
  }
  if (reduced == 1 || (reduced_before_kept && kept_before_reduced)) return sum;
  if (last < shortest_row) last = 0;
  if (kept == 1) return {FusedSum::Kind::all, reduced, last};
  if (reduced_last && reduced >= shortest_row) return {FusedSum::Kind::rows, reduced, last};
  if (!reduced_last && kept >= shortest_row && kept <= most_columns) return {FusedSum::Kind::columns, kept, last};
  return sum;
}

std::vector<Pass> plan(std::span<Node* const> nodes) {
  const auto count = static_cast<std::uint32_t>(nodes.size());
  for (std::uint32_t i = 0; i < count; ++i) nodes[i]->place = i + 1;
  const auto index_of = [](const Tensor& input) {  // of an input that is computed here, else 0
    return input.node()->evaluated ? 0 : input.node()->place;
  };

  std::vector<Class> classes(count);
  std::vector<bool> sums(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    classes[i] = class_of(*nodes[i]);
    sums[i] = classes[i] == Class::other && fused_sum(*nodes[i]).kind != FusedSum::Kind::none;
  }
  const auto joinable = [&](std::uint32_t from, std::uint32_t to) {
    if (sums[to]) return classes[from] > Class::any && is_floating(nodes[from]->dtype);
    return classes[to] != Class::other && classes[from] == classes[to] && nodes[from]->shape == nodes[to]->shape;
  };

  // A node joins its elementwise inputs of the same shape and class. A level grows wherever a path leaves a pass; only
  // nodes of one level join, so that no path leaves a pass and comes back. Nodes are as late as those that use them allow,
  // for what is computed where it is needed need not be stored; those that gain nothing from it go to their inputs.
  std::vector<std::int32_t> level(count, 0);
  std::vector<bool> joined(count, false);
  for (std::uint32_t i = count; i-- > 0;)
    for (const Tensor& input : nodes[i]->inputs.span())
      if (const std::uint32_t at = index_of(input)) level[at - 1] = std::min(level[at - 1], level[i] - (joinable(at - 1, i) ? 0 : 1));
  for (std::uint32_t i = 0; i < count; ++i)
    for (const Tensor& input : nodes[i]->inputs.span())
      if (const std::uint32_t at = index_of(input); at && joinable(at - 1, i) && level[at - 1] == level[i]) joined[at - 1] = true;
  std::vector<std::uint32_t> parent(count), pass_of(count);
  const auto find = [&](std::uint32_t i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
  };
  for (std::uint32_t i = 0; i < count; ++i) {
    parent[i] = i;
    if (!joined[i]) {
      std::int32_t earliest = std::numeric_limits<std::int32_t>::min();
      for (const Tensor& input : nodes[i]->inputs.span())
        if (const std::uint32_t at = index_of(input)) earliest = std::max(earliest, level[at - 1] + (joinable(at - 1, i) ? 0 : 1));
      level[i] = std::max(earliest, std::numeric_limits<std::int32_t>::min() / 2);
    }
    for (const Tensor& input : nodes[i]->inputs.span())
      if (const std::uint32_t at = index_of(input); at && joinable(at - 1, i) && level[at - 1] == level[i])
        parent[find(at - 1)] = find(i);
  }

  std::vector<Pass> passes;
  std::vector<std::uint32_t> open(count, count);  // the pass that the nodes of a set now go to
  for (std::uint32_t i = 0; i < count; ++i) {
    std::uint32_t& pass = open[find(i)];
    if (classes[i] == Class::other && find(i) != i) {  // a sum stays with its terms
      pass_of[i] = pass_of[index_of(nodes[i]->inputs.span()[0]) - 1];
      passes[pass_of[i]].nodes.push_back(i);
      continue;
    }
    if (pass == count || passes[pass].nodes.size() == longest_pass) {
      pass = static_cast<std::uint32_t>(passes.size());
      passes.emplace_back();
    }
    passes[pass].nodes.push_back(i);
    pass_of[i] = pass;
  }

  // Passes in topological order, the one whose last node was recorded first at the front.
  const std::size_t total = passes.size();
  std::vector<std::vector<std::uint32_t>> after(total);
  std::vector<std::uint32_t> waits(total, 0);
  for (std::uint32_t i = 0; i < count; ++i)
    for (const Tensor& input : nodes[i]->inputs.span())
      if (const std::uint32_t at = index_of(input); at && pass_of[at - 1] != pass_of[i]) {
        after[pass_of[at - 1]].push_back(pass_of[i]);
        ++waits[pass_of[i]];
      }
  for (Node* node : nodes) node->place = 0;
  const auto later = [&](std::uint32_t a, std::uint32_t b) {
    return passes[a].nodes.back() > passes[b].nodes.back();
  };
  std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, decltype(later)> ready(later);
  for (std::uint32_t p = 0; p < total; ++p)
    if (waits[p] == 0) ready.push(p);
  std::vector<Pass> ordered;
  ordered.reserve(total);
  while (!ready.empty()) {
    const std::uint32_t p = ready.top();
    ready.pop();
    for (const std::uint32_t next : after[p])
      if (--waits[next] == 0) ready.push(next);
    ordered.push_back(std::move(passes[p]));
  }
  return ordered;
}

}  // namespace xgrad::detail
