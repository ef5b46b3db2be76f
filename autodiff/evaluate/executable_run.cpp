// Running a plan.
#include <algorithm>
#include <autodiff/evaluate/executable.hpp>
#include <autodiff/kernels/tiles.hpp>
#include <utility>

namespace xgrad::detail {

/// Lists that the steps of a run fill in, as long as the longest need.
struct Executable::Scratch {
  Scratch(std::size_t inputs, std::size_t outputs) : inputs(inputs), outputs(outputs), arrays(inputs + 1) {}
  xt::svector<const std::byte*, 32> inputs;
  xt::svector<std::byte*, 32> outputs;
  xt::svector<Array, 8> arrays;
};

void Executable::run(std::span<Node* const> values, const std::vector<bool>& spare, std::span<Value> results) const {
  const auto address = [](const Value& value, DType dtype) {
    return static_cast<std::byte*>(value.buffer->data()) + value.offset * static_cast<std::int64_t>(size_of(dtype));
  };
  // All memory first: what fails for want of it leaves everything as it was. What lies in a buffer of its own is in the hands of
  // the first result that shows it.
  const Ref<Buffer> arena = arena_bytes_ > 0 ? Buffer::allocate(arena_bytes_) : Ref<Buffer>();
  xt::svector<std::byte*, 128> data(slots_.size(), nullptr);
  for (const Candidate& candidate : candidates_) {
    const Value& value = values[candidate.value]->value;
    if (spare[candidate.value] && value.buffer) data[candidate.slot] = data[candidate.value] = address(value, slots_[candidate.slot].dtype);
  }
  for (std::size_t i = 0; i < own_.size(); ++i) {
    const Own& own = own_[i];
    if (data[own.slot]) continue;
    Value& result = results[own.result];
    result.buffer = own.holder == i ? Buffer::allocate(own.bytes) : results[own_[own.holder].result].buffer;
    result.offset = static_cast<std::int64_t>(own.offset / size_of(slots_[own.slot].dtype));
    data[own.slot] = static_cast<std::byte*>(result.buffer->data()) + own.offset;
  }
  for (const Candidate& candidate : candidates_) {
    if (!data[candidate.value]) continue;
    Value& own = results[own_[slots_[candidate.slot].place].result];
    own.offset = values[candidate.value]->value.offset;
    own.buffer = std::move(values[candidate.value]->value.buffer);
  }
  for (std::size_t i = 0; i < values_; ++i)
    if (values[i]->value.buffer) data[i] = address(values[i]->value, values[i]->dtype);
  auto* const memory = arena ? static_cast<std::byte*>(arena->data()) : nullptr;  // none where all stays in registers
  for (const InArena& in_arena : in_arena_) data[in_arena.slot] = memory + in_arena.place;
  for (const View& view : views_)
    if (data[view.base]) data[view.slot] = data[view.base] + view.bytes;

  std::size_t unit = 0;
  try {
    run_steps(data.data(), unit);
  } catch (...) {
    for (const Candidate& candidate : candidates_) {
      Node& value = *values[candidate.value];
      if (value.value.buffer) continue;
      if (unit < first_overwriting_) value.value.buffer = std::move(results[own_[slots_[candidate.slot].place].result].buffer);
      else value.evaluated = false;  // what was written over is no value any more
    }
    throw;
  }

  for (std::size_t r = results_.size(); r-- > 0;) {  // the first that shows a buffer comes last
    const Slot& slot = slots_[values_ + results_[r]];
    const Slot& base = slots_[slot.base];
    Value& result = results[r];
    const Value& from = base.storage == Slot::Storage::value ? values[slot.base]->value : results[own_[base.place].result];
    if (&from != &result) result.buffer = from.buffer;
    result.offset = from.offset + slot.view_offset;
    result.strides = slot.strides;
    result.contiguous = slot.contiguous;
  }
}

void Executable::run_steps(std::byte* const* data, std::size_t& unit_number) const {
  Profile* const profile = Profile::active();
  const auto begin = profile ? Profile::Clock::now() : Profile::Clock::time_point();
  Scratch scratch(most_inputs_, most_outputs_);
  auto strip = strips_.begin();
  for (; unit_number < units_.size(); ++unit_number) {
    const Unit& unit = units_[unit_number];
    const Step& step = steps_[unit.first];
    const auto run = [&] {
      if (unit.count > 1) (strip++)->run(data);
      else run_step(step, data, scratch);
    };
    if (!profile) {
      run();
      continue;
    }
    const auto start = Profile::Clock::now();
    run();
    const auto end = Profile::Clock::now();
    StepProfile described = *step.profile;
    for (std::size_t s = unit.first + 1; s < unit.first + unit.count; ++s) {
      described.name += " | " + steps_[s].profile->name;
      described.flops += steps_[s].profile->flops;
      described.bytes += steps_[s].profile->bytes;
    }
    profile->add(described, start, end);
  }
  if (profile) profile->add("evaluation", steps_.size(), begin, Profile::Clock::now());
}

void Executable::run_step(const Step& step, std::byte* const* data, Scratch& scratch) const {
  if (step.program) {
    const std::byte** const inputs = scratch.inputs.data();
    std::byte** const outputs = scratch.outputs.data();
    for (std::size_t k = 0; k < step.inputs.size(); ++k) inputs[k] = data[step.inputs[k]];
    for (std::size_t k = 0; k < step.outputs.size(); ++k) outputs[k] = step.outputs[k] == no_slot ? nullptr : data[step.outputs[k]];
    step.program->run({inputs, step.inputs.size()}, {outputs, step.outputs.size()});
    return;
  }
  Array* const arrays = scratch.arrays.data();
  const std::size_t operands = step.inputs.size() - (step.accumulates ? 1 : 0);
  std::copy(step.arrays.begin(), step.arrays.end(), arrays);
  for (std::size_t k = 0; k < step.inputs.size(); ++k) arrays[k].data = data[step.inputs[k]];
  Array& output = arrays[step.inputs.size()];
  output.data = data[step.outputs[0]];
  if (step.accumulates) {
    if (arrays[operands].data != output.data) copy_contiguous(arrays[operands], output.data);
    step.op->accumulate({arrays, operands}, output);
  } else if (step.op) {
    step.op->evaluate({arrays, operands}, output);
  } else {
    copy_contiguous(arrays[0], output.data);
  }
}

}  // namespace xgrad::detail
