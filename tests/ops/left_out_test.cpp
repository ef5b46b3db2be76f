// What a `where`, an index, a relu or a maximum leaves out has no effect on derivatives of any order, and where nothing is left out
// a derivative is the right one, infinite or NaN, but never another number.
#include <autodiff/autodiff.hpp>
#include <gtest/gtest.h>
#include <cmath>
#include <limits>
#include <nn/activations.hpp>
#include <tests/support/values.hpp>

namespace xgrad {
using test::values;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
using Function = std::function<Tensor(const Tensor&)>;

/// Functions that are singular, undefined or steep at the points below, each in its own way; all are smooth at 4.
const std::vector<std::pair<const char*, Function>>& functions() {
  static const std::vector<std::pair<const char*, Function>> all{
      {"exp(-1/x)", [](const Tensor& x) { return exp(-1 / x); }},
      {"x log x", [](const Tensor& x) { return x * log(x); }},
      {"x sqrt x", [](const Tensor& x) { return x * sqrt(x); }},
      {"tanh(1/x)", [](const Tensor& x) { return tanh(1 / x); }},
      {"log log x", [](const Tensor& x) { return log(log(x)); }},
      {"sqrt log x", [](const Tensor& x) { return sqrt(log(x)); }},
      {"sin(x)/x", [](const Tensor& x) { return sin(x) / x; }},
      {"x to the x", [](const Tensor& x) { return power(x, x); }},
      {"root by power", [](const Tensor& x) { return power(x, 0.5); }},
      {"a product of three", [](const Tensor& x) { return x / sqrt(x) * log1p(-1 / x); }},
      {"gamma functions", [](const Tensor& x) { return lgamma(x) * digamma(x); }},
      {"xlogy", [](const Tensor& x) { return xlogy(x, x); }},
      {"arctan2", [](const Tensor& x) { return arctan2(x, x) * log(x); }},
      {"log hypot", [](const Tensor& x) { return log(hypot(x, x)); }},
      {"logaddexp", [](const Tensor& x) { return logaddexp(log(x), x); }},
      {"arccosh", [](const Tensor& x) { return arccosh(x) * x; }},
      {"erf(1/x)", [](const Tensor& x) { return erf(1 / x); }},
      {"cbrt", [](const Tensor& x) { return cbrt(x) * cbrt(x); }},
      {"maximum", [](const Tensor& x) { return maximum(log(x), x) * log(x); }},
      {"|x|/x", [](const Tensor& x) { return abs(x) / x; }},
      {"exp log x", [](const Tensor& x) { return exp(log(x)); }},
      {"sigmoid and softplus", [](const Tensor& x) { return sigmoid(1 / x) * softplus(-1 / x); }},
      {"gelu(1/x)", [](const Tensor& x) { return nn::gelu(1 / x); }},
      {"rsqrt", [](const Tensor& x) { return rsqrt(x) * x; }},
  };
  return all;
}

Tensor kept(const Tensor& x) { return logical_and(x > 0.5, x < 100.0); }

/// Ways to leave out the first element of f(x), but not the second.
struct Selection {
  const char* name;
  std::function<Tensor(const Function& f, const Tensor& x)> apply;
};
void PrintTo(const Selection& selection, std::ostream* stream) { *stream << selection.name; }

const std::vector<Selection>& selections() {
  static const std::vector<Selection> all{
      {"where", [](const Function& f, const Tensor& x) { return where(kept(x), f(x), 0); }},
      {"whereSquared", [](const Function& f, const Tensor& x) { return square(where(kept(x), f(x), 0)); }},
      {"whereOfWhere", [](const Function& f, const Tensor& x) { return exp(0.01 * where(kept(x), f(where(kept(x), x, x)), 1.0) * 2.0); }},
      {"maskedFill", [](const Function& f, const Tensor& x) { return masked_fill(f(x), logical_not(kept(x)), 0); }},
      {"slice", [](const Function& f, const Tensor& x) { return f(x).slice(xt::range(1, 2)); }},
      {"index", [](const Function& f, const Tensor& x) { return f(x).slice(1); }},
      {"take", [](const Function& f, const Tensor& x) { return take(f(x), Tensor{1, 1}, 0); }},
      {"takeAlongAxis", [](const Function& f, const Tensor& x) { return take_along_axis(f(x), Tensor{1}, 0); }},
      {"set", [](const Function& f, const Tensor& x) { return f(x).at(0).set(3.0); }},
      {"reshaped", [](const Function& f, const Tensor& x) { return where(reshape(kept(x), {2, 1}), reshape(f(x), {2, 1}), 0); }},
      {"summed", [](const Function& f, const Tensor& x) { return where(kept(x), sum(f(broadcast_to(expand_dims(x, 1), {2, 3})), 1), 0); }},
      {"softmaxOfRows", [](const Function& f, const Tensor& x) { return where(expand_dims(kept(x), 1), softmax(stack({f(x), x}, 1), 1), 0); }},
      {"logSoftmaxOfRows", [](const Function& f, const Tensor& x) { return where(expand_dims(kept(x), 1), log_softmax(stack({f(x), x}, 1), 1), 0); }},
      {"logsumexpOfRows", [](const Function& f, const Tensor& x) { return where(kept(x), logsumexp(stack({f(x), x}, 1), 1), 0); }},
      {"concatenated", [](const Function& f, const Tensor& x) { return where(concatenate({kept(x), kept(x)}), concatenate({f(x), f(x) * 2.0}), 0); }},
      {"transposed", [](const Function& f, const Tensor& x) { return where(kept(x), transpose(f(expand_dims(x, 1))), 0); }},
      {"cast", [](const Function& f, const Tensor& x) { return where(kept(x), f(x.to(DType::float32)).to(DType::float64), 0); }},
      {"rowsOfAProduct", [](const Function& f, const Tensor& x) {
         const Tensor weight = reshape(x.slice(1) * Tensor{1.0, 2.0}, {1, 2});
         return where(expand_dims(kept(x), 1), matmul(f(expand_dims(x, 1)), weight), 0);
       }},
      {"checkpointed", [](const Function& f, const Tensor& x) {
         return where(kept(x), checkpoint([&](const std::vector<Tensor>& in) { return f(in[0]); }, {x}), 0);
       }},
      {"behindACheckpoint", [](const Function& f, const Tensor& x) {
         return where(kept(x), checkpoint([](const std::vector<Tensor>& in) { return in[0] * 2.0; }, {f(x)}), 0);
       }},
      {"hooked", [](const Function& f, const Tensor& x) { return where(kept(x), with_hook(f(x), [](const Tensor& g) { return 2 * g; }), 0); }},
      {"vectorized", [](const Function& f, const Tensor& x) {
         return vmap([&](const Tensor& t) { return where(kept(t), f(t), 0); })(x);
       }},
  };
  return all;
}

class LeftOut : public testing::TestWithParam<Selection> {};

/// Expects derivatives of three orders of the sum of f that are 0 with respect to the first of two elements, the others finite.
void expect_no_effect(const Function& f, double first) {
  const Function total = [&](const Tensor& x) { return sum(f(x)); };
  const Tensor x{first, 4.0};
  const auto gradient = values(grad(total)(x)), second = values(hessian(total, x));
  const auto third = values(jacobian([&](const Tensor& t) { return hessian(total, t); }, x));
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(i == 1 ? std::isfinite(gradient[i]) : gradient[i] == 0) << "first order, " << i << ": " << gradient[i];
    for (std::size_t j = 0; j < 2; ++j) {
      const double at = second[2 * i + j];
      EXPECT_TRUE(i + j == 2 ? std::isfinite(at) : at == 0) << "second order, " << i << ", " << j << ": " << at;
      for (std::size_t k = 0; k < 2; ++k) {
        const double deep = third[4 * i + 2 * j + k];
        EXPECT_TRUE(i + j + k == 3 ? std::isfinite(deep) : deep == 0) << "third order, " << i << ", " << j << ", " << k << ": " << deep;
      }
    }
  }
}

