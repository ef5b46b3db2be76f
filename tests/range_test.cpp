// The ends of the range: overflow, underflow, subnormal numbers, signed zeros, infinities and NaN, in whole batches and in the tail, against
// the C library in wider arithmetic.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <cmath>
#include <limits>
#include <sstream>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

using Wide = long double;
struct Case {
  const char* name;
  Tensor (*f)(const Located&);
  Wide (*exact)(Wide);
  double ulps;  ///< in units of the last place of the result; of the smallest normal number where that is subnormal
};

Wide sigmoid_of(Wide x) { return 1 / (1 + std::exp(-x)); }
Wide softplus_of(Wide x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"exp", exp, std::exp, 2},     {"exp2", exp2, std::exp2, 2},    {"expm1", expm1, std::expm1, 4}, {"log", log, std::log, 2},
      {"log2", log2, std::log2, 4},  {"log10", log10, std::log10, 4}, {"log1p", log1p, std::log1p, 4}, {"sinh", sinh, std::sinh, 6},
      {"cosh", cosh, std::cosh, 6},  {"tanh", tanh, std::tanh, 4},    {"sqrt", sqrt, std::sqrt, 1},    {"cbrt", cbrt, std::cbrt, 4},
      {"erf", erf, std::erf, 4},     {"erfc", erfc, std::erfc, 4},    {"sigmoid", sigmoid, sigmoid_of, 4},
      {"softplus", softplus, softplus_of, 4},
  };
  return all;
}

template <class T>
std::vector<double> points() {
  using Limits = std::numeric_limits<T>;
  std::vector<double> result{0.0, double(Limits::min()), double(Limits::denorm_min()), 5 * double(Limits::denorm_min()), double(Limits::min()) / 3,
                             double(Limits::max()), double(Limits::max()) / 3, double(Limits::infinity()), double(Limits::epsilon()), 1, 0.5, 3};
  // Where exponential functions of any base begin to overflow and to vanish.
  const bool wide = sizeof(T) == 8;
  for (const double end : wide ? std::vector<double>{1022, 1023, 1024, 1074, 1075} : std::vector<double>{125, 126, 127, 128, 149, 150})
    for (const double base : {1.0, std::log(2.0)})
      for (const double beside : {-1.0, -0.5, -1e-3, 0.0, 1e-3, 0.5, 1.0}) result.push_back(static_cast<double>(static_cast<T>(end * base + beside)));
  for (std::size_t i = 0, n = result.size(); i < n; ++i) result.push_back(-result[i]);
  result.push_back(double(Limits::quiet_NaN()));
  return result;
}

template <class T>
class Range : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Range, Types);

TYPED_TEST(Range, FunctionsHoldAtTheEnds) {
  using T = TypeParam;
  using Limits = std::numeric_limits<T>;
  const std::vector<double> at = points<T>();
  for (const Case& each : cases()) {
    const std::vector<double> found = values(each.f(Tensor(xt::adapt(at, {at.size()})).to(dtype_of<T>)));
    for (std::size_t i = 0; i < at.size(); ++i) {
      SCOPED_TRACE(std::string(each.name) + " of " + std::to_string(at[i]) + " = 2^" + std::to_string(std::log2(std::abs(at[i]))));
      const Wide exact = each.exact(at[i]);
      const T right = static_cast<T>(exact);
      if (std::isnan(right)) {
        EXPECT_TRUE(std::isnan(found[i])) << found[i];
      } else if (std::isinf(right)) {
        // Within rounding of the largest number either is right.
        const bool close = std::abs(exact) < Wide(Limits::max()) * (1 + 4 * Wide(Limits::epsilon()));
        EXPECT_TRUE(found[i] == right || (close && std::abs(found[i]) > 0.999 * double(Limits::max()))) << found[i];
      } else {
        const double unit = std::max(std::abs(double(right)), double(Limits::min())) * double(Limits::epsilon());
        EXPECT_LE(std::abs(found[i] - double(right)), each.ulps * unit) << found[i] << ", is " << right;
        if (right == 0) {
          EXPECT_EQ(std::signbit(found[i]), std::signbit(right));
        }
      }
    }
  }
}

TYPED_TEST(Range, NaNStaysInBatchesAndInTheTail) {
  using T = TypeParam;
  for (const Case& each : cases())
    for (const std::size_t n : {1u, 7u, 16u, 37u, 64u})
      for (const std::size_t where : {std::size_t{0}, n / 2, n - 1}) {
        std::vector<double> x(n, 0.5);
        x[where] = std::numeric_limits<double>::quiet_NaN();
        const std::vector<double> found = values(each.f(Tensor(xt::adapt(x, {n})).to(dtype_of<T>)));
        for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(std::isnan(found[i]), i == where) << each.name << ", " << i << " of " << n;
      }
}

