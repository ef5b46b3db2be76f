// The gradients of recordings of one structure: asked of the rules once, and what they said kept as a plan. Recordings that come
// back, as those of training do, are recognised by their capture's key and ask no rule.
#pragma once

#include <autodiff/evaluate/plan_cache.hpp>
#include <autodiff/evaluate/executable.hpp>
#include <autodiff/gradient/segments.hpp>
#include <deque>
#include <memory>
#include <span>
#include <vector>

namespace xgrad::detail {

struct GradientPlan {
  enum class Origin : std::uint8_t { value, node, constant, result, unused };
  struct Place {
    Origin origin = Origin::unused;
    std::uint32_t index = 0;
  };
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  std::shared_ptr<const Executable> graph;
  std::vector<Place> values;         ///< where those of the graph come from
  std::vector<Tensor> constants;     ///< that rules made
  std::vector<std::uint32_t> kept;   ///< the captured node that a result of the graph is the value of
  std::vector<Place> gradients;      ///< of the targets, in their order
  Flags restricted;                  ///< for each target, whether its gradient has a support other than all elements
  std::vector<std::shared_ptr<const Op>> ops;  ///< of the recording: while they live, no other op has their address
};

/// Recordings about to be replayed, of a thread.
struct GradientWorkspace {
  GraphSnapshot capture;
  PointerMap known;  ///< what gradients are of, in the order they are met
  std::vector<Value> results;
  std::vector<Node*> values;
  std::vector<bool> spare;
  StructureCache<GradientPlan> plans;
  std::deque<std::uint64_t> seen;  ///< hashes of parts of long recordings met lately
  bool busy = false;
};

/// The workspace of this thread, unless a rule that is being asked takes gradients itself.
class GradientLease {
 public:
  GradientLease();
  ~GradientLease();
  GradientLease(const GradientLease&) = delete;
  GradientLease& operator=(const GradientLease&) = delete;
  GradientWorkspace& operator*() const { return work_; }

 private:
  std::unique_ptr<GradientWorkspace> own_;
  GradientWorkspace& work_;
};

/// Captures the recording of `outputs`, as far back as the sequence number `first`, and their cotangents, which are computed. False,
/// with the outputs computed, where it is too long to be planned as a whole.
bool capture_recording(GraphSnapshot& capture, std::span<const Tensor> outputs, std::span<const Tensor> cotangents, std::uint64_t first = 0);

/// The ops of what was captured.
std::vector<std::shared_ptr<const Op>> ops_of(const GraphSnapshot& capture);

/// Notes how a graph that is about to run can be run for the next recording of this structure.
GradientPlan make_plan(const GraphSnapshot& recording, std::span<const Tensor> gradients, const GraphSnapshot& computed,
                       std::shared_ptr<const Executable> graph);

/// The gradients of the captured recording by a plan for its structure, of the shapes and dtypes of `targets`; then frees the recording.
std::vector<Tensor> run_plan(GradientWorkspace& work, const GradientPlan& plan, std::span<const Node* const> targets);

}  // namespace xgrad::detail
