#include <algorithm>
#include <array>
#include <autodiff/evaluate/codegen_x86.hpp>
#include <autodiff/kernels/instruction_sets.hpp>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#ifdef XGRAD_GENERATED_CODE
#define XBYAK_NO_OP_NAMES
#include <xbyak/xbyak.h>
#endif

namespace xgrad::detail {
#ifdef XGRAD_GENERATED_CODE
namespace {

using Xbyak::Address, Xbyak::Opmask, Xbyak::Reg64, Xbyak::RegExp, Xbyak::Zmm;

constexpr int vectors = static_cast<int>(wide_vectors), vector_bytes = 64;
constexpr std::size_t never = ~std::size_t{0};

// Three banks of eight registers hold the values under way; the others numbers, and what is in between.
constexpr int banks = 3, first_number = 24, numbers = 4, first_spare = 28, spares = 4;

/// Steps that are joined in code of their own; what reads and writes memory can be told of them.
bool is_simple(const StepKind& kind) { return kind.role != StepRole::op ? kind.role != StepRole::other : kind.op != Arithmetic::none; }

std::size_t operands(const StepKind& kind) {
  if (kind.role == StepRole::op) return kind.op == Arithmetic::none ? 3 : is_unary(kind.op) ? 1 : 2;
  return kind.role == StepRole::load || kind.role == StepRole::store ? 1 : kind.role == StepRole::other ? 3 : 0;
}

/// A handler for each run of steps: it is called and calls as those of vector.hpp do, with the first argument, a step, in rdi, the
/// frame in rsi, and values in zmm0 to zmm7.
template <class T>
class Generator : public Xbyak::CodeGenerator {
 public:
  Generator(const VectorMachine<T>& machine, const StepList& steps, const GeneratedSteps::Slots& slots)
      : CodeGenerator(most_bytes(steps), Xbyak::DontSetProtectRWE), machine_(machine), steps_(steps), slots_(slots) {}

  /// The handler that does what steps [begin, end) do.
  void (*handler(std::size_t begin, std::size_t end))() {
    const auto* entry = start();
    load_common(begin, end);
    for (std::size_t at = begin; at < end; ++at) step(at);
    for (const Resident& resident : residents_)
      if (!resident.stored && next_read(resident.slot, end - 1) != never) store(resident.bank, resident.slot, false);
    for (int i = 0; current_ != 0 && i < vectors; ++i) vmovaps(Zmm(i), in_bank(current_, i));
    add(rdi, static_cast<int>(sizeof(Instruction)));
    jmp(ptr[rdi + static_cast<int>(offsetof(Instruction, handler))]);
    for (Slow& slow : slow_) end_run_of_sum(slow);
    return function<void (*)()>(entry);
  }

  /// A loop of all but the last of the steps.
  GeneratedSteps::Loop loop() {
    const auto* entry = start();
    mov(rdx, rsi);
    mov(rsi, rdi);
    const std::size_t end = steps_.size() - 1;
    load_common(0, end);
    Xbyak::Label again;
    L(again);
    for (std::size_t at = 0; at < end; ++at) step(at);
    add(r8, vectors * vector_bytes);
    add(qword[rsi + static_cast<int>(offsetof(Frame, element))], vectors * vector_bytes / static_cast<int>(sizeof(T)));
    dec(rdx);
    jnz(again, T_NEAR);
    vzeroupper();
    ret();
    for (Slow& slow : slow_) end_run_of_sum(slow);
    return function<GeneratedSteps::Loop>(entry);
  }

 private:
  static constexpr bool single = sizeof(T) == 4;
  /// A value that is in registers, and whether it also lies at its slot.
  struct Resident {
    std::uint32_t slot;
    int bank;
    bool stored;
  };
  /// Where values are read from: a bank, a number for all, or memory.
  struct Source {
    int bank = -1;
    std::optional<Zmm> number = {};
    RegExp memory = {};
    int stride = vector_bytes;  ///< from a vector in memory to the next
    bool in_memory() const { return bank < 0 && !number; }
    Zmm at(int i) const { return number ? *number : in_bank(bank, i); }
  };
  /// A call that is seldom made, out of the way: registers to be kept, and where to come from and go back to.
  struct Slow {
    Xbyak::Label begin, back;
    std::vector<int> kept;
  };

