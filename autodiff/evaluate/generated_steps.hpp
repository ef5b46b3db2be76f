// Machine code made for the steps of one vector program, where values stay in registers from step to step.
#pragma once

#include <autodiff/evaluate/peephole.hpp>
#include <atomic>
#include <functional>
#include <memory>

namespace xgrad::detail {

class GeneratedSteps {
 public:
  virtual ~GeneratedSteps() = default;

  /// For which programs code is made: none, those of arrays large enough to be worth it, or all. At first as XGRAD_GENERATED_CODE says in
  /// the environment: off, always, or nothing.
  enum class Use : std::uint8_t { off, where_worth, always };
  static std::atomic<Use>& use();

  /// What there is to know of a program's slots.
  struct Slots {
    std::uint32_t first_tile;                        ///< from here on they are tiles, which only the program sees
    std::function<bool(std::uint32_t)> is_constant;  ///< all elements of what lies there are equal
  };

  /// Steps on blocks of eight vectors that do what `steps` do on arrays of so many elements, with the same bits: one of code made for
  /// them in place of each run of steps that are simple. That code lives as long as what is returned: null, with nothing done, where
  /// it is not to be used, where there is none for the kernels in use (there is for AVX-512), and where no memory may be executed.
  template <class T>
  static std::unique_ptr<const GeneratedSteps> make(const VectorMachine<T>& machine, const StepList& steps, const Slots& slots,
                                                    std::size_t elements, std::vector<Instruction>& wide);
};

}  // namespace xgrad::detail
