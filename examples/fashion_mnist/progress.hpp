#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace fashion_mnist {

/// A progress bar on standard error, which draws nothing unless that is a terminal.
class Progress {
 public:
  Progress();
  /// Clears the line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Draws `done` of `total` images, at most ten times a second.
  void show(const std::string& label, std::int64_t done, std::int64_t total, double loss, double images_per_second);
  void clear();

 private:
  bool enabled_, drawn_ = false;
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace fashion_mnist
