// A plan made once for every recording of the same structure: passes compiled, memory laid out.
#pragma once

#include <autodiff/evaluate/graph_snapshot.hpp>
#include <autodiff/evaluate/row_blocks.hpp>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace xgrad::detail {

struct Pass;

class Executable {
 public:
  /// When values that are spare may be written over: as they are done with, which leaves them null where an op throws after that; or
  /// not before all ops that may throw have run.
  enum class Overwrites : std::uint8_t { at_once, at_the_end };
  /// Plans what `capture` collected, which is all pending.
  explicit Executable(const GraphSnapshot& capture, Overwrites overwrites = Overwrites::at_once);

  /// Which nodes' values `run` returns, ascending.
  std::span<const std::uint32_t> results() const { return results_; }
  /// How many values it knows: those it is given and those it computes.
  std::size_t size() const { return slots_.size(); }
  /// Which steps run together.
  std::span<const Unit> units() const { return units_; }
  /// Computes from `values`, laid out as those captured, into `results`, which are empty. The buffer of one that is `spare` may be written over, which leaves
  /// that value null.
  void run(std::span<Node* const> values, const std::vector<bool>& spare, std::span<Value> results) const;

 private:
  /// A value that a result's buffer may be taken from.
  struct Candidate {
    std::uint32_t slot, value;
  };

  /// A result's memory. Where a graph has many small ones they share buffers: that of a few is the first's of them.
  struct Own {
    std::uint32_t slot = 0, result = 0;  ///< the latter the first that shows it
    std::uint32_t holder = 0;            ///< which has the buffer, itself unless it is shared
    std::size_t offset = 0, bytes = 0;   ///< in that buffer; and how large it is, of a holder
  };

  struct InArena {
    std::uint32_t slot;
    std::size_t place;
  };
  struct View {
    std::uint32_t slot, base;
    std::int64_t bytes;  ///< from the start of the base
  };

  /// Where a node is computed, and whether another pass reads it.
  struct Membership {
    std::uint32_t pass = 0, item = 0;
    bool read_outside = false;
  };

  /// Products that are added to what is there: for one that a pass does nothing but add to something, that of the sum and of the
  /// product itself is the product, else none.
  std::vector<std::uint32_t> find_accumulated(const GraphSnapshot& capture, std::span<const Pass> passes) const;
  void add_group(const GraphSnapshot& capture, std::span<const std::uint32_t> nodes, std::span<const Membership> members);
  void add_view(const Node& node, std::uint32_t slot, std::uint32_t from);
  /// Puts units last that no op of whole arrays, which may throw, depends on; returns how many units go before them.
  std::size_t put_elementwise_last();
  void lay_out(Overwrites overwrites);
  void lay_out_step(std::size_t unit, const Step& step, Arena& arena);
  void lay_out_strip(std::size_t unit, Arena& arena);
  void place(std::uint32_t slot, Arena& arena);
  void share_buffers();
  /// What every run needs, put together.
  void prepare();
  void set_profile(Step& step, std::span<const std::uint32_t> nodes, const GraphSnapshot& capture) const;
  struct Scratch;
  /// `unit` is the number of the one that runs.
  void run_steps(std::byte* const* data, std::size_t& unit) const;
  void run_step(const Step& step, std::byte* const* data, Scratch& scratch) const;
  Array array(std::uint32_t slot) const;
  std::uint32_t slot_of(CaptureRef ref) const { return ref.is_node() ? values_ + ref.index() : ref.index(); }

  std::uint32_t values_ = 0;
  std::vector<Slot> slots_;
  std::vector<Step> steps_;
  std::vector<Unit> units_;
  std::vector<Strip> strips_;  ///< of units of several steps, in their order
  std::vector<std::uint32_t> results_;
  std::vector<Own> own_;
  std::vector<Candidate> candidates_;
  std::vector<InArena> in_arena_;  ///< those that steps read or write
  std::vector<View> views_;        ///< likewise
  std::vector<std::shared_ptr<const Op>> ops_;
  std::size_t first_overwriting_ = 0;  ///< of the units, that may write over values
  std::size_t arena_bytes_ = 0, most_inputs_ = 0, most_outputs_ = 0;
};

/// Sees what is about to be run.
using EvaluationObserver = std::function<void(const GraphSnapshot& capture, const std::shared_ptr<const Executable>& graph)>;

/// As `evaluate`, by a plan that is not kept.
void evaluate(std::span<Node* const> roots, const EvaluationObserver* observer);

}  // namespace xgrad::detail