  /// Where a function begins.
  const std::byte* start() {
    current_ = 0;
    residents_.clear();
    numbers_.clear();
    slow_.clear();
    align(64);
    return getCurr<const std::byte*>();
  }
  /// What all steps need.
  void load_common(std::size_t begin, std::size_t end) {
    mov(rax, ptr[rsi + static_cast<int>(offsetof(Frame, pointers))]);
    mov(r8, ptr[rsi + static_cast<int>(offsetof(Frame, offset))]);
    load_numbers(begin, end);
  }
  template <class F>
  static F function(const std::byte* entry) {
    F result;
    static_assert(sizeof(result) == sizeof(entry));
    std::memcpy(&result, &entry, sizeof(entry));
    return result;
  }

  static std::size_t most_bytes(const StepList& steps) { return 4096 + steps.size() * 1024; }
  static Zmm in_bank(int bank, int i) { return Zmm(bank * vectors + i); }

  /// The slot that a step's operand lies at, if it is in memory.
  std::optional<std::uint32_t> slot_of(std::size_t s, std::size_t k) const {
    if (steps_.kinds[s].role == StepRole::op && steps_.kinds[s].in_registers >> k & 1) return {};
    return steps_.wide[s].slots[k];
  }
  /// The next step after `at` that reads what lies at a slot as it is now.
  std::size_t next_read(std::uint32_t slot, std::size_t at) const {
    for (std::size_t s = at + 1; s < steps_.size(); ++s) {
      if (steps_.kinds[s].role == StepRole::store) {
        if (steps_.wide[s].slots[0] == slot) return never;
        continue;
      }
      for (std::size_t k = 0; k < operands(steps_.kinds[s]); ++k)
        if (slot_of(s, k) == slot) return s;
    }
    return never;
  }

  /// The block that lies at a slot.
  RegExp address(std::uint32_t slot, bool moves) {
    const Reg64 pointers[] = {rcx, r9, r10, r11};
    const Reg64 pointer = pointers[next_pointer_++ % std::size(pointers)];
    mov(pointer, ptr[rax + static_cast<int>(slot * sizeof(void*))]);
    if (moves) add(pointer, r8);
    return RegExp(pointer);
  }
  static Address vector_at(const RegExp& block, int i) { return Address(8 * vector_bytes, false, block + i * vector_bytes); }
  static Address memory_at(const Source& source, int i) { return Address(8 * vector_bytes, false, source.memory + i * source.stride); }
  void store(int bank, std::uint32_t slot, bool moves) {
    const RegExp to = address(slot, moves);
    for (int i = 0; i < vectors; ++i) vmovups(vector_at(to, i), in_bank(bank, i));
  }

  /// Numbers that are the same for all elements have a register each, as far as there are; the last is 0.
  void load_numbers(std::size_t begin, std::size_t end) {
    for (std::size_t s = begin; s < end; ++s)
      for (std::size_t k = 0; steps_.kinds[s].role == StepRole::op && k < operands(steps_.kinds[s]); ++k) {
        const auto slot = slot_of(s, k);
        if (!slot || *slot >= slots_.first_tile || !slots_.is_constant(*slot)) continue;
        if (numbers_.size() < numbers - 1 && !number_at(*slot)) numbers_.push_back(*slot);
      }
    for (const std::uint32_t slot : numbers_) vmovups(*number_at(slot), vector_at(address(slot, false), 0));
    vpxord(zero(), zero(), zero());
  }
  static Zmm zero() { return Zmm(first_number + numbers - 1); }
  std::optional<Zmm> number_at(std::uint32_t slot) const {
    const auto found = std::find(numbers_.begin(), numbers_.end(), slot);
    if (found == numbers_.end()) return {};
    return Zmm(first_number + static_cast<int>(found - numbers_.begin()));
  }

