// The dtype of every function's result, and its values, for every dtype of its arguments.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <optional>
#include <string>
#include <tests/support/function.hpp>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

constexpr DType dtypes[] = {DType::bool_, DType::int64, DType::float32, DType::float64};

/// The dtype of the result for arguments that promote to one; none where the function refuses it.
using Result = std::optional<DType> (*)(DType);
std::optional<DType> kept(DType dtype) { return dtype; }
std::optional<DType> no_bool(DType dtype) { return dtype == DType::bool_ ? std::nullopt : std::optional(dtype); }
std::optional<DType> floating(DType dtype) { return is_floating(dtype) ? dtype : DType::float64; }
std::optional<DType> counted(DType dtype) { return dtype == DType::bool_ ? DType::int64 : dtype; }
std::optional<DType> to_bool(DType) { return DType::bool_; }
std::optional<DType> to_int64(DType) { return DType::int64; }

struct Unary {
  std::string name;
  FunctionOf<> f;
  Result result;
};

const std::vector<Unary>& unary_functions() {
  static const std::vector<Unary> all{
      {"negative", negative, no_bool}, {"exp", exp, floating},         {"log", log, floating},         {"log1p", log1p, floating},
      {"expm1", expm1, floating},      {"sqrt", sqrt, floating},       {"square", square, kept},       {"abs", abs, kept},
      {"sign", sign, kept},            {"sin", sin, floating},         {"cos", cos, floating},         {"tanh", tanh, floating},
      {"sigmoid", sigmoid, floating},  {"erf", erf, floating},         {"relu", relu, kept},
      {"sum", [](const Tensor& x) { return sum(x, 1); }, counted},
      {"mean", [](const Tensor& x) { return mean(x, 1); }, floating},
      {"max", [](const Tensor& x) { return max(x, 1); }, kept},
      {"min", [](const Tensor& x) { return min(x, 1); }, kept},
      {"logsumexp", [](const Tensor& x) { return logsumexp(x, 1); }, floating},
      {"argmax", [](const Tensor& x) { return argmax(x, 1); }, to_int64},
      {"softmax", [](const Tensor& x) { return softmax(x, 1); }, floating},
      {"log_softmax", [](const Tensor& x) { return log_softmax(x, 1); }, floating},
      {"matmul", [](const Tensor& x) { return matmul(x, transpose(x)); }, no_bool},
      {"reshape", [](const Tensor& x) { return reshape(x, {-1}); }, kept},
      {"transpose", [](const Tensor& x) { return transpose(x); }, kept},
      {"matrix_transpose", matrix_transpose, kept},
      {"broadcast_to", [](const Tensor& x) { return broadcast_to(x, {2, 2, 3}); }, kept},
      {"squeeze", [](const Tensor& x) { return squeeze(x.slice(xt::range(0, 1))); }, kept},
      {"expand_dims", [](const Tensor& x) { return expand_dims(x, 1); }, kept},
      {"flatten", [](const Tensor& x) { return flatten(x); }, kept},
      {"concatenate", [](const Tensor& x) { return concatenate({x, x}, 1); }, kept},
      {"stack", [](const Tensor& x) { return stack({x, x}, 1); }, kept},
      {"slice", [](const Tensor& x) { return x.slice(xt::all(), xt::range(2, 0, -1)); }, kept},
      {"take", [](const Tensor& x) { return take(x, Tensor{1, 0, 1}); }, kept},
      {"take_along_axis", [](const Tensor& x) { return take_along_axis(x, Tensor{{2}, {0}}); }, kept},
      {"index_add", [](const Tensor& x) { return index_add(x, Tensor{1, 1}, x); }, kept},
      {"scatter_add", [](const Tensor& x) { return scatter_add(x, Tensor{{2}, {0}}, x.slice(xt::all(), xt::range(1, 2))); }, kept},
  };
  return all;
}

struct Binary {
  std::string name;
  std::function<Tensor(const Tensor&, const Tensor&)> f;
  Result result;
};

const std::vector<Binary>& binary_functions() {
  static const std::vector<Binary> all{
      {"add", add, kept}, {"subtract", subtract, no_bool}, {"multiply", multiply, kept}, {"divide", divide, floating}, {"power", power, kept},
      {"maximum", maximum, kept}, {"minimum", minimum, kept}, {"equal", equal, to_bool}, {"not_equal", not_equal, to_bool}, {"less", less, to_bool},
      {"less_equal", less_equal, to_bool}, {"greater", greater, to_bool}, {"greater_equal", greater_equal, to_bool},
      {"clip", [](const Tensor& x, const Tensor& bound) { return clip(x, bound, bound); }, kept},
      {"where", [](const Tensor& a, const Tensor& b) { return where(Tensor{true, false, true}, a, b); }, kept},
      {"concatenate", [](const Tensor& a, const Tensor& b) { return concatenate({a, b}); }, kept},
      {"stack", [](const Tensor& a, const Tensor& b) { return stack({a, b}); }, kept},
      {"matmul", [](const Tensor& a, const Tensor& b) { return matmul(a, transpose(b)); }, no_bool},
      {"index_add", [](const Tensor& x, const Tensor& source) { return index_add(x, Tensor{1, 0}, source); }, kept},
      {"scatter_add", [](const Tensor& x, const Tensor& source) { return scatter_add(x, Tensor{{2, 0, 0}, {1, 1, 2}}, source); }, kept},
  };
  return all;
}

