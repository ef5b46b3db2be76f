#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <atomic>
#include <autodiff/evaluate/threads.hpp>
#include <optional>
#include <stdexcept>
#include <string>

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

// OpenBLAS's own; other BLAS libraries do without.
extern "C" {
__attribute__((weak)) void openblas_set_num_threads(int threads);
__attribute__((weak)) int openblas_get_num_threads();
}

namespace xgrad {
namespace {

std::atomic<int> chosen{0};  // 0: as many as BLAS has

}  // namespace

void set_num_threads(int threads) {
  if (threads < 1) throw std::invalid_argument("set_num_threads: " + std::to_string(threads) + " threads; at least 1 is needed");
  chosen.store(threads, std::memory_order_relaxed);
  if (openblas_set_num_threads) openblas_set_num_threads(threads);
}

int num_threads() {
  const int threads = chosen.load(std::memory_order_relaxed);
  if (threads > 0) return threads;
  return openblas_get_num_threads ? openblas_get_num_threads() : 1;
}

namespace detail {

namespace {

// TBB comes without ThreadSanitizer's instructions, which then cannot see that work starts after it is given out and is done before
// the call returns: it is told.
#if defined(__SANITIZE_THREAD__)
void hand_over(void* token) { __tsan_release(token); }
void take_over(void* token) { __tsan_acquire(token); }
#else
void hand_over(void*) {}
void take_over(void*) {}
#endif

}  // namespace

void parallel_for(std::size_t count, void (*f)(const void* context, std::size_t i), const void* context) {
  const int threads = num_threads();
  if (threads == 1 || count < 2) {
    for (std::size_t i = 0; i < count; ++i) f(context, i);
    return;
  }
  // Made anew, an arena costs more than a short pass.
  thread_local std::optional<tbb::task_arena> arena;
  if (!arena || arena->max_concurrency() != threads) arena.emplace(threads);
  char given = 0, done = 0;
  hand_over(&given);
  arena->execute([&] {
    tbb::parallel_for(std::size_t{0}, count, [&](std::size_t i) {
      take_over(&given);
      f(context, i);
      hand_over(&done);
    });
  });
  take_over(&done);
}

}  // namespace detail
}  // namespace xgrad
