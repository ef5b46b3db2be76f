// Kernels made of SIMD instructions are compiled once for each of a few instruction sets, of which the best that the
// processor has are run. They are in the sources named *.simd.cpp.
//
// What such a source instantiates must be its own, or the linker might keep the copy made of AVX-512 for all. So it has
// pointers and numbers in its hands, no containers and no tensors; what it shows the others is a template over the set,
// explicitly instantiated; and what lies beneath is in anonymous namespaces, in headers for these sources alone.
#pragma once

namespace xgrad::detail {

/// Instruction sets, as arguments of templates. `Baseline` is what the library as a whole is compiled for.
namespace simd {
struct Baseline {};
}  // namespace simd

#ifdef XGRAD_SIMD_SET
/// The one that this source is being compiled for.
using ThisSimd = simd::XGRAD_SIMD_SET;
#endif

/// Calls `f` with the set in use.
template <class F>
decltype(auto) with_simd(F&& f) {
  return f(simd::Baseline());
}

}  // namespace xgrad::detail
