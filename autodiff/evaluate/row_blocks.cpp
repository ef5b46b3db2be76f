#include <algorithm>
#include <autodiff/core/per_thread.hpp>
#include <autodiff/core/scratch.hpp>
#include <autodiff/evaluate/row_blocks.hpp>
#include <autodiff/kernels/threads.hpp>
#include <numeric>
#include <optional>

namespace xgrad::detail {
namespace {

using Storage = Slot::Storage;
constexpr std::size_t none = ~std::size_t{0};

/// Arrays below this stay in the cache anyway.
constexpr std::size_t least_bytes = 1 << 17;
/// Elements of the longest rows of a strip that are computed at a time: few enough for several arrays of them to lie in the
/// second-level cache, enough for a step to be worth its start. Those of a part; and the most that a strip may have to take at once.
constexpr std::size_t strip_elements = 1 << 15, part_elements = 1 << 15, most_elements = 1 << 16;
/// Where a strip is short of others, it looks no further.
constexpr std::size_t farthest = 64;

std::size_t rows_of(const Step& step) { return step.shape.empty() ? 0 : static_cast<std::size_t>(step.shape[0]); }

/// How many rows the members of a strip can be cut into.
struct Rows {
  std::size_t rows = 0;
  std::size_t part = 0;       ///< rows of a part, where sums over parts say so
  std::size_t unit = 1;       ///< a range has a multiple of so many
  std::size_t longest = 0;    ///< elements of the longest row

  /// With one more member; none if they do not agree.
  std::optional<Rows> with(const Step& step) const {
    const RangedProgram* program = step.program ? step.program->ranged() : nullptr;
    if (!program || rows_of(step) < 2 || (rows != 0 && rows_of(step) != rows)) return {};
    Rows result = *this;
    result.rows = rows_of(step);
    const std::size_t length = program->size() / result.rows;
    if (length == 0) return {};
    if (const std::size_t part = program->part(); part != 0) {
      if (part < program->size() && part % length != 0) return {};
      const std::size_t part_rows = std::min(result.rows, (part + length - 1) / length);
      if (result.part != 0 && result.part != part_rows) return {};
      result.part = part_rows;
    }
    result.unit = std::lcm(unit, program->range_unit() / std::gcd(program->range_unit(), length));
    result.longest = std::max(longest, length);
    if (result.unit * result.longest > most_elements) return {};
    return result;
  }
};

/// Whether row i of `slot`, as a step of rank `rank` reads it, lies in row i of the array it is of.
bool row_local(const Slot& slot, const Slot& base, std::size_t rank, std::size_t rows) {
  const auto count = static_cast<std::int64_t>(rows);
  if (slot.shape.size() != rank || slot.shape[0] != count || base.size % count != 0) return false;
  const std::int64_t row = base.size / count;
  std::int64_t last = slot.view_offset;
  for (std::size_t i = 1; i < rank; ++i) {
    if (slot.shape[i] > 1 && slot.strides[i] < 0) return false;
    if (slot.shape[i] > 1) last += (slot.shape[i] - 1) * slot.strides[i];
  }
  return slot.strides[0] == row && last < row;
}

/// A strip being put together.
class Builder {
 public:
  Builder(const std::vector<Step>& steps, std::span<const Slot> slots)
      : steps_(steps), slots_(slots), maker_(slots.size(), none), place_(steps.size()), used_(slots.size()) {
    for (std::size_t s = 0; s < steps.size(); ++s)
      for (const std::uint32_t output : steps[s].outputs)
        if (output != no_slot) maker_[output] = s;
  }

  /// The members of a strip that begins with the first of `steps`; the others it has looked at go before it or after it.
  void build(std::span<const std::size_t> steps) {
    before.clear();
    members.clear();
    after.clear();
    rows_ = {};
    ++strip_;
    const Step& seed = steps_[steps[0]];
    const auto rows = rows_.with(seed);
    if (!rows || seed.program->ranged()->size() * seed.program->ranged()->value_bytes() < least_bytes) return;
    add(steps[0], *rows);
    for (const std::size_t s : steps.subspan(1, std::min(steps.size(), farthest) - 1)) {
      const Step& step = steps_[s];
      if (!step.program) return;
      bool waits = false, reads = false, fits = true, shares = false;
      for (const std::uint32_t input : step.inputs) {
        const std::uint32_t base = slots_[input].base;
        const std::size_t from = maker_[base];
        waits = waits || (from != none && place_[from] == strip_ * 2 + 1);
        shares = shares || used_[base] == strip_;
        if (from == none || place_[from] != strip_ * 2) continue;
        reads = true;
        fits = fits && by_row(from, base) && row_local(slots_[input], slots_[base], step.shape.size(), rows_.rows);
      }
      const auto with = waits || !fits || !(reads || shares) ? std::nullopt : rows_.with(step);
      if (with) {
        add(s, *with);
      } else if (waits || reads || slots_[made_by(step)].bytes() >= least_bytes) {
        place_[s] = strip_ * 2 + 1;
        after.push_back(s);
      } else {
        before.push_back(s);
      }
    }
  }

