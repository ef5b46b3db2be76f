#include <autodiff/core/per_thread.hpp>
#include <autodiff/core/trace_state.hpp>
#include <autodiff/ops/apply.hpp>
#include <autodiff/ops/check_values.hpp>
#include <autodiff/ops/contiguous.hpp>
#include <autodiff/ops/elementwise_ops.hpp>
#include <cstring>
#include <stdexcept>

namespace xgrad {
namespace {

using namespace detail;

void refuse_bool(std::string_view op, DType dtype) {
  if (dtype == DType::bool_)
    throw detail::located<std::invalid_argument>(std::string(op) + ": bool tensors have no difference; use not_equal, or to(DType::int64)");
}

/// A number that stands for an exponent, if it is one that a cheaper exact op serves.
bool is_number(const Operand& operand, double value) { return operand.is_number() && operand.number() == value; }

}  // namespace

Tensor Operand::to(DType dtype) const {
  if (tensor_) return tensor_->to(dtype);
  RecordingWatch::note_number(value_);
  return dispatch(dtype, [&](auto type) {
    using T = decltype(type);
    const T value = [&] {
      if (std::is_integral_v<T> && !is_floating(dtype_)) return static_cast<T>(integer_);
      if constexpr (std::is_same_v<T, std::int64_t>) return to_int64(value_);
      else return static_cast<T>(value_);
    }();
    // The same few numbers come again and again: one that does is kept. Those of a rule that is traced are kept apart, for
    // they must not be taken for numbers of the recording.
    struct Recent {
      T value{};
      bool seen = false;
      std::uint64_t trace = 0;
      Tensor tensor;
    };
    struct RecentNumbers {
      Recent entries[64];
    };
    auto& recent = per_thread<RecentNumbers>().entries;
    const std::uint64_t trace = Tracing::current();
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    Recent& entry = recent[(bits * 0x9E3779B97F4A7C15u) >> 58];
    if (!entry.seen || entry.trace != trace || std::memcmp(&entry.value, &value, sizeof(T)) != 0) {
      Tensor tensor = make_leaf_copy({}, dtype, &value);
      entry = {value, true, trace, trace == 0 ? Tensor() : tensor};
      return tensor;
    }
    if (!entry.tensor.defined()) entry.tensor = make_leaf_copy({}, dtype, &value);
    return entry.tensor;
  });
}

Tensor add(const Operand& a, const Operand& b) { return binary<Add>(a, b); }
Tensor multiply(const Operand& a, const Operand& b) { return binary<Multiply>(a, b); }
Tensor divide(const Operand& a, const Operand& b) { return binary<Divide>(a, b); }
Tensor maximum(const Operand& a, const Operand& b) { return binary<Maximum>(a, b); }
Tensor minimum(const Operand& a, const Operand& b) { return binary<Minimum>(a, b); }

Tensor subtract(const Operand& a, const Operand& b) {
  a.check("subtract");
  b.check("subtract");
  refuse_bool("subtract", common_dtype(a, b));
  return binary<Subtract>(a, b);
}

Tensor negative(const Located& x) {
  check_defined("negative", x);
  refuse_bool("negative", x.dtype());
  return unary<Negative>(x);
}

namespace {
Tensor& rebind(std::string_view op, Tensor& a, Tensor result) {
  if (a.requires_grad() && a.is_leaf())
    throw located<std::logic_error>(std::string(op) + ": the tensor of shape " + to_string(a.shape()) +
                                    " is a leaf that requires gradients, and would be the result of an op; change it with assign, or by an optimiser");
  return a = std::move(result);
}
}  // namespace

Tensor& operator+=(Tensor& a, const Operand& b) { return rebind("+=", a, a + b); }
Tensor& operator-=(Tensor& a, const Operand& b) { return rebind("-=", a, a - b); }
Tensor& operator*=(Tensor& a, const Operand& b) { return rebind("*=", a, a * b); }
Tensor& operator/=(Tensor& a, const Operand& b) { return rebind("/=", a, a / b); }

Tensor power(const Operand& a, const Operand& b) {
  check_operands("power", {&a, &b});
  const DType dtype = common_dtype(a, b);
  if (is_floating(dtype) && b.is_number()) {
    const Tensor base = a.to(dtype);
    if (is_number(b, 1) && !a.is_number()) return base;
    if (is_number(b, 2)) return square(base);
    if (is_number(b, 3)) return base * square(base);
    if (is_number(b, -1)) return 1 / base;
  }
  if (dtype == DType::int64) {
    return binary<Power>(a, check_values("power", b.to(dtype), [](const Array& exponents) {
      const Contiguous<std::int64_t> values(exponents);
      for (std::int64_t i = 0; i < exponents.size; ++i)
        if (values.data()[i] < 0)
          throw detail::located<std::domain_error>("power: an int64 tensor has no power " + std::to_string(values.data()[i]) +
                                  "; convert it with to(DType::float64)");
      return true;
    }).values);
  }
  return binary<Power>(a, b);
}

Tensor exp(const Located& x) { return unary<Exp>(x); }
Tensor log(const Located& x) { return unary<Log>(x); }
Tensor log1p(const Located& x) { return unary<Log1p>(x); }
Tensor expm1(const Located& x) { return unary<Expm1>(x); }
Tensor sqrt(const Located& x) { return unary<Sqrt>(x); }
Tensor square(const Located& x) { return unary<Square>(x); }
Tensor abs(const Located& x) { return unary<Abs>(x); }
Tensor sign(const Located& x) { return unary<Sign>(x); }
Tensor sin(const Located& x) { return unary<Sin>(x); }
Tensor cos(const Located& x) { return unary<Cos>(x); }
Tensor tanh(const Located& x) { return unary<Tanh>(x); }
Tensor sigmoid(const Located& x) { return unary<Sigmoid>(x); }
Tensor erf(const Located& x) { return unary<Erf>(x); }
Tensor relu(const Located& x) { return unary<Relu>(x); }

Tensor clip(const Located& x, const Operand& low, const Operand& high) {
  check_defined("clip", x);
  check_operands("clip", {&low, &high});
  const Operand operand(x);
  const DType dtype = common_dtype({&operand, &low, &high});
  Tensor inputs[] = {x.to(dtype), low.to(dtype), high.to(dtype)};
  Shape shape = broadcast_shapes("clip", broadcast_shapes("clip", x.shape(), inputs[1].shape()), inputs[2].shape());
  return record_moved(shared_op<Clip>(), inputs, std::move(shape), dtype);
}

Tensor where(const Located& condition, const Operand& a, const Operand& b) {
  check_defined("where", condition);
  check_operands("where", {&a, &b});
  if (condition.dtype() != DType::bool_)
    throw detail::located<std::invalid_argument>("where: the condition of shape " + to_string(condition.shape()) + " is " +
                                std::string(name_of(condition.dtype())) + ", not bool; compare it, as in x != 0");
  const DType dtype = common_dtype(a, b);
  Tensor inputs[] = {condition, a.to(dtype), b.to(dtype)};
  Shape shape = broadcast_shapes("where", condition.shape(), broadcast_shapes("where", inputs[1].shape(), inputs[2].shape()));
  return record_moved(shared_op<Where>(), inputs, std::move(shape), dtype);
}

Tensor equal(const Operand& a, const Operand& b) { return compare<Equal>(a, b); }
Tensor not_equal(const Operand& a, const Operand& b) { return compare<NotEqual>(a, b); }
Tensor less(const Operand& a, const Operand& b) { return compare<Less>(a, b); }
Tensor less_equal(const Operand& a, const Operand& b) { return compare<LessEqual>(a, b); }
Tensor greater(const Operand& a, const Operand& b) { return compare<Greater>(a, b); }
Tensor greater_equal(const Operand& a, const Operand& b) { return compare<GreaterEqual>(a, b); }

}  // namespace xgrad
