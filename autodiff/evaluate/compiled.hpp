// A plan made once for every recording of the same structure: passes compiled, memory laid out.
#pragma once

#include <autodiff/evaluate/capture.hpp>
#include <autodiff/evaluate/group.hpp>
#include <autodiff/evaluate/profile.hpp>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace xgrad::detail {

class CompiledGraph {
 public:
  /// Of what `capture` collected, which is all pending.
  explicit CompiledGraph(const Capture& capture);

  /// Which nodes' values `run` returns, ascending.
  std::span<const std::uint32_t> results() const { return results_; }
  /// Computes from `values`, laid out as those captured. The buffer of one that is `spare` may be written over, which leaves
  /// that value null.
  void run(std::span<Node* const> values, const std::vector<bool>& spare, std::span<Value> results) const;

 private:
  enum class Storage : std::uint8_t { value, view, arena, own };
  /// Where an array lies: one of the values; one that is a node's; or a packed copy.
  struct Slot {
    DType dtype = DType::float32;
    Storage storage = Storage::arena;
    bool contiguous = true;
    bool fixed = false;  ///< a value that is never spare
    Shape shape;
    Strides strides;
    std::int64_t size = 0;
    std::uint32_t base = 0;        ///< of a view: whose memory it shows
    std::int64_t view_offset = 0;  ///< of a view: from the start of that, in elements
    std::size_t place = 0;         ///< in the arena, in bytes
    std::size_t last_use = 0;      ///< the last step that reads it, views of it included
  };
  struct Step {
    std::unique_ptr<const Program> program;  ///< of a group
    const GeneralOp* op = nullptr;           ///< of another node; neither for a packed copy
    std::vector<std::uint32_t> inputs, outputs;
    std::unique_ptr<const StepProfile> profile;  ///< while profiling
  };
  /// A value that a result's buffer may be taken from.
  struct Candidate {
    std::uint32_t slot, value;
  };

  /// Where a node is computed, and whether another pass reads it.
  struct Membership {
    std::uint32_t pass = 0, item = 0;
    bool read_outside = false;
  };

  void add_group(const Capture& capture, std::span<const std::uint32_t> nodes, std::span<const Membership> members);
  void add_view(const Node& node, std::uint32_t slot, std::uint32_t from);
  void lay_out();
  void set_profile(Step& step, std::span<const std::uint32_t> nodes, const Capture& capture) const;
  struct Scratch;
  void run_steps(std::byte* const* data) const;
  void run_step(const Step& step, std::byte* const* data, Scratch& scratch) const;
  Array array(std::uint32_t slot) const;
  std::uint32_t slot_of(CaptureRef ref) const { return ref.is_node() ? values_ + ref.index() : ref.index(); }
  std::size_t bytes(const Slot& slot) const { return static_cast<std::size_t>(slot.size) * size_of(slot.dtype); }

  std::uint32_t values_ = 0;
  std::vector<Slot> slots_;
  std::vector<Step> steps_;
  std::vector<std::uint32_t> results_, own_;
  std::vector<Candidate> candidates_;
  std::vector<std::shared_ptr<const Op>> ops_;
  std::size_t arena_bytes_ = 0;
};

/// Sees what is about to be run.
using EvaluationObserver = std::function<void(const Capture& capture, const std::shared_ptr<const CompiledGraph>& graph)>;

/// As `evaluate`, by a plan that is not kept.
void evaluate(std::span<Node* const> roots, const EvaluationObserver* observer);

}  // namespace xgrad::detail
