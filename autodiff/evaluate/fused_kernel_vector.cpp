// Groups of one floating type. A block of eight vectors passes through all steps of a group before the next block does;
// what one step hands to the next stays in registers, what is needed later lies in a tile of one block.
#include <algorithm>
#include <autodiff/evaluate/codegen_x86.hpp>
#include <autodiff/evaluate/fused_kernel.hpp>
#include <autodiff/kernels/instruction_sets.hpp>
#include <autodiff/kernels/instructions.hpp>
#include <autodiff/evaluate/peephole.hpp>
#include <autodiff/core/scratch.hpp>
#include <autodiff/kernels/threads.hpp>
#include <bit>
#include <cstring>
#include <new>
#include <numeric>
#include <type_traits>

namespace xgrad::detail {
namespace {

constexpr std::uint32_t none = ~std::uint32_t{0};
constexpr std::uintptr_t advances = ~std::uintptr_t{0};
constexpr std::size_t longest_run = 4096;
/// Elements that one thread computes at a time: sums are taken of such parts, whatever the number of threads.
constexpr std::size_t part_elements = 1 << 15;
constexpr std::size_t most_parts = 64;

static_assert(std::is_trivially_destructible_v<TileWalk>);  // it lies in working memory

std::size_t round_up(std::size_t n, std::size_t step) { return (n + step - 1) / step * step; }

template <class T>
class VectorProgram final : public RangedProgram {
  const VectorMachine<T> machine_ = with_simd([]<class Simd>(Simd) { return vector_machine<Simd, T>(); });
  const std::size_t width = machine_.width, block = wide_vectors * width;

 public:
  explicit VectorProgram(const GroupTask& task)
      : items_(task.items), inputs_(task.inputs.size()), last_read_(inputs_, 0), store_at_(items_.size(), 0) {
    const auto size = static_cast<std::size_t>(size_of(task.shape));
    for (const Array& input : task.inputs) input_bytes_.push_back(size_of(input.dtype));
    std::vector<std::size_t> splits;
    for (std::size_t i = 0; i < items_.size(); ++i) {
      const FusedSum& sum = items_[i].sum;
      if (sum.kind == FusedSum::Kind::none) {
        if (items_[i].stored) stored_.push_back(static_cast<std::uint32_t>(i));
        continue;
      }
      sums_.push_back(static_cast<std::uint32_t>(i));
      if (sum.last_axis != 0) splits.push_back(sum.last_axis);
      if (sum.kind != FusedSum::Kind::all) splits.push_back(sum.length);
    }
    std::sort(splits.begin(), splits.end());
    splits.erase(std::unique(splits.begin(), splits.end()), splits.end());
    // Blocks of eight vectors start anew with a row where sums are told to, else they run on.
    for (const std::uint32_t i : sums_)
      range_unit_ = std::lcm(range_unit_, items_[i].sum.last_axis != 0 ? items_[i].sum.last_axis : block);
    for (const std::size_t split : splits) range_unit_ = std::lcm(range_unit_, split);
    // Parts have whole rows.
    part_ = round_up(std::max(part_elements, size / most_parts), splits.empty() ? 1 : splits.back());
    // Rows are of whole rows of fewer axes, so the shortest tells of all.
    plan_ = TilePlan(task.inputs, task.shape, std::min(block, round_up(std::max<std::size_t>(size, 1), width)), longest_run,
                     splits.empty() ? 0 : splits.front(), sums_.empty() ? 0 : block);
    schedule(task);
    lay_out();
    small_ = sums_.empty() && plan_.is_one_tile();
  }

  void about_to_run() const override {
    if (runs_until_generated_ == 0 || --runs_until_generated_ != 0) return;
    const auto is_number = [this](std::uint32_t slot) { return is_constant(slot); };
    generated_ = GeneratedSteps::make(machine_, plain_, {static_cast<std::uint32_t>(inputs_ + items_.size()), is_number}, steps_.wide);
    plain_ = {};
    if (generated_ && generated_->loop()) plan_.shorten_constants(width);
  }

