#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>

namespace xgrad {

/// Element type of a tensor. The floating types carry gradients; `int64` and `bool_` serve labels, indices and masks.
/// The order is that of promotion.
enum class DType : std::uint8_t { bool_, int64, float32, float64 };

/// Bytes of one element.
constexpr std::size_t size_of(DType dtype) {
  constexpr std::size_t sizes[] = {1, 8, 4, 8};
  return sizes[static_cast<std::size_t>(dtype)];
}

/// NumPy's spelling: "bool", "int64", "float32", "float64".
constexpr std::string_view name_of(DType dtype) {
  constexpr std::string_view names[] = {"bool", "int64", "float32", "float64"};
  return names[static_cast<std::size_t>(dtype)];
}

constexpr bool is_floating(DType dtype) { return dtype >= DType::float32; }

/// The smallest type that holds both, by NumPy's rules: int64 with float32 gives float64.
constexpr DType promote(DType a, DType b) {
  const DType low = a < b ? a : b, high = a < b ? b : a;
  return low == DType::int64 && high == DType::float32 ? DType::float64 : high;
}

/// C++ numbers that convert to an element type: integers of any width become int64.
template <class T>
concept Number = std::is_arithmetic_v<std::remove_cvref_t<T>>;

/// bool itself. Functions delete the overload in which one stands where a number belongs, as in var(x, -1, true): `true` would
/// be taken for 1.
template <class T>
concept Flag = std::same_as<T, bool>;

/// The C++ types an element is stored as.
template <class T>
concept Element = std::same_as<T, bool> || std::same_as<T, std::int64_t> || std::same_as<T, float> || std::same_as<T, double>;

/// The element type a C++ number is stored as: float and double as themselves, bool as bool, other integers as int64.
template <Number T>
using element_t = std::conditional_t<
    std::is_same_v<T, bool>, bool,
    std::conditional_t<std::is_integral_v<T>, std::int64_t, std::conditional_t<std::is_same_v<T, float>, float, double>>>;

template <Number T>
constexpr DType dtype_of = std::is_same_v<element_t<T>, bool>           ? DType::bool_
                           : std::is_same_v<element_t<T>, std::int64_t> ? DType::int64
                           : std::is_same_v<element_t<T>, float>        ? DType::float32
                                                                        : DType::float64;

/// `value` without its fraction. What int64 cannot hold, and NaN, gives the smallest int64, as NumPy's conversions do on x86.
template <std::floating_point T>
constexpr std::int64_t to_int64(T value) {
  constexpr T bound = 9223372036854775808.0;
  return value >= -bound && value < bound ? static_cast<std::int64_t>(value) : std::numeric_limits<std::int64_t>::min();
}

/// Calls `f` with a value of the C++ type that `dtype` names.
template <class F>
constexpr decltype(auto) dispatch(DType dtype, F&& f) {
  switch (dtype) {
    case DType::bool_: return f(bool{});
    case DType::int64: return f(std::int64_t{});
    case DType::float32: return f(float{});
    default: return f(double{});
  }
}

/// As `dispatch`, for the floating types alone.
template <class F>
constexpr decltype(auto) dispatch_floating(DType dtype, F&& f) {
  return dtype == DType::float32 ? f(float{}) : f(double{});
}

}  // namespace xgrad
