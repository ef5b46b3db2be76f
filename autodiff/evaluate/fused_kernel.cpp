#include <autodiff/core/per_thread.hpp>
#include <autodiff/evaluate/fused_kernel.hpp>
#include <autodiff/kernels/instructions.hpp>

namespace xgrad::detail {

std::byte* working_memory(std::size_t bytes) {
  struct alignas(Buffer::alignment) Line {
    std::byte bytes[Buffer::alignment];
  };
  struct Lines {
    std::vector<Line> lines;
  };
  std::vector<Line>& lines = per_thread<Lines>().lines;
  if (lines.size() * sizeof(Line) < bytes) {
    lines.clear();
    lines.resize((bytes + sizeof(Line) - 1) / sizeof(Line));
  }
  return lines.data()->bytes;
}

VectorType vector_type(const ElementwiseOp& op, DType dtype, std::span<const DType> operands) {
  DType type = dtype;
  for (const DType operand : operands)
    if (operand != DType::bool_) {
      if (type != DType::bool_ && operand != type) return VectorType::none;
      type = operand;
    }
  if (!is_floating(type) || !op.vector_kernel(type, 1).wide) return VectorType::none;
  return type == DType::float32 ? VectorType::float32 : VectorType::float64;
}

std::unique_ptr<const Program> compile(const GroupTask& task) {
  const GroupItem& item = task.items.front();
  if (item.sum.kind != FusedSum::Kind::none)
    return compile_vectors(task, item.dtype == DType::float32 ? VectorType::float32 : VectorType::float64);
  const std::size_t inputs = task.inputs.size();
  std::vector<DType> operands;
  for (std::size_t k = 0; k < item.arity; ++k)
    operands.push_back(item.operands[k] < inputs ? task.inputs[item.operands[k]].dtype : task.items[item.operands[k] - inputs].dtype);
  const VectorType type = vector_type(static_cast<const ElementwiseOp&>(*item.op), item.dtype, operands);
  return type == VectorType::none ? compile_tiles(task) : compile_vectors(task, type);
}

}  // namespace xgrad::detail
