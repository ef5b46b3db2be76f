// A function recorded for one element of a batch, to be recorded again for all.
#pragma once

#include <autodiff/core/function.hpp>
#include <autodiff/core/tape.hpp>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace xgrad::detail {

class BatchRecording {
 public:
  /// Calls `f` with stand-ins for `examples`, which have the values and shapes of one element each, with tracking on.
  BatchRecording(const TensorFunction& f, const std::vector<Tensor>& examples);

  /// Whether `f` needed a value of a stand-in, so that what it recorded holds for those values alone.
  bool read_values() const;
  /// The result for elements along axis 0 of each batch, stacked along axis 0. Tracked as gradient mode is now.
  Tensor apply(const std::vector<Tensor>& batches) const;
  /// Elements of the largest tensor that depends on the stand-ins.
  std::int64_t largest() const { return largest_; }

 private:
  std::shared_ptr<const Op> stand_in_;
  std::vector<Tensor> inputs_;
  Tensor output_;
  std::vector<Node*> nodes_;  ///< that depend on the stand-ins, each after its inputs; held by the output
  std::int64_t largest_ = 1;
};

}  // namespace xgrad::detail
