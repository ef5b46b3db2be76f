#include <algorithm>
#include <autodiff/evaluate/profile.hpp>
#include <autodiff/debug/graph.hpp>
#include <autodiff/core/tape.hpp>
#include <iomanip>
#include <ostream>
#include <sstream>
#include <unordered_set>
#include <vector>

namespace xgrad {

using detail::Node;

std::vector<const Node*> detail::recorded(std::string_view op, const Tensor& tensor) {
  detail::check_defined(op, tensor);
  std::unordered_set<const Node*> seen;
  std::vector<const Node*> nodes, stack{detail::resolve(tensor.node())};
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    if (!seen.insert(node).second) continue;
    nodes.push_back(node);
    for (const Tensor& input : node->inputs.span()) stack.push_back(input.node());
  }
  std::stable_sort(nodes.begin(), nodes.end(), [](const Node* a, const Node* b) { return a->sequence < b->sequence; });
  return nodes;
}

std::string to_dot(const Tensor& tensor) {
  std::ostringstream text;
  text << "digraph recording {\n  node [shape=box];\n";
  const std::vector<const Node*> nodes = detail::recorded("to_dot", tensor);
  std::map<const Node*, std::size_t> numbers;
  for (const Node* node : nodes) {
    const std::size_t number = numbers[node] = numbers.size();
    text << "  n" << number << " [label=\"" << (node->op ? node->op->name() : node->requires_grad ? "leaf" : "constant") << "\\n"
         << to_string(node->shape) << ' ' << name_of(node->dtype) << '"'
         << (node->op ? "" : node->requires_grad ? ", style=filled" : ", style=dashed") << "];\n";
  }
  for (const Node* node : nodes)
    for (const Tensor& input : node->inputs.span()) text << "  n" << numbers.at(input.node()) << " -> n" << numbers.at(node) << ";\n";
  text << "}\n";
  return text.str();
}

RecordingSummary summary(const Tensor& tensor) {
  RecordingSummary result;
  for (const Node* node : detail::recorded("summary", tensor)) {
    if (!node->op) {
      if (node->requires_grad) result.parameters += size_of(node->shape);
      continue;
    }
    std::vector<const Shape*> shapes;
    for (const Tensor& input : node->inputs.span()) shapes.push_back(&input.shape());
    const double flops = detail::flops_of(*node->op, shapes, node->shape);
    const double bytes = node->op->kind() == Op::Kind::view ? 0 : static_cast<double>(size_of(node->shape)) * static_cast<double>(size_of(node->dtype));
    for (RecordingSummary::Entry* entry : {&result.ops[std::string(node->op->name())], &result.total}) {
      ++entry->count;
      entry->flops += flops;
      entry->bytes += bytes;
    }
  }
  return result;
}

std::ostream& operator<<(std::ostream& stream, const RecordingSummary& summary) {
  const auto line = [&](const std::string& name, const RecordingSummary::Entry& entry) {
    stream << std::left << std::setw(24) << name << std::right << std::setw(8) << entry.count << std::setw(14) << entry.flops << std::setw(14) << entry.bytes << '\n';
  };
  stream << std::left << std::setw(24) << "op" << std::right << std::setw(8) << "count" << std::setw(14) << "flops" << std::setw(14) << "bytes" << '\n';
  for (const auto& [name, entry] : summary.ops) line(name, entry);
  line("total", summary.total);
  return stream << "parameters: " << summary.parameters << '\n';
}

}  // namespace xgrad
