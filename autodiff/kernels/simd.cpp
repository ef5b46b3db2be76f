#include <autodiff/kernels/xsimd.hpp>
#include <autodiff/kernels/instruction_sets.hpp>
#include <autodiff/core/runtime.hpp>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace xgrad {
namespace detail {
namespace {

std::string_view name_of(InstructionSet set) {
  switch (set) {
    case InstructionSet::avx512: return "avx512";
    case InstructionSet::avx2: return "avx2";
    default: return xsimd::default_arch::name();
  }
}

/// Those that are built in, from the best to the one that every processor has.
constexpr InstructionSet built_in[] = {
#ifdef XGRAD_SIMD_DISPATCH
    InstructionSet::avx512,
    InstructionSet::avx2,
#endif
    InstructionSet::baseline,
};

bool has([[maybe_unused]] InstructionSet set) {
#ifdef XGRAD_SIMD_DISPATCH
  __builtin_cpu_init();  // this may be asked before main
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (set == InstructionSet::avx2) return avx2;
  if (set == InstructionSet::avx512)
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#endif
  return true;
}

}  // namespace

InstructionSet choose_instruction_set(std::string_view wanted) {
  std::string names;
  bool is_built_in = false;
  for (const InstructionSet set : built_in) {
    is_built_in = is_built_in || name_of(set) == wanted;
    if (!has(set)) continue;
    if (wanted.empty() || name_of(set) == wanted) return set;
    names += (names.empty() ? "" : ", ") + std::string(name_of(set));
  }
  throw std::invalid_argument("XGRAD_SIMD is \"" + std::string(wanted) + "\", which " +
                              (is_built_in ? "this processor does not have" : "this build has no kernels for") + "; here it may be: " + names);
}

InstructionSet instruction_set() {
  static const InstructionSet chosen = [] {
    const char* wanted = std::getenv("XGRAD_SIMD");
    return choose_instruction_set(wanted ? wanted : "");
  }();
  return chosen;
}

}  // namespace detail

std::string_view simd_name() { return detail::name_of(detail::instruction_set()); }

}  // namespace xgrad
