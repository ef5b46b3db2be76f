// Kernels made of SIMD instructions are compiled once for each of a few instruction sets, of which the best that the
// processor has are run. They are in the sources named *.simd.cpp.
//
// What such a source instantiates must be its own, or the linker might keep the copy made of AVX-512 for all. So it has
// pointers and numbers in its hands, no containers and no tensors; what it shows the others is a template over the set,
// explicitly instantiated; and what lies beneath is in anonymous namespaces, in headers for these sources alone.
#pragma once

#include <cstdint>
#include <string_view>

namespace xgrad::detail {

/// Instruction sets, as arguments of templates. `Baseline` is what the library as a whole is compiled for: the one set of a
/// build for this machine.
namespace simd {
struct Baseline {};
struct Avx2 {};
struct Avx512 {};
}  // namespace simd

#ifdef XGRAD_SIMD_SET
/// The one that this source is being compiled for.
using ThisSimd = simd::XGRAD_SIMD_SET;
#endif

enum class InstructionSet : std::uint8_t { baseline, avx2, avx512 };

/// The best that is built in and that the processor has, or the one that is `wanted`, if anything is. Throws
/// std::invalid_argument if it cannot be had.
InstructionSet choose_instruction_set(std::string_view wanted);

/// The one in use: chosen when first asked for, as the environment variable XGRAD_SIMD wants it.
InstructionSet instruction_set();

/// Calls `f` with the set in use.
template <class F>
decltype(auto) with_simd(F&& f) {
  switch (instruction_set()) {
#ifdef XGRAD_SIMD_DISPATCH
    case InstructionSet::avx512: return f(simd::Avx512());
    case InstructionSet::avx2: return f(simd::Avx2());
#endif
    default: return f(simd::Baseline());
  }
}

}  // namespace xgrad::detail