  void run(Inputs inputs, Outputs outputs) const override {
    about_to_run();
    if (small_) {
      run_small(inputs, outputs);
      return;
    }
    const std::size_t elements = size(), parts = elements == 0 ? 0 : (elements + part_ - 1) / part_;
    const auto run_part = [&](std::size_t begin, std::size_t end, std::byte* partial) {
      std::byte* working = working_memory(working_bytes(end - begin));
      start(working, outputs, begin, end);
      run_range(working, inputs, outputs, end);
      finish(working, outputs, partial);
    };
    if (parts <= 1) {
      run_part(0, elements, nullptr);
      return;
    }
    const std::size_t values = partial_values();
    const Scratch<T> partial(values * parts);
    auto* const memory = reinterpret_cast<std::byte*>(partial.data());
    parallel_for(parts, [&](std::size_t part) {
      run_part(part * part_, std::min(elements, (part + 1) * part_), memory + part * values * sizeof(T));
    });
    add_parts(memory, parts, outputs);
  }

  bool may_overwrite(std::size_t item, std::size_t input) const override {
    return items_[item].sum.kind == FusedSum::Kind::none && store_at_[item] > last_read_[input] && plan_.advances(input);
  }

  std::size_t size() const override { return plan_.size(); }
  std::size_t part() const override { return partial_values() > 0 ? part_ : 0; }
  std::size_t range_unit() const override { return range_unit_; }
  std::size_t value_bytes() const override { return sizeof(T); }
  std::size_t partial_values() const override {
    std::size_t values = 0;
    for (const std::uint32_t i : sums_) values += result_size(items_[i].sum);
    return values;
  }

  std::size_t working_bytes(std::size_t elements) const override {
    std::size_t bytes = layout_.sum_memory;
    for (const std::uint32_t i : sums_) bytes += round_up(sum_bytes(i, elements), 64);
    return bytes;
  }

  void start(std::byte* memory, Outputs outputs, std::size_t begin, std::size_t end) const override {
    Working at = working(memory);
    new (at.walk) TileWalk(plan_, memory, at.pointers, begin);
    const std::size_t moving = inputs_ + items_.size();
    for (std::size_t k = 0; k < tiles_; ++k) at.pointers[moving + k] = at.edge_pointers[moving + k] = at.tiles + k * block * sizeof(T);
    for (std::size_t s = 0; s < sums_.size(); ++s) {
      machine_.start_sum(at.sums, s, items_[sums_[s]].sum, reinterpret_cast<T*>(outputs[sums_[s]]), begin, at.sum_memory);
      at.sum_memory += round_up(sum_bytes(sums_[s], end - begin), 64);
    }
  }

  void run_range(std::byte* memory, Inputs inputs, Outputs outputs, std::size_t end) const override {
    const Working at = working(memory);
    Frame frame;
    frame.sums = at.sums;
    TileWalk& walk = *at.walk;
    walk.go_on(inputs, end);
    while (walk.next()) {
      const std::size_t first = walk.first(), count = walk.count();
      for (const std::uint32_t i : stored_) at.pointers[inputs_ + i] = outputs[i] + first * size_of(items_[i].dtype);
      frame.pointers = at.pointers;
      const std::size_t done = run_tile(frame, first, count);
      if (done < count) run_edge(frame, at.edge_pointers, at.edges, first, done, count - done);
      if (!sums_.empty()) machine_.advance_sums(at.sums, sums_.size(), count);
    }
  }

  void finish(std::byte* memory, Outputs outputs, std::byte* partial) const override {
    const Working at = working(memory);
    T* values = reinterpret_cast<T*>(partial);
    for (std::size_t s = 0; s < sums_.size(); ++s) {
      machine_.finish_sum(at.sums, s, values ? values : reinterpret_cast<T*>(outputs[sums_[s]]));
      if (values) values += result_size(items_[sums_[s]].sum);
    }
  }

  void add_parts(std::byte* partial, std::size_t parts, Outputs outputs) const override {
    const std::size_t values = partial_values();
    T* at = reinterpret_cast<T*>(partial);
    for (const std::uint32_t i : sums_) {
      const std::size_t n = result_size(items_[i].sum);
      for (std::size_t step = 1; step < parts; step *= 2)
        for (std::size_t part = 0; part + step < parts; part += 2 * step)
          for (std::size_t j = 0; j < n; ++j) at[part * values + j] += at[(part + step) * values + j];
      if (n > 0) std::copy(at, at + n, reinterpret_cast<T*>(outputs[i]));
      at += n;
    }
  }