TEST_P(LeftOut, ElementsHaveNoEffectAtThreeOrders) {
  for (const auto& [name, f] : functions())
    for (const double first : {0.0, -1.0, nan, infinity, -infinity}) {
      SCOPED_TRACE(std::string(name) + " at " + std::to_string(first));
      expect_no_effect([&, f = f](const Tensor& x) { return GetParam().apply(f, x); }, first);
    }
}

INSTANTIATE_TEST_SUITE_P(Ways, LeftOut, testing::ValuesIn(selections()), [](const auto& info) { return std::string(info.param.name); });

TEST(LeftOutByValue, ElementsHaveNoEffectAtThreeOrders) {
  expect_no_effect([](const Tensor& x) { return relu(1 - 1 / x); }, 0.0);
  expect_no_effect([](const Tensor& x) { return relu(-1 / x + 1); }, 0.5);
  expect_no_effect([](const Tensor& x) { return maximum(log(x), 0.0); }, 0.0);
  expect_no_effect([](const Tensor& x) { return minimum(-log(x), 0.0); }, 0.0);
  expect_no_effect([](const Tensor& x) { return clip(log(x), 0.0, 10.0); }, 0.0);
  expect_no_effect([](const Tensor& x) { return max(log(x)); }, 0.0);
  expect_no_effect([](const Tensor& x) { return min(-log(x)); }, 0.0);
  expect_no_effect([](const Tensor& x) { return max(sqrt(x)); }, 0.0);
  expect_no_effect([](const Tensor& x) { return sort(log(x)).slice(1); }, 0.0);
  expect_no_effect([](const Tensor& x) { return max_pool1d(reshape(log(x), {1, 1, 2}), 2); }, 0.0);
}

