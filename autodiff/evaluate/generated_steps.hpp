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

  /// For which programs code is made: none, those that are run several times on arrays large enough to be worth it, or all. At first as
  /// XGRAD_GENERATED_CODE says in the environment: off, always, or nothing.
  enum class Use : std::uint8_t { off, where_worth, always };
  static std::atomic<Use>& use();

  /// Which run of a program on so many elements is the first to be worth code of its own; 0 for none.
  template <class T>
  static std::uint32_t worth_after(const VectorMachine<T>& machine, std::size_t elements);

  /// What there is to know of a program's slots.
  struct Slots {
    std::uint32_t first_tile;                        ///< from here on they are tiles, which only the program sees
    std::function<bool(std::uint32_t)> is_constant;  ///< all elements of what lies there are equal
  };

  /// Steps on blocks of eight vectors, `wide`, that do what `steps` do, with the same bits: one of code made for them in place of each
  /// run of steps that are simple. That code lives as long as what is returned: null, with nothing done, where no memory may be executed.
  /// Only for machines for which it may be worth it: those of AVX-512.
  template <class T>
  static std::unique_ptr<const GeneratedSteps> make(const VectorMachine<T>& machine, const StepList& steps, const Slots& slots,
                                                    std::vector<Instruction>& wide);
};

}  // namespace xgrad::detail
