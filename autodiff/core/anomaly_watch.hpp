// What anomaly mode looks at while ops are recorded and rules are asked. debug/anomaly.cpp defines it.
#pragma once

#include <autodiff/core/tensor.hpp>
#include <cstddef>

namespace xgrad::detail {

/// Computes a node that was just recorded and throws if it is an anomaly.
void check_recorded(Node& node);

/// In anomaly mode: while rules are asked their ops are not checked, for a cotangent of 0 may absorb what is not finite; the
/// cotangents that come of them are.
class ReplayWatch {
 public:
  ReplayWatch();
  ~ReplayWatch();
  ReplayWatch(const ReplayWatch&) = delete;
  ReplayWatch& operator=(const ReplayWatch&) = delete;
  static void check(const Node& node, std::size_t input, const Tensor& g, const Tensor& cotangent);

 private:
  bool before_;
};

}  // namespace xgrad::detail