/// Whole numbers that every dtype holds; none is negative, for int64 has no negative powers.
const Tensor& first() {
  static const Tensor x{{1.0, 0.0, 1.0}, {0.0, 1.0, 1.0}};
  return x;
}
const Tensor& second() {
  static const Tensor x{{0.0, 1.0, 1.0}, {1.0, 0.0, 1.0}};
  return x;
}

/// What float64 gives, as `dtype` holds it.
Values expected(const Tensor& in_float64, DType dtype) { return values(in_float64.to(dtype)); }

void expect_same(const Tensor& actual, const Tensor& in_float64, DType dtype) {
  EXPECT_EQ(actual.dtype(), dtype);
  EXPECT_EQ(actual.shape(), in_float64.shape());
  const Values found = values(actual), wanted = expected(in_float64, dtype);
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    if (found[i] != wanted[i] && !(std::isnan(found[i]) && std::isnan(wanted[i]))) {
      EXPECT_NEAR(found[i], wanted[i], (dtype == DType::float32 ? 1e-6 : 1e-14) * std::abs(wanted[i])) << "at " << i;
    }
}

TEST(Dtypes, OfFunctionsOfOneTensor) {
  for (const Unary& function : unary_functions())
    for (const DType dtype : dtypes) {
      SCOPED_TRACE(function.name + " of " + std::string(name_of(dtype)));
      const std::optional<DType> result = function.result(dtype);
      const Tensor x = first().to(dtype);
      if (!result) EXPECT_THROW(function.f(x), std::invalid_argument);
      else expect_same(function.f(x), function.f(first()), *result);
    }
}

TEST(Dtypes, OfNegativeAndLargeIntegers) {
  const Tensor x{{-3, 0, 7}, {4, -5, 2}};
  for (const Unary& function : unary_functions()) {
    SCOPED_TRACE(function.name);
    expect_same(function.f(x), function.f(x.to(DType::float64)), *function.result(DType::int64));
  }
  // No double holds these.
  const std::int64_t large = (std::int64_t{1} << 53) + 1;
  const Tensor y{large, -large};
  EXPECT_EQ(abs(y).data<std::int64_t>()[1], large);
  EXPECT_EQ((-y).data<std::int64_t>()[0], -large);
  EXPECT_EQ(relu(y).data<std::int64_t>()[0], large);
  EXPECT_EQ(maximum(y, 0).data<std::int64_t>()[0], large);
  EXPECT_EQ((y + 1).data<std::int64_t>()[0], large + 1);
  EXPECT_EQ((y * 3).data<std::int64_t>()[0], 3 * large);
  EXPECT_EQ(values(y == large), (Values{1, 0}));
  EXPECT_EQ(values(y > large - 1), (Values{1, 0}));
  EXPECT_EQ(sum(y.slice(xt::range(0, 1))).item<std::int64_t>(), large);
  EXPECT_EQ(max(y).item<std::int64_t>(), large);
  EXPECT_EQ(matmul(y, Tensor{1, 0}).item<std::int64_t>(), large);
  EXPECT_EQ(power(Tensor{3}, 39).item<std::int64_t>(), 4052555153018976267);
}

TEST(Dtypes, OfFunctionsOfTwoTensorsPromote) {
  for (const Binary& function : binary_functions())
    for (const DType a : dtypes)
      for (const DType b : dtypes) {
        SCOPED_TRACE(function.name + " of " + std::string(name_of(a)) + " and " + std::string(name_of(b)));
        const std::optional<DType> result = function.result(promote(a, b));
        const Tensor x = first().to(a), y = second().to(b);
        if (!result) EXPECT_THROW(function.f(x, y), std::invalid_argument);
        else expect_same(function.f(x, y), function.f(first(), second()), *result);
      }
}

TEST(Dtypes, GradientsArriveInTheDtypeOfTheirTensor) {
  for (const Binary& function : binary_functions()) {
    if (function.result == to_bool) continue;
    for (const DType a : {DType::float32, DType::float64})
      for (const DType b : dtypes) {
        SCOPED_TRACE(function.name + " of " + std::string(name_of(a)) + " and " + std::string(name_of(b)));
        Tensor x = (first() + 2).to(a).evaluate().detach().set_requires_grad();
        Tensor wide = (first() + 2).evaluate().detach().set_requires_grad();
        sum(function.f(x, second().to(b))).backward();
        sum(function.f(wide, second())).backward();
        ASSERT_EQ(x.grad().defined(), wide.grad().defined());
        if (x.grad().defined()) expect_same(x.grad(), wide.grad(), a);
      }
  }
}

}  // namespace
