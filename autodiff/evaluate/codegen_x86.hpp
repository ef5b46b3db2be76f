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

  /// Whether there is code for the kernels in use, and for how many programs it was made since this one began.
  static bool available();
  static std::atomic<std::size_t>& made();

  /// Which run of a program on so many elements is the first to be worth code of its own; 0 for none.
  template <class T>
  static std::uint32_t worth_after(const VectorMachine<T>& machine, std::size_t elements);

  /// What there is to know of a program's slots.
  struct Slots {
    std::uint32_t first_tile;                        ///< from here on they are tiles, which only the program sees
    std::function<bool(std::uint32_t)> is_constant;  ///< all elements of what lies there are equal
  };

  /// Code that does what `steps` do on blocks of eight vectors, with the same bits: if all are simple a loop, else steps that take the
  /// place of those in `wide`, one for each run of simple steps. It lives as long as what is returned: null, with nothing done, where no
  /// memory may be executed. Only for machines for which it may be worth it: those of AVX-512.
  template <class T>
  static std::unique_ptr<const GeneratedSteps> make(const VectorMachine<T>& machine, const StepList& steps, const Slots& slots,
                                                    std::vector<Instruction>& wide);

  /// Runs on so many blocks, the first of which the frame says. Of what is the same for all elements it reads one vector.
  using Loop = void (*)(Frame* frame, std::size_t blocks);
  Loop loop() const { return loop_; }

 protected:
  Loop loop_ = nullptr;
};

}  // namespace xgrad::detail