TEST(LeftOut, AConstantCotangentOfZeroLeavesItsElementOut) {
  const Tensor x = Tensor{0.0, 4.0}.set_requires_grad(), y = sqrt(x);
  EXPECT_EQ(values(grad(std::vector<Tensor>{y}, std::vector<Tensor>{x}, {.cotangents = {Tensor{0.0, 1.0}}})[0]), (std::vector<double>{0, 0.25}));
  const auto of_roots = values(jacobian([](const Tensor& t) { return sqrt(t); }, x.detach()));
  EXPECT_EQ(of_roots, (std::vector<double>{infinity, 0, 0, 0.25}));
  const auto forward = values(jacobian([](const Tensor& t) { return concatenate({sqrt(t), t}); }, x.detach()));
  EXPECT_EQ(forward, (std::vector<double>{infinity, 0, 0, 0.25, 1, 0, 0, 1}));
}

TEST(LeftOut, LongRecordingsKeepIt) {
  // So long that the backward pass goes in parts, some of which end between the `where` and what it leaves out.
  for (const int behind : {0, 100, 4000, 9000}) {
    const Tensor x = Tensor{0.0, 4.0}.set_requires_grad();
    Tensor y = sqrt(x) * 0.5;
    for (int i = 0; i < 20000 - behind; ++i) y = y * 1.0001 - 0.0001;
    y = where(x > 0.5, y, 0);
    for (int i = 0; i < behind; ++i) y = y * 0.9999 + 0.0001;
    sum(y).backward();
    EXPECT_EQ(values(x.grad())[0], 0) << behind;
    EXPECT_TRUE(std::isfinite(values(x.grad())[1])) << behind;
  }
}

/// Expects the first entry of a Hessian to be `right`, infinite or NaN.
void expect_right_or_loud(const char* what, const Function& f, const Tensor& x, double right) {
  const double found = values(hessian(f, x))[0];
  EXPECT_TRUE(!std::isfinite(found) || std::abs(found - right) < 1e-9) << what << ": " << found << ", is " << right;
}

