#include <algorithm>
#include <array>
#include <autodiff/evaluate/executable.hpp>
#include <autodiff/evaluate/fusion.hpp>

namespace xgrad::detail {
namespace {

using Storage = Slot::Storage;
constexpr std::uint32_t none = no_slot;
// In place of a unit.
constexpr std::size_t never = ~std::size_t{0}, freed = never - 1, kept = never - 2;

}  // namespace

Executable::Executable(const GraphSnapshot& capture, Overwrites overwrites)
    : values_(static_cast<std::uint32_t>(capture.values.size())) {
  const auto describe = [](const Node& node, Storage storage) {
    Slot slot;
    slot.dtype = node.dtype;
    slot.storage = storage;
    slot.shape = node.shape;
    slot.size = size_of(node.shape);
    slot.strides = storage == Storage::value ? node.value.strides : contiguous_strides(node.shape);
    slot.contiguous = storage != Storage::value || node.value.contiguous;
    slot.fixed = storage == Storage::value && node.leaf;
    return slot;
  };
  for (const Node* value : capture.values) slots_.push_back(describe(*value, Storage::value));
  for (const Node* node : capture.nodes) {
    slots_.push_back(describe(*node, Storage::arena));
    ops_.push_back(node->op);
  }
  for (std::uint32_t i = 0; i < slots_.size(); ++i) slots_[i].base = i;

  const std::vector<Pass> passes = plan(capture.nodes, capture.kept);
  std::vector<Membership> members(capture.nodes.size());
  for (std::uint32_t p = 0; p < passes.size(); ++p)
    for (std::uint32_t item = 0; item < passes[p].nodes.size(); ++item) members[passes[p].nodes[item]] = {p, item, false};
  for (std::uint32_t i = 0; i < capture.nodes.size(); ++i)
    for (const CaptureRef ref : capture.operands(i))
      if (ref.is_node() && members[ref.index()].pass != members[i].pass) members[ref.index()].read_outside = true;

  const std::vector<std::uint32_t> products = find_accumulated(capture, passes);
  for (const Pass& pass : passes) {
    const std::uint32_t first = pass.nodes.front();
    if (products[first] == first) continue;  // computed where it is added
    const Node& node = *capture.nodes[first];
    const std::uint32_t from = capture.operands(first).empty() ? none : slot_of(capture.operands(first)[0]);
    const Op::Kind kind = node.op->kind();
    const bool is_sum = kind == Op::Kind::sum && fused_sum(node).kind != FusedSum::Kind::none && slots_[from].contiguous;
    if (products[first] != none) {
      const std::uint32_t product = products[first], other = capture.operands(first)[0].word() == CaptureRef::node(product).word() ? 1 : 0;
      Step step;
      step.op = static_cast<const GeneralOp*>(capture.nodes[product]->op.get());
      step.accumulates = true;
      for (const CaptureRef ref : capture.operands(product)) step.inputs.push_back(slot_of(ref));
      step.inputs.push_back(slot_of(capture.operands(first)[other]));
      step.outputs = {values_ + first};
      if (Profile::active()) set_profile(step, std::array{product, first}, capture);
      steps_.push_back(std::move(step));
    } else if (kind == Op::Kind::elementwise || is_sum) {
      add_group(capture, pass.nodes, members);
    } else if (kind == Op::Kind::view) {
      add_view(node, values_ + first, from);
    } else {
      Step step;
      step.op = static_cast<const GeneralOp*>(node.op.get());
      for (const CaptureRef ref : capture.operands(first)) step.inputs.push_back(slot_of(ref));
      step.outputs = {values_ + first};
      if (Profile::active()) set_profile(step, pass.nodes, capture);
      steps_.push_back(std::move(step));
    }
  }

  for (std::uint32_t i = 0; i < capture.nodes.size(); ++i) {
    if (!capture.kept[i]) continue;
    results_.push_back(i);
    Slot& base = slots_[slots_[values_ + i].base];
    if (base.storage == Storage::arena) base.storage = Storage::own;
  }
  lay_out(overwrites);
}

std::vector<std::uint32_t> Executable::find_accumulated(const GraphSnapshot& capture, std::span<const Pass> passes) const {
  std::vector<std::uint32_t> uses(capture.nodes.size(), 0), products(capture.nodes.size(), none);
  for (std::uint32_t i = 0; i < capture.nodes.size(); ++i)
    for (const CaptureRef ref : capture.operands(i))
      if (ref.is_node()) ++uses[ref.index()];
  for (const Pass& pass : passes) {
    const std::uint32_t i = pass.nodes.front();
    const Node& node = *capture.nodes[i];
    if (pass.nodes.size() != 1 || node.op->kind() != Op::Kind::elementwise || !is_floating(node.dtype) ||
        static_cast<const ElementwiseOp&>(*node.op).arithmetic() != Arithmetic::add)
      continue;
    for (std::size_t k = 0; k < 2 && products[i] == none; ++k) {
      const CaptureRef ref = capture.operands(i)[k], other = capture.operands(i)[1 - k];
      if (!ref.is_node() || capture.kept[ref.index()] || uses[ref.index()] != 1) continue;
      const Node& product = *capture.nodes[ref.index()];
      if (product.op->kind() != Op::Kind::general || !static_cast<const GeneralOp&>(*product.op).accumulates()) continue;
      if (product.shape != node.shape || slots_[slot_of(other)].shape != node.shape) continue;
      products[i] = products[ref.index()] = ref.index();
    }
  }
  return products;
}

void Executable::add_view(const Node& node, std::uint32_t slot, std::uint32_t from) {
  const auto& op = static_cast<const ViewOp&>(*node.op);
  Value input, output;
  input.strides = slots_[from].strides;
  input.contiguous = slots_[from].contiguous;
  if (!op.view(slots_[from].shape, input, node.shape, output)) {
    const auto packed = static_cast<std::uint32_t>(slots_.size());
    slots_.push_back(slots_[from]);
    Slot& copy = slots_.back();
    copy.storage = Storage::arena;
    copy.strides = contiguous_strides(copy.shape);
    copy.contiguous = true;
    copy.base = packed;
    copy.view_offset = 0;
    Step step;
    step.inputs = {from};
    step.outputs = {packed};
    if (Profile::active()) {
      const double moved = static_cast<double>(copy.bytes());
      step.profile = std::make_unique<const StepProfile>(StepProfile{"copy", to_string(copy.shape), 0, 2 * moved});
    }
    steps_.push_back(std::move(step));
    from = packed;
    input.strides = copy.strides;
    input.contiguous = true;
    op.view(copy.shape, input, node.shape, output);
  }
  Slot& view = slots_[slot];
  view.storage = Storage::view;
  view.base = slots_[from].base;
  view.view_offset = slots_[from].view_offset + output.offset;
  view.strides = output.strides;
  view.contiguous = is_contiguous(view.shape, view.strides);
}

void Executable::add_group(const GraphSnapshot& capture, std::span<const std::uint32_t> nodes, std::span<const Membership> members) {
  Step step;
  const std::uint32_t pass = members[nodes.front()].pass;
  const auto item_number = [&](CaptureRef ref) {
    return ref.is_node() && members[ref.index()].pass == pass ? members[ref.index()].item : none;
  };
  for (const std::uint32_t node : nodes)
    for (const CaptureRef ref : capture.operands(node))
      if (item_number(ref) == none) step.inputs.push_back(slot_of(ref));
  std::sort(step.inputs.begin(), step.inputs.end());
  step.inputs.erase(std::unique(step.inputs.begin(), step.inputs.end()), step.inputs.end());

  GroupTask task;
  const Node& first = *capture.nodes[nodes.front()];
  task.shape = first.op->kind() == Op::Kind::sum ? first.inputs.span()[0].shape() : first.shape;
  for (const std::uint32_t input : step.inputs) task.inputs.push_back(array(input));
  std::vector<std::uint32_t> number(nodes.size());  // in the task, of each item of the pass
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    const std::uint32_t index = nodes[n];
    const Node& node = *capture.nodes[index];
    const std::span<const CaptureRef> operands = capture.operands(index);
    GroupItem item;
    item.op = node.op.get();
    item.dtype = node.dtype;
    item.operand_dtype = node.inputs.span().back().dtype();
    item.arity = static_cast<std::uint8_t>(operands.size());
    item.sum = fused_sum(node);
    item.stored = item.sum.kind != FusedSum::Kind::none || capture.kept[index] || members[index].read_outside;
    for (std::size_t k = 0; k < operands.size(); ++k) {
      const std::uint32_t inside = item_number(operands[k]);
      item.operands[k] = inside != none ? static_cast<std::uint32_t>(step.inputs.size()) + number[inside]
                                        : static_cast<std::uint32_t>(std::lower_bound(step.inputs.begin(), step.inputs.end(),
                                                                                      slot_of(operands[k])) - step.inputs.begin());
    }
    const auto same = [&](const GroupItem& other) {
      return item.op == other.op && item.dtype == other.dtype && std::ranges::equal(item.operands, other.operands);
    };
    const auto found = item.stored ? task.items.end() : std::find_if(task.items.begin(), task.items.end(), same);
    number[n] = static_cast<std::uint32_t>(found - task.items.begin());
    if (found != task.items.end()) continue;  // what comes twice is computed once
    task.items.push_back(item);
    step.outputs.push_back(item.stored ? values_ + index : none);
    step.sums.push_back(item.sum.kind);
  }
  step.program = compile(task);
  step.shape = std::move(task.shape);
  if (Profile::active()) set_profile(step, nodes, capture);
  steps_.push_back(std::move(step));
}