 private:
  /// Values that a part of the sum leaves; rows are finished in their part.
  static std::size_t result_size(const FusedSum& sum) {
    return sum.kind == FusedSum::Kind::all ? 1 : sum.kind == FusedSum::Kind::columns ? sum.length : 0;
  }

  // ---- compiling ----

  void emit(StepRole role, const VectorKernel& kernel, std::initializer_list<std::uint32_t> slots, std::initializer_list<bool> moves) {
    Instruction step;
    std::copy(slots.begin(), slots.end(), step.slots);
    std::transform(moves.begin(), moves.end(), step.masks, [](bool move) { return move ? advances : 0; });
    steps_.add(step, kernel, {.role = role});
  }
  std::uint32_t new_tile() {
    if (free_.empty()) return static_cast<std::uint32_t>(inputs_ + items_.size() + tiles_++);
    const std::uint32_t tile = free_.back();
    free_.pop_back();
    return tile;
  }
  /// Whether all elements of what lies there are equal.
  bool is_constant(std::uint32_t slot) const { return slot < inputs_ && !plan_.advances(slot); }
  bool moves(std::uint32_t slot) const {
    return slot < inputs_ ? plan_.advances(slot) : slot < inputs_ + items_.size();
  }

  /// Orders the items so that a value is used right after it is made, where that is possible.
  void schedule(const GroupTask& task) {
    const std::size_t count = items_.size();
    memory_.assign(inputs_ + count, none);
    uses_.assign(count, 0);
    std::vector<std::uint32_t> waits(count, 0);
    std::vector<std::vector<std::uint32_t>> users(count);
    std::vector<bool> done(count, false);
    for (std::uint32_t i = 0; i < count; ++i)
      for (std::size_t k = 0; k < items_[i].arity; ++k) {
        const std::uint32_t at = items_[i].operands[k];
        if (at < inputs_) continue;
        ++uses_[at - inputs_];
        ++waits[i];
        users[at - inputs_].push_back(i);
      }
    for (std::uint32_t k = 0; k < inputs_; ++k) {
      memory_[k] = k;
      if (task.inputs[k].dtype != DType::bool_) continue;
      emit(StepRole::other, machine_.load_bool, {k}, {plan_.advances(k)});
      memory_[k] = new_tile();
      emit(StepRole::store, machine_.store, {memory_[k]}, {false});
    }

    for (std::uint32_t start = 0; start < count; ++start) {
      if (done[start]) continue;
      std::uint32_t in_registers = none;
      for (std::uint32_t i = start; i != none;) {
        done[i] = true;
        if (items_[i].sum.kind != FusedSum::Kind::none) {  // of a value from another group
          load(items_[i].operands[0]);
          emit_sum(i);
          break;
        }
        emit_op(i, in_registers);
        in_registers = i;
        std::uint32_t next = none;
        for (const std::uint32_t user : users[i]) {
          if (done[user]) continue;
          --waits[user];
          if (items_[user].sum.kind != FusedSum::Kind::none) {
            emit_sum(user);
            --uses_[i];
            done[user] = true;
          } else if (waits[user] == 0 && next == none && kernel(user, accumulated(user, i)).wide) {
            next = user;
          }
        }
        keep(i, next == none ? 0 : static_cast<std::uint32_t>(std::popcount(accumulated(next, i))));
        i = next;
      }
    }
    emit(StepRole::other, machine_.end, {}, {});
    StepList shortened = Peephole<T>(machine_, steps_, [this](std::uint32_t slot) { return is_constant(slot); }).shortened();
    runs_until_generated_ = GeneratedSteps::worth_after(machine_, plan_.size());
    if (runs_until_generated_ != 0) plain_ = std::move(steps_);
    steps_ = std::move(shortened);
  }

