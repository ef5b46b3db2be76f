#pragma once

namespace xgrad {

/// Threads that BLAS may use; at least 1. Throws std::invalid_argument otherwise.
void set_num_threads(int threads);
int num_threads();

}  // namespace xgrad