  Source source(std::size_t s, std::size_t k) {
    const auto slot = slot_of(s, k);
    if (!slot) return {.bank = current_};
    const auto resident = std::find_if(residents_.begin(), residents_.end(), [&](const Resident& at) { return at.slot == *slot; });
    if (resident != residents_.end()) return {.bank = resident->bank};
    if (const auto number = number_at(*slot)) return {.number = number};
    const bool is_number = *slot < slots_.first_tile && slots_.is_constant(*slot);
    return {.memory = address(*slot, steps_.wide[s].masks[k] != 0), .stride = is_number ? 0 : vector_bytes};
  }
  /// A bank for what step `s` gives. If all hold what is read again, the one that is read last gives way.
  int target(std::size_t s) {
    std::erase_if(residents_, [&](const Resident& resident) { return next_read(resident.slot, s) == never; });
    for (;;) {
      const auto is_free = [&](int bank) {
        return std::none_of(residents_.begin(), residents_.end(), [bank](const Resident& resident) { return resident.bank == bank; });
      };
      if (is_free(current_)) return current_;
      for (int bank = 0; bank < banks; ++bank)
        if (is_free(bank)) return bank;
      const auto last = std::max_element(residents_.begin(), residents_.end(), [&](const Resident& a, const Resident& b) {
        return next_read(a.slot, s) < next_read(b.slot, s);
      });
      if (!last->stored) store(last->bank, last->slot, false);
      residents_.erase(last);
    }
  }

  void step(std::size_t s) {
    const StepKind& kind = steps_.kinds[s];
    if (kind.role == StepRole::store) {
      const std::uint32_t slot = steps_.wide[s].slots[0];
      std::erase_if(residents_, [slot](const Resident& resident) { return resident.slot == slot; });
      const bool is_tile = slot >= slots_.first_tile;
      if (!is_tile) store(current_, slot, steps_.wide[s].masks[0] != 0);
      if (next_read(slot, s) != never) residents_.push_back({slot, current_, !is_tile});
    } else if (kind.role == StepRole::load) {
      const Source from = source(s, 0);
      const int to = target(s);
      for (int i = 0; i < vectors; ++i) from.in_memory() ? vmovups(in_bank(to, i), memory_at(from, i)) : vmovaps(in_bank(to, i), from.at(i));
      current_ = to;
    } else if (kind.role == StepRole::sum) {
      sum(s);
    } else if (kind.role == StepRole::sum_columns) {
      sum_columns(s);
    } else {
      const Source a = source(s, 0), b = operands(kind) > 1 ? source(s, 1) : a;
      const int to = target(s);
      for (int i = 0; i < vectors; ++i) compute(kind.op, in_bank(to, i), a, b, i);
      current_ = to;
    }
  }

  /// Vector `i` of what an op gives.
  void compute(Arithmetic op, const Zmm& to, Source a, Source b, int i) {
    if ((op == Arithmetic::add || op == Arithmetic::multiply) && a.in_memory()) std::swap(a, b);
    Zmm first(first_spare + i % spares);
    if (a.in_memory()) vmovups(first, memory_at(a, i));
    else first = a.at(i);
    const Opmask mask(1 + i % 7);
    const auto with_second = [&](const auto& f) { b.in_memory() ? f(memory_at(b, i)) : f(b.at(i)); };
    // clang-format off
    switch (op) {
      case Arithmetic::add: with_second([&](const auto& second) { single ? vaddps(to, first, second) : vaddpd(to, first, second); }); break;
      case Arithmetic::subtract: with_second([&](const auto& second) { single ? vsubps(to, first, second) : vsubpd(to, first, second); }); break;
      case Arithmetic::multiply: with_second([&](const auto& second) { single ? vmulps(to, first, second) : vmulpd(to, first, second); }); break;
      case Arithmetic::divide: with_second([&](const auto& second) { single ? vdivps(to, first, second) : vdivpd(to, first, second); }); break;
      case Arithmetic::relu:
        compare(mask, first, not_less_equal);
        single ? vmovaps(to | mask | T_z, first) : vmovapd(to | mask | T_z, first);
        break;
      // Rounded down, 0 - 0 is -0.
      case Arithmetic::negative: single ? vsubps(to, zero(), first | T_rd_sae) : vsubpd(to, zero(), first | T_rd_sae); break;
      case Arithmetic::square: single ? vmulps(to, first, first) : vmulpd(to, first, first); break;
      case Arithmetic::sqrt: single ? vsqrtps(to, first) : vsqrtpd(to, first); break;
      case Arithmetic::none: break;
    }
    // clang-format on
  }
  // A comparison with 0; what is unordered is neither equal nor less.
  static constexpr std::uint8_t not_less_equal = 6;
  void compare(const Opmask& mask, const Zmm& x, std::uint8_t how) { single ? vcmpps(mask, x, zero(), how) : vcmppd(mask, x, zero(), how); }
  void add_to(const Zmm& to, const Zmm& a, const Xbyak::Operand& b) { single ? vaddps(to, a, b) : vaddpd(to, a, b); }

