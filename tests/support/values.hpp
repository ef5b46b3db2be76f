// What many tests need: values as doubles, simple tensors, messages of errors.
#pragma once

#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <cmath>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

namespace xgrad::test {

using Values = std::vector<double>;

/// The row-major values of a tensor of any dtype.
inline Values values(const Tensor& x) {
  const Tensor wide = x.to(DType::float64);
  const auto array = wide.array<double>();
  return {array.begin(), array.end()};
}

/// `n` values counting up from `first`.
inline Values counted(std::int64_t n, double first = 1) {
  Values result(static_cast<std::size_t>(n));
  std::iota(result.begin(), result.end(), first);
  return result;
}

/// 1, 2, 3, … in a shape, computed.
inline Tensor numbered(const Shape& shape, DType dtype = DType::float64) {
  return arange(1, static_cast<double>(size_of(shape)) + 1, 1, DType::float64).to(dtype).reshape(shape).evaluate();
}

/// A float64 vector that gathers gradients.
inline Tensor leaf(const Values& x) { return Tensor(xt::adapt(x, {x.size()})).set_requires_grad(); }
/// A float64 scalar that gathers gradients.
inline Tensor scalar(double x) { return Tensor(x).set_requires_grad(); }

inline void expect_near(const Tensor& x, const Values& expected, double tolerance = 1e-12) {
  const Values actual = values(x);
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(actual[i], expected[i], tolerance * std::max(1.0, std::abs(expected[i]))) << "at " << i;
}

/// The message of the `Error` that `f` throws, without the place of the call at its end, "(file.cpp:12)".
template <class Error>
std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    const std::string message = error.what();
    const std::size_t place = message.rfind(" (");
    const bool has_place = place != message.npos && message.find(".cpp:", place) != message.npos;
    return has_place ? message.substr(0, place) : message;
  }
  ADD_FAILURE() << "nothing of the kind thrown";
  return {};
}

}  // namespace xgrad::test