TYPED_TEST(Range, ValuesDoNotDependOnTheirNeighbours) {
  using T = TypeParam;
  const double huge = sizeof(T) == 8 ? 709.6 : 88.6, tiny = double(std::numeric_limits<T>::denorm_min());
  for (const Case& each : cases()) {
    const std::vector<double> alone = values(each.f(Tensor{0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3}.to(dtype_of<T>)));
    const std::vector<double> beside = values(each.f(Tensor{0.3, huge, tiny, 0.3, 0.3, 0.3, -huge, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, tiny}.to(dtype_of<T>)));
    for (const std::size_t i : {0u, 3u, 4u, 7u, 14u}) EXPECT_EQ(beside[i], alone[i]) << each.name << ' ' << i;
  }
}

TEST(FirstDerivatives, HoldAtTheEnds) {
  const auto slope = [](Tensor (*f)(const Located&), double at) { return grad([f](const Tensor& x) { return f(x); })(Tensor(at)).item(); };
  EXPECT_NEAR(slope(arcsinh, 1e200) / 1e-200, 1, 1e-14);
  EXPECT_NEAR(slope(arccosh, 1e200) / 1e-200, 1, 1e-14);
  EXPECT_NEAR(slope(log10, 1e308) / (std::log10(std::exp(1.0)) / 1e308), 1, 1e-14);
  EXPECT_NEAR(slope(log2, 1e308) / (std::log2(std::exp(1.0)) / 1e308), 1, 1e-14);
  EXPECT_EQ(slope(exp, 709.5), std::exp(709.5));
  const auto at = [](Tensor (*f)(const Operand&, const Operand&), double a, double b) {
    const Tensor x = Tensor(a).set_requires_grad(), y = Tensor(b).set_requires_grad();
    const std::vector<Tensor> gradients = grad(std::vector<Tensor>{f(x, y)}, std::vector<Tensor>{x, y});
    return std::pair(gradients[0].item(), gradients[1].item());
  };
  for (const double scale : {1e-200, 1e200}) {
    EXPECT_NEAR(at(arctan2, scale, scale).first * scale, 0.5, 1e-14);
    EXPECT_NEAR(at(arctan2, scale, scale).second * scale, -0.5, 1e-14);
  }
  // 1/0.1 rounds to 10, but 0.1 goes into 1 nine times only, for it is a little more than a tenth.
  EXPECT_EQ(at(fmod, 1.0, 0.1).second, -9);
  EXPECT_EQ(at(remainder, 1.0, 0.1).second, -9);
  const auto second = [](double a, double b) {
    return values(hessian([](const Tensor& v) { return xlogy(v.slice(0), v.slice(1)); }, Tensor{a, b}));
  };
  EXPECT_EQ(second(0, 2), (Values{0, 0.5, 0.5, 0}));
  EXPECT_EQ(second(0, 0)[1], second(0, 0)[2]);
}

TEST(NaN, IsPrintedWithoutASign) {
  std::ostringstream text;
  text << Tensor{-std::numeric_limits<double>::quiet_NaN(), 1.0} << Tensor(-std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(text.str().find("-nan"), std::string::npos) << text.str();
  EXPECT_NE(text.str().find("nan"), std::string::npos) << text.str();
}

TEST(GammaFunctions, HoldLeftOfZero) {
  const auto digamma_at = [](double x) { return digamma(Tensor(x)).item(); };
  EXPECT_NEAR(digamma_at(-1e-15) / 1e15, 1, 1e-14);
  EXPECT_NEAR(digamma_at(-1e-8) / (1e8 - 0.5772156649), 1, 1e-14);
  EXPECT_NEAR(digamma_at(-0.5), 0.03648997397857652, 1e-14);
  EXPECT_NEAR(digamma_at(-10.5), 2.3982391295357816, 1e-13);
  const auto polygamma_at = [](std::int64_t n, double x) { return polygamma(n, Tensor(x)).item(); };
  // By the recurrence: the n-th at x is that at x + 1, less (-1)ⁿ n! / xⁿ⁺¹.
  for (const std::int64_t n : {1, 2, 3, 5})
    for (const double x : {-0.25, -1e-3, -1.7, -31.6, -32.6, -100.3}) {
      const double step = (n % 2 ? -1 : 1) * std::tgamma(static_cast<double>(n) + 1) * std::pow(x, -static_cast<double>(n) - 1);
      const double next = polygamma_at(n, x + 1), found = polygamma_at(n, x);
      EXPECT_NEAR(found, next - step, 1e-11 * (std::abs(next) + std::abs(step))) << n << ", " << x;
    }
  EXPECT_NEAR(polygamma_at(2, -0.5), -0.8287966442343199, 1e-12);
  EXPECT_TRUE(std::isnan(polygamma_at(2, -3)));
}

}  // namespace