std::size_t Executable::put_elementwise_last() {
  std::vector<bool> first(units_.size(), false), read_first(slots_.size(), false);
  for (std::size_t u = units_.size(); u-- > 0;) {
    const std::span<const Step> steps = std::span(steps_).subspan(units_[u].first, units_[u].count);
    first[u] = std::any_of(steps.begin(), steps.end(), [&](const Step& step) {
      return !step.program || std::any_of(step.outputs.begin(), step.outputs.end(),
                                          [&](std::uint32_t output) { return output != none && read_first[output]; });
    });
    if (!first[u]) continue;
    for (const Step& step : steps)
      for (const std::uint32_t input : step.inputs) read_first[slots_[input].base] = true;
  }
  std::vector<Unit> ordered;
  for (const bool now : {true, false})
    for (std::size_t u = 0; u < units_.size(); ++u)
      if (first[u] == now) ordered.push_back(units_[u]);
  units_ = std::move(ordered);
  return static_cast<std::size_t>(std::count(first.begin(), first.end(), true));
}

void Executable::lay_out(Overwrites overwrites) {
  units_ = find_strips(steps_, slots_);
  if (overwrites == Overwrites::at_the_end) first_overwriting_ = put_elementwise_last();
  for (Slot& slot : slots_) slot.last_use = never;
  for (std::size_t u = 0; u < units_.size(); ++u)
    for (std::size_t s = units_[u].first; s < units_[u].first + units_[u].count; ++s)
      for (const std::uint32_t input : steps_[s].inputs) slots_[slots_[input].base].last_use = u;
  for (const std::uint32_t node : results_) slots_[slots_[values_ + node].base].last_use = kept;

  Arena arena;
  for (std::size_t u = 0; u < units_.size(); ++u) {
    const std::span<const Step> steps = std::span(steps_).subspan(units_[u].first, units_[u].count);
    if (steps.size() == 1) lay_out_step(u, steps[0], arena);
    else lay_out_strip(u, arena);
    for (const Step& step : steps) {
      for (const std::uint32_t input : step.inputs) {
        Slot& base = slots_[slots_[input].base];
        if (base.storage != Storage::arena || base.last_use != u) continue;
        base.last_use = freed;  // once
        arena.give(base.place, whole_lines(base.bytes()));
      }
      for (const std::uint32_t output : step.outputs)
        if (output != none && slots_[output].storage == Storage::arena && slots_[output].last_use == never)
          arena.give(slots_[output].place, whole_lines(slots_[output].bytes()));
    }
  }
  arena_bytes_ = arena.bytes();

  for (std::size_t r = results_.size(); r-- > 0;) {
    const Slot& base = slots_[slots_[values_ + results_[r]].base];
    if (base.storage == Storage::own) own_[base.place].result = static_cast<std::uint32_t>(r);
  }
  share_buffers();
  prepare();
}

