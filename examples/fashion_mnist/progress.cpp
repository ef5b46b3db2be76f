#include "progress.hpp"

#include <unistd.h>

#include <cmath>
#include <cstdio>

#include "text.hpp"

namespace fashion_mnist {

Progress::Progress() : enabled_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() { clear(); }

void Progress::show(const std::string& label, std::int64_t done, std::int64_t total, double loss,
                    double images_per_second) {
  const auto now = std::chrono::steady_clock::now();
  if (!enabled_ || (drawn_ && now - last_ < std::chrono::milliseconds(100))) return;
  last_ = now;
  drawn_ = true;
  constexpr std::int64_t width = 30;
  const auto filled = static_cast<std::size_t>(done * width / total);
  const std::string bar = std::string(filled, '=') + std::string(width - filled, ' ');
  std::fprintf(stderr, "\r\033[K%s [%s] %3d %%  loss %.4f  %s images/s", label.c_str(), bar.c_str(),
               static_cast<int>(done * 100 / total), loss, grouped(std::llround(images_per_second)).c_str());
  std::fflush(stderr);
}

void Progress::clear() {
  if (drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

}  // namespace fashion_mnist
