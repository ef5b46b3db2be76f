// Where functions are called from: what error messages and anomaly mode say of a call.
#pragma once

#include <source_location>
#include <string>
#include <string_view>

namespace xgrad::detail {

inline constinit thread_local bool anomalies_watched = false;
inline bool anomaly_mode() noexcept { return anomalies_watched; }

/// Lives in the arguments of a call, and so as long as the call. The thread knows all that live, the last made first.
class CallSite {
 public:
  /// No place in particular.
  CallSite() noexcept : around_(this) {}
  explicit CallSite(std::source_location where) noexcept : where_(where), around_(innermost_) { innermost_ = this; }
  /// A copy stands for another argument of the same call, which is known already.
  CallSite(const CallSite&) noexcept : CallSite() {}
  CallSite& operator=(const CallSite&) = delete;
  ~CallSite() {
    if (around_ != this) leave();
  }

  /// The call that records next is this one: among the arguments of one expression several live.
  void note() const {
    if (anomaly_mode()) [[unlikely]] become_innermost();
  }

  static const CallSite* innermost() noexcept { return innermost_; }
  const CallSite* around() const noexcept { return around_; }
  const std::source_location& where() const noexcept { return where_; }

 private:
  void leave() const noexcept {
    if (innermost_ == this) [[likely]] innermost_ = around_;
    else unlink();
  }
  void unlink() const noexcept;
  void become_innermost() const noexcept;

  static inline constinit thread_local const CallSite* innermost_ = nullptr;

  std::source_location where_;
  mutable const CallSite* around_;  ///< the one that lived before; itself if the thread does not know this one
};

/// Whether a file is one of the library's own sources, in a folder such as "autodiff/": its calls are nobody's concern.
bool is_source_of(std::string_view folder, std::string_view file);
/// "model.cpp:31".
std::string line_of(const std::source_location& where);

/// " (model.cpp:31)": the place of the innermost call by a user's source, or nothing. For the end of a message.
std::string called_at();

/// An exception whose message ends with the place of the call.
template <class Error>
Error located(const std::string& message) {
  return Error(message + called_at());
}

}  // namespace xgrad::detail