void Executable::prepare() {
  std::vector<bool> used(slots_.size(), false);
  for (Step& step : steps_) {
    most_inputs_ = std::max(most_inputs_, step.inputs.size());
    most_outputs_ = std::max(most_outputs_, step.outputs.size());
    for (const std::uint32_t input : step.inputs) used[input] = used[slots_[input].base] = true;
    for (const std::uint32_t output : step.outputs)
      if (output != none) used[output] = true;
    if (step.program) continue;
    for (const std::uint32_t input : step.inputs) step.arrays.push_back(array(input));
    step.arrays.push_back(array(step.outputs[0]));
  }
  for (std::uint32_t slot = values_; slot < slots_.size(); ++slot) {
    const Slot& at = slots_[slot];
    if (!used[slot]) continue;
    if (at.storage == Storage::arena) in_arena_.push_back({slot, at.place});
    if (at.storage == Storage::view) views_.push_back({slot, at.base, at.view_offset * static_cast<std::int64_t>(size_of(at.dtype))});
  }
}

void Executable::place(std::uint32_t slot, Arena& arena) {
  Slot& output = slots_[slot];
  if (output.storage == Storage::arena) {
    output.place = arena.take(whole_lines(output.bytes()));
  } else if (output.storage == Storage::own) {
    output.place = own_.size();
    own_.push_back({slot, 0, static_cast<std::uint32_t>(own_.size()), 0, output.bytes()});
  }
}