  Accumulated accumulated(std::uint32_t i, std::uint32_t in_registers) const {
    Accumulated mask = 0;
    for (std::size_t k = 0; k < items_[i].arity; ++k)
      if (in_registers != none && items_[i].operands[k] == inputs_ + in_registers) mask |= 1u << k;
    return mask;
  }
  VectorKernel kernel(std::uint32_t i, Accumulated mask) const {
    return static_cast<const ElementwiseOp&>(*items_[i].op).vector_kernel(dtype_of<T>, mask);
  }

  void read(std::uint32_t at) {
    if (at < inputs_) last_read_[at] = steps_.size();
  }
  void load(std::uint32_t at) {
    read(at);
    emit(StepRole::load, machine_.load, {memory_[at]}, {moves(memory_[at])});
  }
  void emit_op(std::uint32_t i, std::uint32_t in_registers) {
    const GroupItem& item = items_[i];
    Accumulated mask = accumulated(i, in_registers);
    if (item.arity == 1 && mask == 0) {
      load(item.operands[0]);
      mask = 1;
    }
    Instruction step;
    for (std::size_t k = 0; k < item.arity; ++k) {
      const std::uint32_t at = item.operands[k];
      if (at >= inputs_ && --uses_[at - inputs_] == 0 && memory_[at] != none && !moves(memory_[at])) free_.push_back(memory_[at]);
      if (mask >> k & 1) continue;
      read(at);
      step.slots[k] = memory_[at];
      step.masks[k] = moves(memory_[at]) ? advances : 0;
    }
    steps_.add(step, kernel(i, mask), {static_cast<const ElementwiseOp&>(*item.op).arithmetic(), mask});
  }
  void emit_sum(std::uint32_t i) {
    const auto at = static_cast<std::uint32_t>(std::find(sums_.begin(), sums_.end(), i) - sums_.begin());
    if (items_[i].sum.kind == FusedSum::Kind::columns) emit(StepRole::sum_columns, machine_.sum_columns, {at}, {false});
    else emit(StepRole::sum, machine_.sum, {at}, {false});
  }
  /// Puts item `i`, which is in registers, where those that use it later will find it; `next` uses are served at once.
  void keep(std::uint32_t i, std::uint32_t next) {
    const auto slot = static_cast<std::uint32_t>(inputs_ + i);
    const bool is_bool = items_[i].dtype == DType::bool_;
    if (items_[i].stored) {
      store_at_[i] = steps_.size();
      if (is_bool) emit(StepRole::other, machine_.store_bool, {slot}, {true});
      else emit(StepRole::store, machine_.store, {slot}, {true});
      if (!is_bool) memory_[slot] = slot;
    }
    if (uses_[i] > next && memory_[slot] == none) {
      memory_[slot] = new_tile();
      emit(StepRole::store, machine_.store, {memory_[slot]}, {false});
    }
  }

  // ---- running ----

  std::size_t run_tile(Frame& frame, std::size_t first, std::size_t count) const {
    std::size_t done = 0;
    if (generated_ && generated_->loop() && count >= block) {
      frame.offset = 0;
      frame.element = first;
      generated_->loop()(&frame, count / block);
      done = count / block * block;
    }
    return machine_.run(steps_.wide.data(), steps_.narrow.data(), &frame, first, count, done);
  }

  /// Where one tile is all there is. Vectors may reach beyond the last element: of what they read there nothing is kept, and there is
  /// memory behind the end of every array (Buffer::slack, whole_lines).
  void run_small(Inputs inputs, Outputs outputs) const {
    std::byte* const memory = working_memory(layout_.edges);
    const Working at = working(memory);
    plan_.place(inputs, memory, at.pointers);
    for (const std::uint32_t i : stored_) at.pointers[inputs_ + i] = outputs[i];
    const std::size_t moving = inputs_ + items_.size(), count = size();
    for (std::size_t k = 0; k < tiles_; ++k) at.pointers[moving + k] = at.tiles + k * block * sizeof(T);
    Frame frame;
    frame.pointers = at.pointers;
    const std::size_t done = run_tile(frame, 0, count);
    if (done == count) return;
    frame.offset = done * sizeof(T);
    frame.element = done;
    frame.lanes = count - done;
    machine_.run_narrow(steps_.narrow.data(), &frame);
  }

