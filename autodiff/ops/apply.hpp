// How an elementwise op is recorded: dtypes promoted, shapes broadcast.
#pragma once

#include <autodiff/kernels/element_kernels.hpp>
#include <autodiff/ops/elementwise_op.hpp>
#include <initializer_list>

namespace xgrad::detail {

/// The dtype that operands promote to: tensors among themselves, numbers then only by kind.
inline DType common_dtype(std::initializer_list<const Operand*> operands) {
  bool tensors = false;
  DType dtype = DType::bool_;
  for (const Operand* operand : operands)
    if (!operand->is_number()) {
      dtype = promote(dtype, operand->dtype());
      tensors = true;
    }
  for (const Operand* operand : operands) {
    if (!operand->is_number()) continue;
    const DType number = operand->dtype();
    if (!tensors) dtype = promote(dtype, number);
    else if (is_floating(number) && !is_floating(dtype)) dtype = DType::float64;
    else if (number == DType::int64 && dtype == DType::bool_) dtype = DType::int64;
  }
  return dtype;
}

inline DType to_floating(DType dtype) { return is_floating(dtype) ? dtype : DType::float64; }

inline DType common_dtype(const Operand& a, const Operand& b) {
  if (!a.is_number() && !b.is_number()) return promote(a.dtype(), b.dtype());
  if (a.is_number() != b.is_number()) {
    const DType dtype = a.is_number() ? b.dtype() : a.dtype();
    if (is_floating(dtype)) return dtype;
  }
  return common_dtype({&a, &b});
}

template <class O>
Tensor unary(const Tensor& x) {
  check_defined(O::title, x);
  const DType dtype = O::integral ? x.dtype() : to_floating(x.dtype());
  Tensor input = x.to(dtype);
  return record_moved(shared_op<O>(), std::span(&input, 1), x.shape(), dtype);
}

inline void check_operands(std::string_view op, std::initializer_list<const Operand*> operands) {
  for (const Operand* operand : operands) operand->check(op);
}

/// The same, and that their shapes broadcast: for functions made of others, which would name those.
inline void check_broadcast(std::string_view op, std::initializer_list<const Operand*> operands) {
  check_operands(op, operands);
  Shape shape;
  for (const Operand* operand : operands)
    if (!operand->is_number()) shape = broadcast_shapes(op, shape, operand->tensor().shape());
}

template <class O>
Tensor binary(const Operand& a, const Operand& b, DType result, DType dtype) {
  Tensor inputs[] = {a.to(dtype), b.to(dtype)};
  const Shape &x = inputs[0].shape(), &y = inputs[1].shape();
  Shape shape = y.empty() || x == y ? x : x.empty() ? y : broadcast_shapes(O::title, x, y);
  return record_moved(shared_op<O>(), inputs, std::move(shape), result);
}

template <class O>
Tensor binary(const Operand& a, const Operand& b) {
  a.check(O::title);
  b.check(O::title);
  const DType common = common_dtype(a, b);
  const DType dtype = O::integral ? common : to_floating(common);
  return binary<O>(a, b, dtype, dtype);
}

template <class O>
Tensor compare(const Operand& a, const Operand& b) {
  a.check(O::title);
  b.check(O::title);
  return binary<O>(a, b, DType::bool_, common_dtype(a, b));
}

}  // namespace xgrad::detail
