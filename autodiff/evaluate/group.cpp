#include <algorithm>
#include <autodiff/evaluate/evaluate.hpp>
#include <autodiff/evaluate/group.hpp>
#include <autodiff/evaluate/tiles.hpp>
#include <vector>

namespace xgrad::detail {
namespace {

constexpr std::uint32_t none = ~std::uint32_t{0};

/// One kernel of the pass. Operands and result are registers: first the inputs of the group, then its nodes.
struct Instruction {
  TileKernel kernel;
  std::uint32_t operands[4];
  std::uint32_t arity;
};

/// The buffer of an input that only this group holds and that nothing reads after node `i` writes; else a fresh one.
Value output_value(const Node& node, std::size_t i, std::vector<Node*>& inputs, std::span<const std::uint32_t> last_use) {
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    const Node* input = inputs[k];
    if (input && last_use[k] <= i && input->value.contiguous && input->dtype == node.dtype && input->shape == node.shape &&
        input->value.buffer && input->value.buffer->references() == 1) {
      inputs[k] = nullptr;  // given away once
      return input->value;
    }
  }
  return fresh_value(node);
}

}  // namespace

void run_group(std::span<Node* const> nodes, std::span<const bool> stored) {
  const Shape& shape = nodes.front()->shape;
  const auto size = static_cast<std::size_t>(size_of(shape));

  // Inputs may be shared with other threads, so they are looked up here rather than marked.
  std::vector<Node*> inputs;
  for (std::size_t i = 0; i < nodes.size(); ++i) nodes[i]->place = static_cast<std::uint32_t>(i + 1);
  const auto in_group = [&](const Node* node) {
    return !node->evaluated && node->place != 0 && node->place <= nodes.size() && nodes[node->place - 1] == node;
  };
  for (Node* node : nodes)
    for (const Tensor& operand : node->inputs.span())
      if (!in_group(operand.node())) inputs.push_back(operand.node());
  std::sort(inputs.begin(), inputs.end());
  inputs.erase(std::unique(inputs.begin(), inputs.end()), inputs.end());
  const auto first_node = static_cast<std::uint32_t>(inputs.size());
  const auto register_of = [&](Node* node) {
    if (in_group(node)) return first_node + node->place - 1;
    return static_cast<std::uint32_t>(std::lower_bound(inputs.begin(), inputs.end(), node) - inputs.begin());
  };

  std::vector<Instruction> program(nodes.size());
  std::vector<std::uint32_t> last_use(first_node + nodes.size(), 0), uses(inputs.size(), 0);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const std::span<const Tensor> operands = std::as_const(nodes[i]->inputs).span();
    Instruction& instruction = program[i];
    instruction.kernel = static_cast<const ElementwiseOp&>(*nodes[i]->op).kernel(operands.back().dtype());
    instruction.arity = static_cast<std::uint32_t>(operands.size());
    const bool forgets = !nodes[i]->requires_grad || nodes[i]->released;
    for (std::size_t k = 0; k < operands.size(); ++k) {
      const std::uint32_t at = register_of(operands[k].node());
      instruction.operands[k] = at;
      last_use[at] = static_cast<std::uint32_t>(i);
      if (at < first_node && forgets) ++uses[at];
    }
  }
  for (Node* node : nodes) node->place = 0;

  std::vector<Array> arrays(inputs.size());
  for (std::size_t k = 0; k < inputs.size(); ++k) arrays[k] = inputs[k]->array();
  for (std::size_t k = 0; k < inputs.size(); ++k)
    if (inputs[k]->references() != uses[k] || inputs[k]->leaf) inputs[k] = nullptr;  // someone else holds it

  // Tiles for values that are not stored, each free again after its last use.
  std::vector<std::uint32_t> tile_of(nodes.size(), none), free_tiles;
  std::uint32_t tiles = 0;
  std::vector<Value> values(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (stored[i]) {
      values[i] = output_value(*nodes[i], i, inputs, last_use);
    } else if (free_tiles.empty()) {
      tile_of[i] = tiles++;
    } else {
      tile_of[i] = free_tiles.back();
      free_tiles.pop_back();
    }
    const Instruction& instruction = program[i];
    for (std::uint32_t k = 0; k < instruction.arity; ++k) {
      const std::uint32_t at = instruction.operands[k];
      const bool again = std::find(instruction.operands, instruction.operands + k, at) != instruction.operands + k;
      if (at >= first_node && last_use[at] == i && !again && tile_of[at - first_node] != none)
        free_tiles.push_back(tile_of[at - first_node]);
    }
  }

  const std::size_t tile_bytes = bytes_of_tile(size);
  const Ref<Buffer> scratch = Buffer::allocate(tiles * tile_bytes);
  std::vector<std::byte*> base(nodes.size());
  std::vector<std::size_t> step(nodes.size(), 0);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (stored[i]) {
      step[i] = size_of(nodes[i]->dtype);
      base[i] = static_cast<std::byte*>(values[i].buffer->data()) + static_cast<std::size_t>(values[i].offset) * step[i];
    } else {
      base[i] = static_cast<std::byte*>(scratch->data()) + tile_of[i] * tile_bytes;
    }
  }

  std::vector<const void*> registers(first_node + nodes.size());
  const auto run = [&](std::size_t first, std::size_t count) {
    for (std::size_t i = 0; i < program.size(); ++i) {
      const Instruction& instruction = program[i];
      const void* operands[4];
      for (std::uint32_t k = 0; k < instruction.arity; ++k) operands[k] = registers[instruction.operands[k]];
      void* result = base[i] + first * step[i];
      registers[first_node + i] = result;
      instruction.kernel(operands, result, count);
    }
  };
  for (TileWalk walk(arrays, shape); size > 0 && walk.next();) {
    std::copy(walk.pointers().begin(), walk.pointers().end(), registers.begin());
    run(walk.first(), walk.count());
  }

  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (stored[i]) {
      nodes[i]->value = std::move(values[i]);
      nodes[i]->evaluated = true;
    }
}

}  // namespace xgrad::detail