  /// Where things lie in the working memory, by whole cache lines.
  struct Layout {
    std::size_t tiles, pointers, edge_pointers, edges, walk, sums, sum_memory;
  };
  struct Working {
    std::byte* tiles;
    const std::byte **pointers, **edge_pointers;
    std::byte* edges;
    TileWalk* walk;
    std::byte* sums;
    std::byte* sum_memory;
  };
  void lay_out() {
    const std::size_t moving = inputs_ + items_.size(), pointer_bytes = round_up((moving + tiles_) * sizeof(void*), 64);
    layout_.tiles = plan_.scratch_bytes();
    layout_.pointers = layout_.tiles + tiles_ * block * sizeof(T);
    layout_.edge_pointers = layout_.pointers + pointer_bytes;
    layout_.edges = layout_.edge_pointers + pointer_bytes;
    layout_.walk = layout_.edges + moving * 64;
    layout_.sums = layout_.walk + round_up(sizeof(TileWalk), 64);
    layout_.sum_memory = layout_.sums + round_up(sums_.size() * machine_.sums.bytes, 64);
  }
  Working working(std::byte* memory) const {
    return {memory + layout_.tiles, reinterpret_cast<const std::byte**>(memory + layout_.pointers),
            reinterpret_cast<const std::byte**>(memory + layout_.edge_pointers), memory + layout_.edges,
            reinterpret_cast<TileWalk*>(memory + layout_.walk), memory + layout_.sums, memory + layout_.sum_memory};
  }

  std::size_t sum_bytes(std::uint32_t i, std::size_t elements) const {
    const FusedSum& sum = items_[i].sum;
    return machine_.sum_memory(sum, sum.kind == FusedSum::Kind::columns ? elements / sum.length : 0);
  }

  /// Fewer elements than a vector has go through copies that are as long as one.
  void run_edge(Frame& frame, const std::byte** pointers, std::byte* edges, std::size_t first, std::size_t at, std::size_t count) const {
    const std::byte* const* whole = frame.pointers;
    for (std::size_t k = 0; k < inputs_; ++k) {
      pointers[k] = whole[k];
      if (!plan_.advances(k)) continue;
      std::byte* edge = edges + k * 64;
      std::memset(edge, 0, 64);
      std::memcpy(edge, whole[k] + at * input_bytes_[k], count * input_bytes_[k]);
      pointers[k] = edge;
    }
    for (const std::uint32_t i : stored_) pointers[inputs_ + i] = edges + (inputs_ + i) * 64;
    frame.pointers = pointers;
    frame.offset = 0;
    frame.element = first + at;
    frame.lanes = count;
    machine_.run_narrow(steps_.narrow.data(), &frame);
    for (const std::uint32_t i : stored_) {
      const std::size_t bytes = size_of(items_[i].dtype);
      std::memcpy(const_cast<std::byte*>(whole[inputs_ + i]) + at * bytes, edges + (inputs_ + i) * 64, count * bytes);
    }
  }

  std::vector<GroupItem> items_;
  std::size_t inputs_;
  std::vector<std::size_t> last_read_, store_at_;
  mutable TilePlan plan_;
  std::vector<std::size_t> input_bytes_;
  std::vector<std::uint32_t> stored_, sums_;  ///< which items are written element by element, and which are sums
  std::size_t part_ = 1, range_unit_ = 1;
  bool small_ = false;
  Layout layout_{};
  mutable StepList steps_;
  // What is run again and again is run by code of its own, made of the steps as they were at first.
  mutable std::uint32_t runs_until_generated_ = 0;  ///< 0 for never, or no more
  mutable StepList plain_;
  mutable std::unique_ptr<const GeneratedSteps> generated_;
  std::size_t tiles_ = 0;
  // While compiling: where the values of inputs and items lie, none while in registers only; and free tiles.
  std::vector<std::uint32_t> memory_, uses_, free_;
};

}  // namespace

std::unique_ptr<const Program> compile_vectors(const GroupTask& task, VectorType type) {
  if (type == VectorType::float32) return std::make_unique<const VectorProgram<float>>(task);
  return std::make_unique<const VectorProgram<double>>(task);
}

}  // namespace xgrad::detail
