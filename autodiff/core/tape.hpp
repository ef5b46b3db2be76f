// The recording: nodes, and how an op is recorded. Users who only compute need none of this;
// it is for those who add an op (see docs/adding-an-op.md).
#pragma once

#include <algorithm>
#include <autodiff/core/op.hpp>
#include <autodiff/core/per_thread.hpp>
#include <autodiff/core/tensor.hpp>
#include <atomic>
#include <bit>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace xgrad {

namespace detail {

/// What a leaf shares with the recordings that use it. Passes of several threads may add to its gradient.
class Leaf : public Counted {
 public:
  std::atomic<bool> owned{false};  ///< a module or an optimiser has it among its parameters

  Tensor gradient() const {
    if (!has_gradient_.load(std::memory_order_acquire)) return {};
    const Lock lock(taken_);
    return gradient_;
  }
  void set_gradient(Tensor gradient) {
    if (!gradient.defined() && !has_gradient_.load(std::memory_order_acquire)) return;
    const Lock lock(taken_);
    exchange(gradient);  // what was there dies behind the lock
  }
  /// Takes the gradient out, to add to it.
  Tensor take_gradient() {
    Tensor taken;
    if (!has_gradient_.load(std::memory_order_acquire)) return taken;
    const Lock lock(taken_);
    exchange(taken);
    return taken;
  }
  /// Puts `gradient` where there is none; else leaves it and gives what is there, taken out.
  Tensor exchange_if_taken(Tensor& gradient) {
    Tensor there;
    const Lock lock(taken_);
    exchange(gradient_.defined() ? there : gradient);
    return there;
  }
  static void dispose(Leaf* leaf) { delete leaf; }

 private:
  /// Held for a few instructions.
  struct Lock {
    explicit Lock(std::atomic_flag& taken) noexcept : taken(taken) {
      while (taken.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
    }
    ~Lock() { taken.clear(std::memory_order_release); }
    std::atomic_flag& taken;
  };
  void exchange(Tensor& other) {
    std::swap(gradient_, other);
    has_gradient_.store(gradient_.defined(), std::memory_order_release);
  }

  Tensor gradient_;
  std::atomic<bool> has_gradient_{false};  ///< so that nobody waits to find nothing
  mutable std::atomic_flag taken_;
};

/// A bool that one thread may set as others look: what was written before it was set is seen by who sees it set.
class Flag {
 public:
  Flag(bool value = false) noexcept : value_(value) {}
  operator bool() const noexcept { return value_.load(std::memory_order_acquire); }
  Flag& operator=(bool value) noexcept {
    value_.store(value, std::memory_order_release);
    return *this;
  }

 private:
  std::atomic<bool> value_;
};

/// The inputs of a node; up to three lie in the node itself.
class Inputs {
 public:
  Inputs() = default;
  Inputs(const Inputs&) = delete;
  Inputs& operator=(const Inputs&) = delete;
  /// Makes room for `count` inputs, all undefined.
  std::span<Tensor> resize(std::size_t count);
  void clear();
  std::span<const Tensor> span() const { return {many_ ? many_.get() : few_, size_}; }
  std::span<Tensor> span() { return {many_ ? many_.get() : few_, size_}; }

 private:
  Tensor few_[3];
  std::unique_ptr<Tensor[]> many_;
  std::uint32_t size_ = 0;
};

/// One entry of the recording.
struct Node final : NodeHead {
  std::shared_ptr<const Op> op;  ///< none for a leaf
  Inputs inputs;
  Flag evaluated = false;
  bool released = false;         ///< a backward has freed what led here
  std::uint16_t recorder = 0;    ///< number of the thread that recorded it, whose lock computing it takes; 0 of a leaf
  std::uint32_t slot = 0;        ///< place in the replay under way, from 1
  std::uint32_t place = 0;       ///< place in the evaluation under way, from 1
  union {
    std::uint64_t sequence = 0;  ///< greater than that of any input: a topological order, in one thread that of recording
    Node* after;                 ///< of one that is dying, the next to die
  };
  std::uint64_t oldest = 0;      ///< the sequence number from which on nodes up to here may await evaluation
  std::uint64_t oldest_bytes = 0;  ///< bytes that nodes of this thread up to there have
  Value value;                   ///< once set it stays, for other threads may be reading it
  std::atomic<Buffer*> packed{nullptr};  ///< the same values row-major, made when first asked for where `value` is not
  Ref<Leaf> leaf;                ///< of a leaf that gathers gradients
  Ref<Node> current;             ///< of a leaf that was made assignable: its value of now, which recordings refer to

  ~Node();
  // Nodes come and go by the million: each thread keeps the memory of its dead ones.
  static void* operator new(std::size_t bytes);
  static void operator delete(void* memory) noexcept;