TEST(NothingLeftOut, SecondDerivativesAtKinksAreRightOrLoud) {
  const Tensor origin{0.0, 0.0}, zero{0.0};
  expect_right_or_loud("|v|²", [](const Tensor& v) { return square(norm(v)); }, origin, 2);
  expect_right_or_loud("cos |v|", [](const Tensor& v) { return cos(norm(v)); }, origin, -1);
  expect_right_or_loud("hypot²", [](const Tensor& v) { return square(hypot(v.slice(0), v.slice(1))); }, origin, 2);
  expect_right_or_loud("cos hypot", [](const Tensor& v) { return cos(hypot(v.slice(0), v.slice(1))); }, origin, -1);
  expect_right_or_loud("|x|²", [](const Tensor& v) { return sum(square(abs(v))); }, zero, 2);
  expect_right_or_loud("|x|·|x|", [](const Tensor& v) { return sum(abs(v) * abs(v)); }, zero, 2);
  expect_right_or_loud("cos |x|", [](const Tensor& v) { return sum(cos(abs(v))); }, zero, -1);
  expect_right_or_loud("maximum(x, -x)²", [](const Tensor& v) { return sum(square(maximum(v, -v))); }, zero, 2);
  expect_right_or_loud("minimum(x, -x)²", [](const Tensor& v) { return sum(square(minimum(v, -v))); }, zero, 2);
  for (const double p : {0.5, 1.0, 1.5, 3.0, 5.0, infinity})
    expect_right_or_loud("norm of an order, squared", [p](const Tensor& v) { return square(norm(v, p)); }, zero, 2);
  expect_right_or_loud("stddev²", [](const Tensor& v) { return square(stddev(v)); }, origin, 0.5);
  EXPECT_NEAR(values(hessian([](const Tensor& v) { return norm(v, 3); }, Tensor{0.0, 3.0}))[0], 0, 1e-15);
  EXPECT_NEAR(values(hessian([](const Tensor& v) { return norm(v); }, Tensor{0.0, 3.0}))[0], 1 / 3.0, 1e-15);
  EXPECT_FALSE(std::isfinite(values(hessian([](const Tensor& v) { return norm(v, 1.5); }, Tensor{0.0, 3.0}))[0]));
}

TEST(NothingLeftOut, ZerosDoNotSwallowInfinities) {
  const auto expect_loud = [](const char* what, const Function& f) {
    const double found = grad(f)(0.0).item();
    EXPECT_FALSE(std::isfinite(found)) << what << ": " << found;
  };
  expect_loud("√x·√x", [](const Tensor& x) { return sqrt(x) * sqrt(x); });
  expect_loud("(x^½)²", [](const Tensor& x) { return square(power(x, 0.5)); });
  expect_loud("exp log x", [](const Tensor& x) { return exp(log(x)); });
  expect_loud("cbrt³", [](const Tensor& x) { return cbrt(x) * cbrt(x) * cbrt(x); });
  expect_loud("x²/x", [](const Tensor& x) { return x * x * (1 / x); });
}

TEST(NothingLeftOut, PowersDifferentiateByBaseAndExponentTogether) {
  const auto at = [](double a, double b) { return values(hessian([](const Tensor& v) { return power(v.slice(0), v.slice(1)); }, Tensor{a, b})); };
  const auto of_two = at(2, 0);
  EXPECT_EQ(of_two[0], 0);
  EXPECT_NEAR(of_two[1], 0.5, 1e-15);
  EXPECT_NEAR(of_two[2], 0.5, 1e-15);
  EXPECT_NEAR(of_two[3], std::log(2) * std::log(2), 1e-15);
  const auto right_or_loud = [](double found, double right) { EXPECT_TRUE(!std::isfinite(found) || found == right) << found << ", is " << right; };
  right_or_loud(at(0, 2)[0], 2);
  right_or_loud(at(0, 2)[1], 0);
  right_or_loud(at(0, 1)[1], -infinity);
  right_or_loud(at(0, 1)[2], -infinity);
}

}  // namespace
}  // namespace xgrad
