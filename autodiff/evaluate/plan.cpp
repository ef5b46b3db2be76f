#include <algorithm>
#include <autodiff/evaluate/plan.hpp>
#include <queue>

namespace xgrad::detail {
namespace {

// Bounds the tiles of a pass, and with them its share of the cache.
constexpr std::uint32_t longest_pass = 256;

bool is_elementwise(const Node& node) { return node.op->kind() == Op::Kind::elementwise; }

}  // namespace

std::vector<Pass> plan(std::span<Node* const> nodes) {
  const auto count = static_cast<std::uint32_t>(nodes.size());
  for (std::uint32_t i = 0; i < count; ++i) nodes[i]->place = i + 1;
  const auto index_of = [](const Tensor& input) {  // of an input that is computed here, else 0
    return input.node()->evaluated ? 0 : input.node()->place;
  };

  // A node joins its elementwise inputs of the same shape. A level is how many times a path from the start leaves a pass;
  // only nodes of one level join, so that no path leaves a pass and comes back.
  std::vector<std::uint32_t> level(count, 0), pass_of(count);
  std::vector<std::uint32_t> parent(count);
  const auto find = [&](std::uint32_t i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
  };
  for (std::uint32_t i = 0; i < count; ++i) {
    parent[i] = i;
    const bool joins = is_elementwise(*nodes[i]);
    const auto joinable = [&](std::uint32_t k) { return joins && is_elementwise(*nodes[k]) && nodes[k]->shape == nodes[i]->shape; };
    for (const Tensor& input : nodes[i]->inputs.span())
      if (const std::uint32_t at = index_of(input)) level[i] = std::max(level[i], level[at - 1] + (joinable(at - 1) ? 0 : 1));
    for (const Tensor& input : nodes[i]->inputs.span())
      if (const std::uint32_t at = index_of(input); at && joinable(at - 1) && level[at - 1] == level[i])
        parent[find(at - 1)] = find(i);
  }

  std::vector<Pass> passes;
  std::vector<std::uint32_t> open(count, count);  // the pass that the nodes of a set now go to
  for (std::uint32_t i = 0; i < count; ++i) {
    std::uint32_t& pass = open[find(i)];
    if (pass == count || passes[pass].nodes.size() == longest_pass) {
      pass = static_cast<std::uint32_t>(passes.size());
      passes.emplace_back();
    }
    passes[pass].nodes.push_back(nodes[i]);
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
    return passes[a].nodes.back()->sequence > passes[b].nodes.back()->sequence;
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
