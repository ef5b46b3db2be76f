// Where functions are called from: what anomaly mode says of an op.
#pragma once

#include <source_location>

namespace xgrad::detail {

inline constinit thread_local bool anomalies_watched = false;
inline bool anomaly_mode() noexcept { return anomalies_watched; }

/// Lives in the arguments of a call, and so as long as the call. In anomaly mode the thread knows all that live; else it is but
/// a place that nobody asks for.
class CallSite {
 public:
  explicit CallSite(std::source_location where) noexcept : where_(where), watched_(anomaly_mode()) {
    if (watched_) [[unlikely]] enter();
  }
  /// Of another argument of the same call, which is known already.
  CallSite(const CallSite&) noexcept {}
  CallSite& operator=(const CallSite&) = delete;
  ~CallSite() {
    if (watched_) [[unlikely]] leave();
  }

  /// The call that records next is this one: among the arguments of one expression several live.
  void note() const {
    if (watched_) [[unlikely]] {
      leave();
      enter();
    }
  }

 private:
  void enter() const noexcept;
  void leave() const noexcept;

  std::source_location where_;
  bool watched_ = false;
};

}  // namespace xgrad::detail
