// Groups of any dtypes: each kernel runs over a whole tile before the next one does.
#include <algorithm>
#include <autodiff/evaluate/fused_kernel.hpp>

namespace xgrad::detail {
namespace {

constexpr std::uint32_t none = ~std::uint32_t{0};

class TileProgram final : public Program {
 public:
  explicit TileProgram(const GroupTask& task)
      : items_(task.items), plan_(task.inputs, task.shape, std::min(tile_size, static_cast<std::size_t>(size_of(task.shape))), tile_size) {
    const std::size_t inputs = task.inputs.size();
    last_use_.assign(inputs + items_.size(), 0);
    for (std::size_t i = 0; i < items_.size(); ++i) {
      kernels_.push_back(static_cast<const ElementwiseOp&>(*items_[i].op).tile_kernel(items_[i].operand_dtype));
      for (std::size_t k = 0; k < items_[i].arity; ++k) last_use_[items_[i].operands[k]] = static_cast<std::uint32_t>(i);
    }
    // Tiles for values that are not stored, each free again after its last use.
    std::vector<std::uint32_t> free;
    tile_of_.assign(items_.size(), none);
    for (std::size_t i = 0; i < items_.size(); ++i) {
      const GroupItem& item = items_[i];
      if (!item.stored) {
        if (free.empty()) free.push_back(tiles_++);
        tile_of_[i] = free.back();
        free.pop_back();
      }
      for (std::size_t k = 0; k < item.arity; ++k) {
        const std::uint32_t at = item.operands[k];
        const bool again = std::find(item.operands, item.operands + k, at) != item.operands + k;
        if (at >= inputs && last_use_[at] == i && !again && tile_of_[at - inputs] != none) free.push_back(tile_of_[at - inputs]);
      }
    }
    tile_bytes_ = (std::min(tile_size, plan_.size()) * sizeof(double) + Buffer::alignment - 1) / Buffer::alignment * Buffer::alignment;
  }

  void run(std::span<const std::byte* const> inputs, std::span<std::byte* const> outputs) const override {
    const Ref<Buffer> scratch = Buffer::allocate(plan_.scratch_bytes() + tiles_ * tile_bytes_);
    auto* memory = static_cast<std::byte*>(scratch->data());
    std::byte* tiles = memory + plan_.scratch_bytes();
    std::vector<const std::byte*> registers(inputs.size() + items_.size());
    TileWalk walk(plan_, memory, registers.data(), 0);
    walk.go_on(inputs, plan_.size());
    while (walk.next()) {
      for (std::size_t i = 0; i < items_.size(); ++i) {
        const GroupItem& item = items_[i];
        const void* operands[3];
        for (std::size_t k = 0; k < item.arity; ++k) operands[k] = registers[item.operands[k]];
        std::byte* result = item.stored ? outputs[i] + walk.first() * size_of(item.dtype) : tiles + tile_of_[i] * tile_bytes_;
        kernels_[i](operands, result, walk.count());
        registers[inputs.size() + i] = result;
      }
    }
  }

  bool may_overwrite(std::size_t item, std::size_t input) const override { return last_use_[input] <= item && plan_.advances(input); }

 private:
  std::vector<GroupItem> items_;
  std::vector<TileKernel> kernels_;
  TilePlan plan_;
  std::vector<std::uint32_t> last_use_, tile_of_;
  std::uint32_t tiles_ = 0;
  std::size_t tile_bytes_ = 0;
};

}  // namespace

std::unique_ptr<const Program> compile_tiles(const GroupTask& task) { return std::make_unique<const TileProgram>(task); }

}  // namespace xgrad::detail