void Executable::share_buffers() {
  constexpr std::size_t many = 64, shared_bytes = 4096, small = 256;
  if (own_.size() < many) return;
  std::vector<bool> takes_over(own_.size(), false);
  for (const Candidate& candidate : candidates_) takes_over[slots_[candidate.slot].place] = true;
  Own* holder = nullptr;
  for (Own& own : own_) {
    const std::size_t bytes = whole_lines(own.bytes);
    if (bytes > small || takes_over[own.holder]) continue;
    if (!holder || holder->bytes + bytes > shared_bytes) {
      holder = &own;
      continue;
    }
    holder->bytes = whole_lines(holder->bytes);
    own.holder = holder->holder;
    own.offset = holder->bytes;
    holder->bytes += bytes;
  }
}

void Executable::lay_out_step(std::size_t unit, const Step& step, Arena& arena) {
  for (std::size_t item = 0; item < step.outputs.size(); ++item) {
    if (step.outputs[item] == none) continue;
    Slot& output = slots_[step.outputs[item]];
    // An input that nothing reads any more, whose memory the output may take over. Not one that is read a second way.
    const Storage storage = output.storage == Storage::arena ? Storage::arena : Storage::value;
    std::size_t k = step.program ? 0 : step.inputs.size() - (step.accumulates ? 1 : 0);
    for (; k < step.inputs.size(); ++k) {
      const std::uint32_t slot = step.inputs[k];
      const Slot& input = slots_[slot];
      if (input.fixed || input.storage != storage || (storage == Storage::value && unit < first_overwriting_) || input.last_use != unit ||
          !input.contiguous || input.dtype != output.dtype || input.shape != output.shape || (step.program && !step.program->may_overwrite(item, k)))
        continue;
      if (std::count_if(step.inputs.begin(), step.inputs.end(), [&](std::uint32_t other) { return slots_[other].base == slot; }) == 1) break;
    }
    if (k == step.inputs.size()) {
      place(step.outputs[item], arena);
      continue;
    }
    Slot& input = slots_[step.inputs[k]];
    input.last_use = freed;  // it is the output's memory now
    if (output.storage == Storage::arena) {
      output.place = input.place;
    } else {
      place(step.outputs[item], arena);
      candidates_.push_back({step.outputs[item], step.inputs[k]});
    }
  }
}

void Executable::lay_out_strip(std::size_t unit, Arena& arena) {
  const std::span<const Step> steps = std::span(steps_).subspan(units_[unit].first, units_[unit].count);
  strips_.emplace_back(steps, slots_, [&](std::uint32_t slot) { return slots_[slot].last_use == unit; });
  for (const Step& step : steps)
    for (const std::uint32_t output : step.outputs)
      if (output != none) place(output, arena);
}

void Executable::set_profile(Step& step, std::span<const std::uint32_t> nodes, const GraphSnapshot& capture) const {
  StepProfile profile;
  for (const std::uint32_t index : nodes) {
    const Node& node = *capture.nodes[index];
    if (!profile.name.empty()) profile.name += ' ';
    profile.name += node.op->name();
    std::vector<const Shape*> shapes;
    for (const Tensor& input : node.inputs.span()) shapes.push_back(&input.shape());
    profile.flops += flops_of(*node.op, shapes, node.shape);
  }
  profile.shape = to_string(slots_[values_ + nodes.front()].shape);
  for (std::size_t k = 0; step.op && k < step.inputs.size(); ++k)
    profile.shape += (k == 0 ? " of " : ", ") + to_string(slots_[step.inputs[k]].shape);
  for (const std::uint32_t input : step.inputs) profile.bytes += static_cast<double>(slots_[input].bytes());
  for (const std::uint32_t output : step.outputs)
    if (output != none) profile.bytes += static_cast<double>(slots_[output].bytes());
  step.profile = std::make_unique<const StepProfile>(std::move(profile));
}

Array Executable::array(std::uint32_t slot) const {
  const Slot& at = slots_[slot];
  return {nullptr, at.dtype, &at.shape, &at.strides, at.contiguous, at.size};
}

}  // namespace xgrad::detail
