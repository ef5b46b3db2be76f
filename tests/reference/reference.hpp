// Reading the reference figures, and comparing tensors with them.
#pragma once

#include <gtest/gtest.h>
#include <tests/support/throws.hpp>
#include <algorithm>
#include <autodiff/autodiff.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace reference {

using Json = nlohmann::json;

inline Json read(const std::string& name) {
  const std::filesystem::path path = std::filesystem::path(XGRAD_TEST_DIR) / "reference" / name;
  std::ifstream stream(path);
  if (!stream) throw std::runtime_error("cannot open " + path.string());
  return Json::parse(stream);
}

inline xgrad::Tensor tensor(const Json& packed) {
  xgrad::Shape shape;
  for (const Json& extent : packed["shape"]) shape.push_back(extent.get<std::int64_t>());
  if (packed["dtype"] == "int64") {
    const auto values = packed["values"].get<std::vector<std::int64_t>>();
    return xgrad::detail::make_leaf_copy(shape, xgrad::DType::int64, values.data());
  }
  std::vector<double> values;
  for (const Json& value : packed["values"])
    values.push_back(value.is_string() ? std::stod(value.get<std::string>()) : value.get<double>());
  return xgrad::detail::make_leaf_copy(shape, xgrad::DType::float64, values.data());
}

/// Equal shapes, and values within `rtol` of each other; NaN and infinities must be the same.
inline testing::AssertionResult near(const xgrad::Tensor& actual, const xgrad::Tensor& expected, double rtol = 1e-6,
                                     double atol = 1e-12) {
  if (actual.shape() != expected.shape())
    return testing::AssertionFailure() << "shape " << xgrad::to_string(actual.shape()) << ", expected "
                                       << xgrad::to_string(expected.shape());
  const xgrad::Tensor a = actual.to(xgrad::DType::float64), b = expected.to(xgrad::DType::float64);
  const double *x = a.data<double>(), *y = b.data<double>();
  for (std::int64_t i = 0; i < a.size(); ++i) {
    const bool same = x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]));
    const double bound = rtol * std::max(std::abs(x[i]), std::abs(y[i])) + atol;
    if (!same && !(std::isfinite(x[i]) && std::isfinite(y[i]) && std::abs(x[i] - y[i]) <= bound))
      return testing::AssertionFailure() << "element " << i << " is " << x[i] << ", expected " << y[i] << ", bound "
                                         << bound;
  }
  return testing::AssertionSuccess();
}

inline bool all_finite(const xgrad::Tensor& tensor) {
  const xgrad::Tensor values = tensor.to(xgrad::DType::float64);
  const double* x = values.data<double>();
  return std::all_of(x, x + values.size(), [](double value) { return std::isfinite(value); });
}

using xgrad::test::throws;

}  // namespace reference
