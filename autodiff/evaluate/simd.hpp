#pragma once

#include <string_view>

namespace xgrad {

/// The SIMD instructions that kernels run on. A build for this machine (XGRAD_NATIVE, the default) knows those of this machine
/// alone. One for distribution has kernels for "avx2" (with FMA) and "avx512" (F, CD, DQ, BW and VL) beside those that any
/// processor of the architecture has ("sse2" on x86-64), and takes the best that the processor has; the environment variable
/// XGRAD_SIMD takes another. Results may differ between instruction sets in their last bits.
/// Throws std::invalid_argument, as does whatever needs a kernel, when XGRAD_SIMD names one that is not built in or that the
/// processor does not have.
std::string_view simd_name();

}  // namespace xgrad