  /// r9 is the sum's address.
  void sum_address(std::size_t s) {
    mov(r9, ptr[rsi + static_cast<int>(offsetof(Frame, sums))]);
    if (const auto offset = static_cast<int>(steps_.wide[s].slots[0] * machine_.sums.bytes)) add(r9, offset);
  }
  /// As BlockSum::add of a block.
  void sum(std::size_t s) {
    const Zmm x(first_spare), y(first_spare + 1), z(first_spare + 2);
    const auto lane = [this](int i) { return in_bank(current_, i); };
    sum_address(s);
    add_to(x, lane(0), lane(1));
    add_to(y, lane(2), lane(3));
    add_to(x, x, y);
    add_to(y, lane(4), lane(5));
    add_to(z, lane(6), lane(7));
    add_to(y, y, z);
    add_to(x, x, y);
    const RegExp run = RegExp(r9) + static_cast<int>(machine_.sums.run);
    add_to(x, x, vector_at(run, 0));
    vmovups(vector_at(run, 0), x);
    const Address terms = qword[r9 + static_cast<int>(machine_.sums.terms)];
    inc(terms);
    cmp(terms, static_cast<int>(machine_.sums.run_terms));
    Slow& slow = slow_.emplace_back();
    std::array<bool, banks> used{};
    used[static_cast<std::size_t>(current_)] = true;
    for (const Resident& resident : residents_) used[static_cast<std::size_t>(resident.bank)] = true;
    for (int bank = 0; bank < banks; ++bank)
      for (int i = 0; used[static_cast<std::size_t>(bank)] && i < vectors; ++i) slow.kept.push_back(bank * vectors + i);
    for (int i = 0; i < numbers; ++i) slow.kept.push_back(first_number + i);
    je(slow.begin, T_NEAR);
    L(slow.back);
  }
  void sum_columns(std::size_t s) {
    sum_address(s);
    mov(r10, ptr[rsi + static_cast<int>(offsetof(Frame, element))]);
    sub(r10, ptr[r9 + static_cast<int>(machine_.sums.row_begin)]);
    mov(r11, ptr[r9 + static_cast<int>(machine_.sums.leaf)]);
    lea(r11, ptr[r11 + r10 * static_cast<int>(sizeof(T))]);
    for (int i = 0; i < vectors; ++i) {
      const Zmm spare(first_spare + i % spares);
      add_to(spare, in_bank(current_, i), vector_at(r11, i));
      vmovups(vector_at(r11, i), spare);
    }
  }
  /// A call, which may change all of these registers, of what takes the sum at r9.
  void end_run_of_sum(Slow& slow) {
    const Reg64 kept[] = {rdi, rsi, rax, r8, rdx};
    const auto vector_room = static_cast<int>(slow.kept.size()) * vector_bytes, room = vector_room + vector_bytes;
    const auto place = [&](std::size_t i) { return vector_at(RegExp(rsp) + static_cast<int>(i) * vector_bytes, 0); };
    L(slow.begin);
    push(rbp);
    mov(rbp, rsp);
    sub(rsp, room);
    and_(rsp, -vector_bytes);
    for (std::size_t i = 0; i < slow.kept.size(); ++i) vmovaps(place(i), Zmm(slow.kept[i]));
    for (int i = 0; i < static_cast<int>(std::size(kept)); ++i) mov(ptr[rsp + vector_room + i * 8], kept[i]);
    mov(rdi, r9);
    mov(rax, reinterpret_cast<std::size_t>(machine_.sums.end_run));
    call(rax);
    for (std::size_t i = 0; i < slow.kept.size(); ++i) vmovaps(Zmm(slow.kept[i]), place(i));
    for (int i = 0; i < static_cast<int>(std::size(kept)); ++i) mov(kept[i], ptr[rsp + vector_room + i * 8]);
    mov(rsp, rbp);
    pop(rbp);
    jmp(slow.back, T_NEAR);
  }

