#include <autodiff/evaluate/threads.hpp>
#include <stdexcept>
#include <string>

// OpenBLAS's own; other BLAS libraries do without.
extern "C" {
__attribute__((weak)) void openblas_set_num_threads(int threads);
__attribute__((weak)) int openblas_get_num_threads();
}

namespace xgrad {

void set_num_threads(int threads) {
  if (threads < 1) throw std::invalid_argument("set_num_threads: " + std::to_string(threads) + " threads; at least 1 is needed");
  if (openblas_set_num_threads) openblas_set_num_threads(threads);
}

namespace detail {

void parallel_for(std::size_t count, void (*f)(const void* context, std::size_t i), const void* context) {
  for (std::size_t i = 0; i < count; ++i) f(context, i);
}

}  // namespace detail

int num_threads() { return openblas_get_num_threads ? openblas_get_num_threads() : 1; }

}  // namespace xgrad
