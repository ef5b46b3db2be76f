#include <atomic>
#include <autodiff/core/per_thread.hpp>
#include <autodiff/core/runtime.hpp>
#include <autodiff/kernels/threads.hpp>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>

// TBB and OpenBLAS come without ThreadSanitizer's instructions: it cannot see that their threads start work after it is given out
// and end before the call returns. Under it threads of the standard library do the work, and BLAS keeps to one.
#if defined(__SANITIZE_THREAD__)
#include <thread>
#include <vector>
#else
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#endif

// OpenBLAS's own; other BLAS libraries do without.
extern "C" {
__attribute__((weak)) void openblas_set_num_threads(int threads);
__attribute__((weak)) int openblas_get_num_threads();
}

namespace xgrad {
namespace {

std::atomic<int> chosen{0};  // 0: as many as BLAS has

// BLAS's threads while it is to do with one.
struct Serial {
  std::mutex mutex;
  int users = 0;
  std::atomic<int> before{0};
};
Serial& serial() {
  static Serial& instance = *new Serial;
  return instance;
}

}  // namespace

void set_num_threads(int threads) {
  constexpr int most = 1024;
  if (threads < 1) throw std::invalid_argument("set_num_threads: " + std::to_string(threads) + " threads; at least 1 is needed");
  if (threads > most) throw std::invalid_argument("set_num_threads: " + std::to_string(threads) + " threads; at most " + std::to_string(most) + " are possible");
  chosen.store(threads, std::memory_order_relaxed);
#if !defined(__SANITIZE_THREAD__)
  const std::lock_guard lock(serial().mutex);
  if (serial().users > 0) serial().before = threads;
  else if (openblas_set_num_threads) openblas_set_num_threads(threads);
#endif
}

int num_threads() {
  const int threads = chosen.load(std::memory_order_relaxed);
  if (threads > 0) return threads;
  if (const int before = serial().before.load(std::memory_order_relaxed)) return before;
  return openblas_get_num_threads ? openblas_get_num_threads() : 1;
}

namespace detail {

SerialBlas::SerialBlas() {
#if !defined(__SANITIZE_THREAD__)
  const std::lock_guard lock(serial().mutex);
  if (serial().users++ > 0 || !openblas_set_num_threads) return;
  serial().before = openblas_get_num_threads();
  openblas_set_num_threads(1);
#endif
}
SerialBlas::~SerialBlas() {
#if !defined(__SANITIZE_THREAD__)
  const std::lock_guard lock(serial().mutex);
  if (--serial().users > 0 || !openblas_set_num_threads) return;
  openblas_set_num_threads(serial().before.exchange(0));
#endif
}

void parallel_for(std::size_t count, void (*f)(const void* context, std::size_t i), const void* context) {
  const int threads = num_threads();
  if (threads == 1 || count < 2) {
    for (std::size_t i = 0; i < count; ++i) f(context, i);
    return;
  }
#if defined(__SANITIZE_THREAD__)
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) f(context, i);
  };
  std::vector<std::jthread> others;
  for (int t = 1; t < threads; ++t) others.emplace_back(work);
  work();
#else
  // Made anew, an arena costs more than a short pass.
  struct Arena {
    std::optional<tbb::task_arena> arena;
  };
  std::optional<tbb::task_arena>& arena = per_thread<Arena>().arena;
  if (!arena || arena->max_concurrency() != threads) arena.emplace(threads);
  arena->execute([&] { tbb::parallel_for(std::size_t{0}, count, [&](std::size_t i) { f(context, i); }); });
#endif
}

}  // namespace detail
}  // namespace xgrad