  const VectorMachine<T>& machine_;
  const StepList& steps_;
  const GeneratedSteps::Slots& slots_;
  int current_ = 0;  ///< the bank of the value that the next step gets
  std::size_t next_pointer_ = 0;
  std::vector<Resident> residents_;
  std::vector<std::uint32_t> numbers_;
  std::deque<Slow> slow_;
};

template <class T>
class Code final : public GeneratedSteps {
 public:
  Code(const VectorMachine<T>& machine, const StepList& steps, const Slots& slots, std::vector<Instruction>& wide)
      : generator_(machine, steps, slots) {
    if (std::all_of(steps.kinds.begin(), steps.kinds.end() - 1, is_simple)) {
      loop_ = generator_.loop();
      generator_.setProtectModeRE();
      return;
    }
    std::vector<Instruction> result;
    for (std::size_t begin = 0, end; begin < steps.size(); begin = end) {
      for (end = begin; end < steps.size() && is_simple(steps.kinds[end]);) ++end;
      if (end == begin) {
        result.push_back(steps.wide[end++]);
      } else {
        result.emplace_back().handler = generator_.handler(begin, end);
      }
    }
    generator_.setProtectModeRE();
    wide = std::move(result);
  }

 private:
  Generator<T> generator_;
};

}  // namespace
#endif

std::atomic<GeneratedSteps::Use>& GeneratedSteps::use() {
  static std::atomic<Use> chosen = [] {
    const char* variable = std::getenv("XGRAD_GENERATED_CODE");
    const std::string_view wanted = variable ? variable : "";
    if (!wanted.empty() && wanted != "off" && wanted != "always")
      throw std::invalid_argument("XGRAD_GENERATED_CODE is \"" + std::string(wanted) + "\"; it may be off or always");
    return wanted == "off" ? Use::off : wanted == "always" ? Use::always : Use::where_worth;
  }();
  return chosen;
}

std::atomic<std::size_t>& GeneratedSteps::made() {
  static std::atomic<std::size_t> count{0};
  return count;
}

bool GeneratedSteps::available() {
#ifdef XGRAD_GENERATED_CODE
  return with_simd([]<class Simd>(Simd) { return vector_machine<Simd, float>(); }).width * sizeof(float) == vector_bytes;
#else
  return false;
#endif
}

template <class T>
std::uint32_t GeneratedSteps::worth_after([[maybe_unused]] const VectorMachine<T>& machine, [[maybe_unused]] std::size_t elements) {
#ifdef XGRAD_GENERATED_CODE
  // Making it takes as long as it saves in some ten runs on so many elements, and many programs are run but once.
  constexpr std::size_t least_elements = 1 << 13;
  constexpr std::uint32_t runs = 4;
  if (machine.width * sizeof(T) != vector_bytes) return 0;
  switch (use()) {
    case Use::off: return 0;
    case Use::always: return 1;
    case Use::where_worth: return elements >= least_elements ? runs : 0;
  }
#endif
  return 0;
}

template <class T>
std::unique_ptr<const GeneratedSteps> GeneratedSteps::make([[maybe_unused]] const VectorMachine<T>& machine,
                                                           [[maybe_unused]] const StepList& steps, [[maybe_unused]] const Slots& slots,
                                                           [[maybe_unused]] std::vector<Instruction>& wide) {
#ifdef XGRAD_GENERATED_CODE
  try {
    auto code = std::make_unique<const Code<T>>(machine, steps, slots, wide);
    ++made();
    return code;
  } catch (const Xbyak::Error&) {  // the kernels do as well
  }
#endif
  return {};
}

#define XGRAD_GENERATED_STEPS(T)                                                                                                        \
  template std::uint32_t GeneratedSteps::worth_after(const VectorMachine<T>&, std::size_t);                                             \
  template std::unique_ptr<const GeneratedSteps> GeneratedSteps::make(const VectorMachine<T>&, const StepList&, const Slots&,           \
                                                                      std::vector<Instruction>&)
XGRAD_GENERATED_STEPS(float);
XGRAD_GENERATED_STEPS(double);

}  // namespace xgrad::detail
