// Where the time of an evaluation goes: XGRAD_PROFILE=trace.json writes every step as an event that chrome://tracing and
// ui.perfetto.dev show.
#pragma once

#include <autodiff/core/tape.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace xgrad::detail {

/// What one step of a plan does, for the trace.
struct StepProfile {
  std::string name;   ///< of the ops: "multiply tanh sum"
  std::string shape;  ///< of what is computed, and of the operands of ops that run alone
  double flops = 0;   ///< an element of an elementwise op or a term of a sum counts as one, whatever it costs
  double bytes = 0;   ///< of arrays read and written, each once
};

/// Floating-point operations of `op` on values of these shapes: 2nmk of a product, one an element of elementwise ops, one a
/// term of reductions; none where nothing is computed. Integer arithmetic counts the same.
double flops_of(const Op& op, std::span<const Shape* const> inputs, const Shape& output);

/// The trace of this process; safe to use from several threads.
class Profile {
 public:
  using Clock = std::chrono::steady_clock;
  /// None unless XGRAD_PROFILE names a file. Throws std::runtime_error when that cannot be written.
  static Profile* active();

  void add(const StepProfile& step, Clock::time_point begin, Clock::time_point end);
  /// A stretch of time that steps lie in.
  void add(const char* name, std::size_t steps, Clock::time_point begin, Clock::time_point end);

  explicit Profile(const std::string& path);
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

 private:
  struct Trace;
  std::unique_ptr<Trace> trace_;
};

}  // namespace xgrad::detail