  Array array() const;
};

/// A node for `op` applied to `inputs`; gradients are tracked when an input requires them and gradient mode is on.
/// Shapes and dtypes were checked by the caller.
Tensor record(std::shared_ptr<const Op> op, std::span<const Tensor> inputs, Shape shape, DType dtype);
/// The same for inputs that the caller gives away, which saves counting.
Tensor record_moved(std::shared_ptr<const Op> op, std::span<Tensor> inputs, Shape shape, DType dtype);
/// The same for a view. That of a value, where no gradient is tracked, is a value at once.
Tensor record_view(std::shared_ptr<const Op> op, const Tensor& x, Shape shape);

/// The one shared instance of an op without parameters, at no cost in counting. Never destroyed: tensors in static storage may use it
/// as the program ends.
template <class O>
const std::shared_ptr<const Op>& shared_op() {
  static const auto& shared = *new std::shared_ptr<const Op>(std::shared_ptr<void>(), new O);
  return shared;
}

/// Mixes what an op is made of into a hash: numbers, ranges, plain structs, and others that list their `members()`.
template <class P>
void add_to_hash(std::uint64_t& hash, const P& parameter) {
  if constexpr (std::is_floating_point_v<P>) add_to_hash(hash, std::bit_cast<std::uint64_t>(static_cast<double>(parameter)));
  else if constexpr (std::is_arithmetic_v<P> || std::is_enum_v<P>)
    hash = (std::rotl(hash, 29) ^ static_cast<std::uint64_t>(parameter)) * 0x9E3779B97F4A7C15u;
  else if constexpr (std::has_unique_object_representations_v<P>)
    for (const std::byte byte : std::as_bytes(std::span(&parameter, 1))) add_to_hash(hash, static_cast<std::uint8_t>(byte));
  else if constexpr (requires { parameter.members(); })
    std::apply([&](const auto&... member) { (add_to_hash(hash, member), ...); }, parameter.members());
  else {
    add_to_hash(hash, parameter.size());
    for (const auto& element : parameter) add_to_hash(hash, element);
  }
}

/// Ops by the hash of their parameters, of one kind and one thread.
using InternedOps = std::unordered_multimap<std::uint64_t, std::shared_ptr<const Op>>;
/// Makes room where there are very many, most of all by letting go of ops that no recording holds.
void bound_interned(InternedOps& ops);

/// The shared instance of an op with these parameters, so that recordings that are alike hold the very same ops. An op that holds
/// tensors or data does not belong here.
template <class O, class... Parameters>
std::shared_ptr<const Op> interned(Parameters&&... parameters) {
  struct Interned {
    InternedOps ops;
    std::shared_ptr<const Op> last;  // most often the next is the same
  };
  auto& [ops, last] = per_thread<Interned>();
  std::uint64_t hash = 0;
  (add_to_hash(hash, parameters), ...);
  O op(std::forward<Parameters>(parameters)...);
  const auto is_it = [&op](const std::shared_ptr<const Op>& other) { return static_cast<const O&>(*other) == op; };
  if (last && is_it(last)) return last;
  op.compare_by([](const Op& a, const Op& b) { return static_cast<const O&>(a) == static_cast<const O&>(b); });
  for (auto [at, end] = ops.equal_range(hash); at != end; ++at)
    if (is_it(at->second)) return last = at->second;
  bound_interned(ops);
  return last = ops.emplace(hash, std::make_shared<const O>(std::move(op)))->second;
}

/// Held while values of what the calling thread, or another, recorded are computed; by one thread at a time, which may take it again.
std::recursive_mutex& recorder_lock(std::uint16_t recorder);
/// While it lives, what this thread records is watched, but for what a GradMode within sets apart: for functions that are called twice.
class RecordingWatch {
 public:
  RecordingWatch() noexcept;
  ~RecordingWatch();
  RecordingWatch(const RecordingWatch&) = delete;
  RecordingWatch& operator=(const RecordingWatch&) = delete;
  static bool active() noexcept;
  /// Takes note of a number given to an op.
  static void note_number(double number) noexcept;
  /// A hash of the ops recorded, views aside, with their shapes and the numbers that they take.
  std::uint64_t structure() const noexcept;
  /// Whether something that requires gradients was used while nothing was tracked.
  bool lost_gradients() const noexcept;

 private:
  bool before_, lost_before_;
  std::uint64_t structure_before_;
};

/// The number of the calling thread; 0 if it has recorded nothing.
std::uint16_t this_recorder() noexcept;

/// Sorts by sequence number. Those of one recording are close together, which makes that linear in their count.
void sort_by_sequence(std::vector<Node*>& nodes);

/// A constant leaf of a value that is there.
Tensor make_leaf(const Shape& shape, DType dtype, Value value);

/// Throws std::logic_error naming `op` when a tensor is undefined.
inline void check_defined(std::string_view op, const Tensor& tensor) {
  if (!tensor.defined()) [[unlikely]] throw_undefined(op);
}

/// `axis` of a tensor counted from the front. Throws as check_defined and normalize_axis do.
inline std::size_t checked_axis(std::string_view op, const Tensor& x, std::int64_t axis) {
  check_defined(op, x);
  return static_cast<std::size_t>(normalize_axis(op, axis, x.shape()));
}

/// Gives a leaf a new value of its dtype and shape: in its node, unless something else refers to that.
void replace_value(Tensor& tensor, Value value);

/// As `Tensor::assign`, but the leaf takes on the value's dtype.
void assign_as(Tensor& leaf, const Tensor& value);

/// What is known of a value while a recording is made, and is part of its structure: numbers that stand in it as such.
enum class Known : std::uint8_t { nothing, one, finite };
Known known(const Node& node);

/// The node that recordings refer to: that of a leaf's value of now.
inline Node* resolve(Node* node) { return node->current ? node->current.get() : node; }

}  // namespace detail

inline Tensor::Tensor(detail::Ref<detail::Node> node) noexcept : node_(detail::Ref<detail::NodeHead>::adopt(node.leave())) {}
inline detail::Node* Tensor::node() const noexcept { return static_cast<detail::Node*>(node_.get()); }

/// True while ops on tensors that require gradients are tracked; of the calling thread.
bool grad_enabled() noexcept;

/// While it lives, gradient mode of this thread is as given.
class GradMode {
 public:
  explicit GradMode(bool enabled) noexcept;
  ~GradMode();
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool before_, watched_before_;
};

/// While it lives, nothing is tracked for gradients in this thread.
class NoGrad : GradMode {
 public:
  NoGrad() noexcept : GradMode(false) {}
};

/// Calls `f` with tracking off and returns its result.
template <class F>
decltype(auto) no_grad(F&& f) {
  NoGrad guard;
  return std::forward<F>(f)();
}

}  // namespace xgrad
