// The only file that includes xsimd.
#pragma once

// Its functions are templates over the instruction set, but for these two, which reduce the large arguments of sine and cosine:
// each set gets its own (kernels/instruction_sets.hpp says why).
#ifdef XGRAD_SIMD_SET
#define XGRAD_JOIN(a, b) a##b
#define XGRAD_OWN(name, set) XGRAD_JOIN(name, set)
#define __ieee754_rem_pio2 XGRAD_OWN(rem_pio2_, XGRAD_SIMD_SET)
#define __kernel_rem_pio2 XGRAD_OWN(kernel_rem_pio2_, XGRAD_SIMD_SET)
#endif

#include <xsimd/xsimd.hpp>

#ifdef XGRAD_SIMD_SET
#undef __ieee754_rem_pio2
#undef __kernel_rem_pio2
#undef XGRAD_OWN
#undef XGRAD_JOIN
#endif

namespace xgrad::detail {

/// A batch of the same bits as another: xsimd 11 takes the type of its elements, those before the batch's own.
template <class To, class From>
To same_bits(const From& x) {
#if XSIMD_VERSION_MAJOR >= 11
  return xsimd::bitwise_cast<typename To::value_type>(x);
#else
  return xsimd::bitwise_cast<To>(x);
#endif
}

}  // namespace xgrad::detail
