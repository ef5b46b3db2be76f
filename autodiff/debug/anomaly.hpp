// Finding where a value or a gradient first turns NaN or infinite.
#pragma once

#include <autodiff/core/call_site.hpp>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

namespace xgrad {

/// While it lives, ops of this thread are computed as they are recorded, and one whose result is not finite though its inputs are
/// throws std::runtime_error: the exception comes from the very call. So does a gradient whose op makes a cotangent that is not
/// finite of one that is. The message names the op, the place in your source that recorded it, "model.cpp:31" (and where that was
/// called from in another file, of functions of the library and of yours that take `Located` arguments), and the scopes around it.
/// Slow: for looking, not for training.
class AnomalyMode {
 public:
  explicit AnomalyMode(bool enabled = true);
  ~AnomalyMode();
  AnomalyMode(const AnomalyMode&) = delete;
  AnomalyMode& operator=(const AnomalyMode&) = delete;

 private:
  bool before_;
};

/// Names a part of your program, and where it is: what AnomalyMode says of ops recorded while it lives. Costs nothing to speak of.
class Scope {
 public:
  explicit Scope(std::string_view name, std::source_location where = std::source_location::current());
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
};

}  // namespace xgrad