  std::vector<std::size_t> before, members, after;

 private:
  void add(std::size_t s, const Rows& rows) {
    members.push_back(s);
    place_[s] = strip_ * 2;
    rows_ = rows;
    for (const std::uint32_t input : steps_[s].inputs)
      if (slots_[slots_[input].base].bytes() >= least_bytes) used_[slots_[input].base] = strip_;
  }
  static std::uint32_t made_by(const Step& step) {
    return *std::find_if(step.outputs.begin(), step.outputs.end(), [](std::uint32_t output) { return output != no_slot; });
  }
  /// Whether a member makes an array row by row.
  bool by_row(std::size_t s, std::uint32_t slot) const {
    const Step& step = steps_[s];
    const auto item = static_cast<std::size_t>(std::find(step.outputs.begin(), step.outputs.end(), slot) - step.outputs.begin());
    return step.sums[item] == FusedSum::Kind::none || step.sums[item] == FusedSum::Kind::rows;
  }

  const std::vector<Step>& steps_;
  std::span<const Slot> slots_;
  std::vector<std::size_t> maker_;
  std::uint32_t strip_ = 0;
  std::vector<std::uint32_t> place_;  ///< of steps: twice the number of the strip they are of, one more if they go after it
  std::vector<std::uint32_t> used_;   ///< of slots: the last strip that reads them
  Rows rows_;
};

}  // namespace

std::vector<Unit> find_strips(std::vector<Step>& steps, std::span<const Slot> slots) {
  std::vector<std::size_t> left(steps.size()), order;
  std::iota(left.begin(), left.end(), std::size_t{0});
  std::vector<Unit> units;
  const auto single = [&](std::size_t s) {
    units.push_back({order.size(), 1});
    order.push_back(s);
  };
  Builder builder(steps, slots);
  for (std::size_t next = 0; next < left.size();) {
    builder.build(std::span(left).subspan(next));
    if (builder.members.size() < 2) {
      single(left[next++]);
      continue;
    }
    for (const std::size_t s : builder.before) single(s);
    units.push_back({order.size(), builder.members.size()});
    order.insert(order.end(), builder.members.begin(), builder.members.end());
    next += builder.before.size() + builder.members.size();
    std::copy(builder.after.begin(), builder.after.end(), left.begin() + static_cast<std::ptrdiff_t>(next));
  }
  std::vector<Step> ordered;
  for (const std::size_t s : order) ordered.push_back(std::move(steps[s]));
  steps = std::move(ordered);
  return units;
}

Strip::Strip(std::span<const Step> steps, std::span<Slot> slots, const std::function<bool(std::uint32_t)>& stays) {
  Rows rows;
  for (const Step& step : steps) rows = *rows.with(step);
  rows_ = rows.rows;
  const auto multiple = [&](std::size_t n) { return std::max(n / rows.unit, std::size_t{1}) * rows.unit; };
  part_rows_ = std::min(rows_, rows.part != 0 ? rows.part : multiple(part_elements / rows.longest));
  strip_rows_ = std::min(part_rows_, multiple(strip_elements / rows.longest));
  parts_ = (rows_ + part_rows_ - 1) / part_rows_;

  // Which arrays lie in the strip, and until when.
  std::vector<std::size_t> last_use(slots.size(), 0);
  const auto is_local = [&](std::size_t s, std::size_t item) {
    const std::uint32_t slot = steps[s].outputs[item];
    return slot != no_slot && steps[s].sums[item] == FusedSum::Kind::none && slots[slot].storage == Storage::arena &&
           slots[slot].contiguous && stays(slot);
  };
  for (std::size_t s = 0; s < steps.size(); ++s) {
    for (const std::uint32_t input : steps[s].inputs) last_use[slots[input].base] = s;
    for (std::size_t item = 0; item < steps[s].outputs.size(); ++item)
      if (is_local(s, item)) slots[steps[s].outputs[item]].storage = Storage::strip;
  }
  const auto row_bytes = [&](const Slot& slot) { return slot.bytes() / rows_; };
  const auto strip_bytes = [&](const Slot& slot) { return whole_lines(row_bytes(slot) * strip_rows_); };

  Arena arena;
  std::size_t partial = 0;
  for (std::size_t s = 0; s < steps.size(); ++s) {
    const Step& step = steps[s];
    Member member;
    member.program = step.program->ranged();
    member.row_elements = member.program->size() / rows_;
    member.inputs = step.inputs;
    member.outputs = step.outputs;
    member.partial = partial;
    partial += whole_lines(member.program->partial_values() * member.program->value_bytes() * parts_);
    std::vector<bool> given(step.inputs.size(), false);
    for (std::size_t item = 0; item < step.outputs.size(); ++item) {
      if (step.outputs[item] == no_slot || slots[step.outputs[item]].storage != Storage::strip) continue;
      Slot& output = slots[step.outputs[item]];
      std::size_t donor = 0;
      for (; donor < step.inputs.size(); ++donor) {
        const Slot& input = slots[step.inputs[donor]];
        if (!given[donor] && input.storage == Storage::strip && last_use[step.inputs[donor]] == s && input.dtype == output.dtype &&
            input.shape == output.shape && step.program->may_overwrite(item, donor) &&
            std::none_of(step.inputs.begin(), step.inputs.end(),
                         [&](std::uint32_t other) { return other != step.inputs[donor] && slots[other].base == step.inputs[donor]; }))
          break;
      }
      if (donor < step.inputs.size()) {
        given[donor] = true;
        output.place = slots[step.inputs[donor]].place;
      } else {
        output.place = arena.take(strip_bytes(output));
      }
      member.local_outputs.push_back({item, output.place, row_bytes(output)});
    }
    for (std::size_t k = 0; k < step.inputs.size(); ++k) {
      const Slot& input = slots[step.inputs[k]];
      Slot& base = slots[input.base];
      if (base.storage != Storage::strip) continue;
      member.local_inputs.push_back({k, base.place + static_cast<std::size_t>(input.view_offset) * size_of(input.dtype), row_bytes(base)});
      if (given[k]) last_use[input.base] = none;  // its place is another's now
    }
    for (const std::uint32_t input : step.inputs) {
      const std::uint32_t base = slots[input].base;
      if (slots[base].storage != Storage::strip || last_use[base] != s) continue;
      last_use[base] = none;  // once
      arena.give(slots[base].place, strip_bytes(slots[base]));
    }
    members_.push_back(std::move(member));
  }
  local_bytes_ = arena.bytes();
  partial_bytes_ = partial;
}

void Strip::run(std::byte* const* data) const {
  for (const Member& member : members_) member.program->about_to_run();
  const Scratch<std::byte> partial(parts_ > 1 ? partial_bytes_ : 0);
  parallel_for(parts_, [&](std::size_t part) { run_part(data, part, parts_ > 1 ? partial.data() : nullptr); });
  if (parts_ == 1) return;
  std::vector<std::byte*> outputs;
  for (const Member& member : members_) {
    if (member.program->partial_values() == 0) continue;
    outputs.clear();
    for (const std::uint32_t output : member.outputs) outputs.push_back(output == no_slot ? nullptr : data[output]);
    member.program->add_parts(partial.data() + member.partial, parts_, outputs);
  }
}

void Strip::run_part(std::byte* const* data, std::size_t part, std::byte* partial) const {
  const std::size_t first = part * part_rows_, end = std::min(rows_, first + part_rows_);
  struct Running {
    std::byte* working;
    std::vector<const std::byte*> inputs;
    std::vector<std::byte*> outputs;
  };
  struct AllRunning {
    std::vector<Running> members;
  };
  std::vector<Running>& running = per_thread<AllRunning>().members;
  running.resize(std::max(running.size(), members_.size()));
  std::size_t bytes = local_bytes_;
  for (const Member& member : members_) bytes += member.program->working_bytes((end - first) * member.row_elements);
  std::byte* const memory = working_memory(bytes);
  std::byte* working = memory + local_bytes_;
  for (std::size_t m = 0; m < members_.size(); ++m) {
    const Member& member = members_[m];
    Running& at = running[m];
    at.working = working;
    working += member.program->working_bytes((end - first) * member.row_elements);
    at.inputs.clear();
    for (const std::uint32_t input : member.inputs) at.inputs.push_back(data[input]);
    at.outputs.clear();
    for (const std::uint32_t output : member.outputs) at.outputs.push_back(output == no_slot ? nullptr : data[output]);
    member.program->start(at.working, at.outputs, first * member.row_elements, end * member.row_elements);
  }
  for (std::size_t row = first; row < end; row += strip_rows_) {
    const std::size_t stop = std::min(end, row + strip_rows_);
    // Programs count rows from the first of all, which for what lies here would be before the strip.
    const auto place = [&](const Local& local) {
      return reinterpret_cast<std::byte*>(reinterpret_cast<std::uintptr_t>(memory) + local.place - row * local.row_bytes);
    };
    for (std::size_t m = 0; m < members_.size(); ++m) {
      const Member& member = members_[m];
      Running& at = running[m];
      for (const Local& local : member.local_inputs) at.inputs[local.index] = place(local);
      for (const Local& local : member.local_outputs) at.outputs[local.index] = place(local);
      member.program->run_range(at.working, at.inputs, at.outputs, stop * member.row_elements);
    }
  }
  for (std::size_t m = 0; m < members_.size(); ++m) {
    const Member& member = members_[m];
    const std::size_t values = member.program->partial_values() * member.program->value_bytes();
    member.program->finish(running[m].working, running[m].outputs, partial ? partial + member.partial + part * values : nullptr);
  }
}

}  // namespace xgrad::detail
