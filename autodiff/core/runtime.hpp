// When and with what values are computed: evaluation, threads, instructions, memory.
#pragma once

#include <autodiff/core/tensor.hpp>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace xgrad {

/// Computes the values of several tensors together.
void evaluate(std::span<const Tensor> tensors);

/// Threads that computing may use, in the evaluator and in BLAS; at least 1. Results are the same bits for any number.
/// Throws std::invalid_argument otherwise.
void set_num_threads(int threads);
int num_threads();

/// The SIMD instructions that kernels run on. A build for this machine (XGRAD_NATIVE, the default) knows those of this machine
/// alone. One for distribution has kernels for "avx2" (with FMA) and "avx512" (F, CD, DQ, BW and VL) beside those that any
/// processor of the architecture has ("sse2" on x86-64), and takes the best that the processor has; the environment variable
/// XGRAD_SIMD takes another. Results may differ between instruction sets in their last bits.
/// Throws std::invalid_argument, as does whatever needs a kernel, when XGRAD_SIMD names one that is not built in or that the
/// processor does not have.
std::string_view simd_name();

/// What tensors hold in memory, and what was asked of the system, since the program began.
struct MemoryStatistics {
  std::size_t in_use = 0;            ///< bytes held by values
  std::size_t peak_in_use = 0;       ///< the most `in_use` has been, since that was reset
  std::size_t cached = 0;            ///< bytes the pool keeps for the next value
  std::size_t system_allocations = 0;///< times memory was asked of the system
};
MemoryStatistics memory_statistics();
/// From now on `peak_in_use` counts anew.
void reset_peak_memory_statistics();

/// Gives the pool's memory back to the system, and has the pool forget how much was in use at once.
void release_cached_memory();
/// How many bytes the pool may keep for the next value. Without a limit, the default, it keeps 1 GiB, or as much as has been in use at
/// once, if that is more: a step that works on more than it may keep asks the system for the rest each time, which is dear.
void set_cached_memory_limit(std::optional<std::size_t> bytes);

}  // namespace xgrad
