// Where conventions differ and naive formulas fail: values, gradients for a cotangent, and gradients of gradients.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();

struct Edge {
  std::string what;
  TensorFunction f;
  std::vector<Values> inputs;
  Values value;
  std::vector<Values> gradients = {};  ///< of each input; an empty one is not looked at
  Values cotangent = {};               ///< ones unless given
  Values second = {};                  ///< the gradient of the sum of the first input's gradient
};

using In = std::vector<Tensor>;

template <Tensor (*function)(const Located&)>
Tensor one(const In& in) {
  return function(in[0]);
}
template <Tensor (*function)(const Operand&, const Operand&)>
Tensor two(const In& in) {
  return function(in[0], in[1]);
}
/// f(x) where x > 0, else 0.
template <Tensor (*function)(const Located&)>
Tensor masked(const In& in) {
  return where(in[0] > 0, function(in[0]), 0);
}
Tensor clip_to_one(const In& in) { return clip(in[0], -1, 1); }
Tensor sinc(const In& in) { return where(in[0] != 0, sin(in[0]) / in[0], 1); }
Tensor reciprocal(const In& in) { return where(in[0] > 0, 1 / in[0], 0); }
Tensor choose(const In& in) { return where(Tensor{true, false}, in[0], in[1]); }

const std::vector<Edge>& edges() {
  const double slope = 2 / std::sqrt(std::numbers::pi);
  static const std::vector<Edge> all{
      {"exp of infinities", one<exp>, {{-infinity, infinity, 0}}, {0, infinity, 1}, {{0, infinity, 1}}},
      {"exp overflows to infinity and underflows to 0", one<exp>, {{1000, -1000}}, {infinity, 0}, {{infinity, 0}}},
      {"exp leaves a zero cotangent zero", one<exp>, {{infinity, nan}}, {infinity, nan}, {{0, 0}}, {0, 0}},
      {"log at and below 0", one<log>, {{0, -1, 1, infinity}}, {-infinity, nan, 0, infinity}},
      {"log is infinitely steep at 0", one<log>, {{0, infinity}}, {-infinity, infinity}, {{infinity, 0}}},
      {"log leaves a zero cotangent zero", one<log>, {{0, nan}}, {-infinity, nan}, {{0, 0}}, {0, 0}},
      {"a masked log leaves no trace", masked<log>, {{0, -1, 2}}, {0, 0, std::log(2.0)}, {{0, 0, 0.5}}, {}, {0, 0, -0.25}},
      {"log1p keeps small values", one<log1p>, {{1e-20, -1e-20, 0}}, {1e-20, -1e-20, 0}, {{1, 1, 1}}},
      {"log1p at -1", one<log1p>, {{-1}}, {-infinity}, {{infinity}}},
      {"log1p leaves a zero cotangent zero", one<log1p>, {{-1}}, {-infinity}, {{0}}, {0}},
      {"expm1 keeps small values", one<expm1>, {{1e-20, -1e-20, 0}}, {1e-20, -1e-20, 0}, {{1, 1, 1}}},
      {"expm1 of infinities", one<expm1>, {{-infinity, infinity, -1000}}, {-1, infinity, -1}, {{0, infinity, 0}}},
      {"sqrt is infinitely steep at 0", one<sqrt>, {{0, infinity}}, {0, infinity}, {{infinity, 0}}},
      {"sqrt leaves a zero cotangent zero", one<sqrt>, {{0, -1}}, {0, nan}, {{0, 0}}, {0, 0}},
      {"a masked sqrt leaves no trace", masked<sqrt>, {{0, -1, 4}}, {0, 0, 2}, {{0, 0, 0.25}}, {}, {0, 0, -0.03125}},
      {"square is flat at 0", one<square>, {{0, -infinity}}, {0, infinity}, {{0, -infinity}}, {}, {2, 2}},
      {"abs is flat at 0", one<abs>, {{0, -0.0, -3, 3}}, {0, 0, 3, 3}, {{0, 0, -1, 1}}, {}, {nan, nan, 0, 0}},
      {"abs of infinities and NaN", one<abs>, {{-infinity, infinity, nan}}, {infinity, infinity, nan}},
      {"sign", one<sign>, {{0, -0.0, -infinity, infinity, nan}}, {0, 0, -1, 1, nan}, {{0, 0, 0, 0, 0}}},
      {"relu is flat at 0", one<relu>, {{0, -0.0, -infinity, infinity}}, {0, 0, 0, infinity}, {{0, 0, 0, 1}}},
      {"relu lets NaN through", one<relu>, {{nan}}, {nan}},
      {"sin and NaN", one<sin>, {{0, infinity}}, {0, nan}},
      {"cos at 0", one<cos>, {{0}}, {1}, {{0}}, {}, {-1}},
      {"a masked sin(x) / x", sinc, {{0, 1}}, {1, std::sin(1.0)}, {{0, std::cos(1.0) - std::sin(1.0)}}},
      {"tanh is flat far out", one<tanh>, {{-infinity, -1000, 1000, infinity}}, {-1, -1, 1, 1}, {{0, 0, 0, 0}}, {}, {0, 0, 0, 0}},
      {"tanh keeps small values", one<tanh>, {{0, 1e-20}}, {0, 1e-20}, {{1, 1}}},
      {"sigmoid is flat far out", one<sigmoid>, {{-infinity, -1000, 1000, infinity}}, {0, 0, 1, 1}, {{0, 0, 0, 0}}, {}, {0, 0, 0, 0}},
      {"sigmoid at 0", one<sigmoid>, {{0, nan}}, {0.5, nan}, {{0.25, nan}}},
      {"erf", one<erf>, {{0, -30, 30, infinity}}, {0, -1, 1, 1}, {{slope, 0, 0, 0}}},
      {"infinities subtract to NaN", two<subtract>, {{infinity}, {infinity}}, {nan}, {{1}, {-1}}},
      {"zero times infinity", two<multiply>, {{0}, {infinity}}, {nan}, {{infinity}, {0}}},
      {"a product leaves a zero cotangent zero", two<multiply>, {{infinity}, {nan}}, {nan}, {{0}, {0}}, {0}},
      {"division by 0", two<divide>, {{1, -1, 0}, {0, 0, 0}}, {infinity, -infinity, nan}},
      {"slopes of a division by 0", two<divide>, {{1, -1}, {0, 0}}, {infinity, -infinity}, {{infinity, infinity}, {-infinity, infinity}}},
      {"a division leaves a zero cotangent zero", two<divide>, {{1, 0}, {0, 0}}, {infinity, nan}, {{0, 0}, {0, 0}}, {0, 0}},
      {"a masked 1/x leaves no trace", reciprocal, {{0, 4}}, {0, 0.25}, {{0, -0.0625}}, {}, {0, 0.03125}},
      {"0 to the 0 is 1, and flat", two<power>, {{0}, {0}}, {1}, {{0}, {0}}},
      {"anything to the 0 is 1, flat in the base", two<power>, {{-2, infinity, nan}, {0, 0, 0}}, {1, 1, 1}, {{0, 0, 0}, {}}},
      {"0 to a positive power", two<power>, {{0, 0, 0}, {1, 2, 0.5}}, {0, 0, 0}, {{1, 0, infinity}, {0, 0, 0}}},
      {"a negative base", two<power>, {{-2, -2, -2}, {2, 3, 0.5}}, {4, -8, nan}, {{-4, 12, nan}, {}}},
      {"a power leaves a zero cotangent zero", two<power>, {{0, -2}, {0.5, 0.5}}, {0, nan}, {{0, 0}, {0, 0}}, {0, 0}},
      {"the numbers 2 and 3 as powers of 0", [](const In& in) { return power(in[0], 2) + power(in[0], 3); }, {{0, 1}}, {0, 2}, {{0, 5}}, {}, {2, 8}},
      {"the number 0 as a power", [](const In& in) { return power(in[0], 0); }, {{0, nan}}, {1, 1}, {{0, 0}}},
      {"maximum halves at a tie", two<maximum>, {{1, 0, infinity}, {1, -0.0, infinity}}, {1, 0, infinity}, {{0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}}},
      {"minimum halves at a tie", two<minimum>, {{1, 0}, {1, -0.0}}, {1, 0}, {{0.5, 0.5}, {0.5, 0.5}}},
      {"maximum with infinities and NaN", two<maximum>, {{-infinity, infinity, nan, 1}, {1, 1, 1, nan}}, {1, infinity, nan, nan}},
      {"minimum with infinities and NaN", two<minimum>, {{-infinity, infinity, nan, 1}, {1, 1, 1, nan}}, {-infinity, 1, nan, nan}},
      {"maximum of x and x", [](const In& in) { return maximum(in[0], in[0]); }, {{1, 2}}, {1, 2}, {{1, 1}}},
      {"clip has slope 1 at a bound", clip_to_one, {{-1, 1, 0, -1.5, infinity}}, {-1, 1, 0, -1, 1}, {{1, 1, 1, 0, 0}}},
      {"clip lets NaN through", clip_to_one, {{nan}}, {nan}},
      {"clip gives the upper of bounds that cross", [](const In& in) { return clip(in[0], in[1], in[2]); }, {{0}, {2}, {-2}}, {-2}},
      {"clip gives its bounds no gradient", [](const In& in) { return clip(in[0], in[1], in[2]); }, {{-3, 3}, {-1, -1}, {1, 1}}, {-1, 1}, {{0, 0}, {0, 0}, {0, 0}}},
      {"where takes nothing of the other branch", choose, {{1, nan}, {infinity, 2}}, {1, 2}, {{1, 0}, {0, 1}}},
      {"where keeps a cotangent to its branch, whatever it is", choose, {{1, 1}, {2, 2}}, {1, 2}, {{nan, 0}, {0, infinity}}, {nan, infinity}},
      {"logsumexp of -inf alone is flat", [](const In& in) { return logsumexp(in[0]); }, {{-infinity, -infinity}}, {-infinity}, {{0, 0}}},
      {"logsumexp passes over -inf", [](const In& in) { return logsumexp(in[0]); }, {{-infinity, 3}}, {3}, {{0, 1}}, {}, {0, 0}},
      {"softmax passes over -inf", [](const In& in) { return softmax(in[0]); }, {{-infinity, 3, 3}}, {0, 0.5, 0.5}, {{0, 0.25, -0.25}}, {0, 1, 0}},
      {"softmax does not overflow", [](const In& in) { return softmax(in[0]); }, {{1e4, 0}}, {1, 0}, {{0, 0}}},
      {"ties of max share equally", [](const In& in) { return max(in[0]); }, {{2, 1, 2, 2}}, {2}, {{1. / 3, 0, 1. / 3, 1. / 3}}},
      {"ties of min share equally", [](const In& in) { return min(in[0]); }, {{1, 1, 2}}, {1}, {{0.5, 0.5, 0}}},
  };
  return all;
}

bool agrees(double a, double b, double precision) {
  return a == b || (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= precision * std::abs(b);
}

/// Expects equal values, where nothing (an undefined tensor) counts as zeros.
void expect_values(const Tensor& actual, const Values& expected, double precision, const char* of) {
  const Values found = actual.defined() ? values(actual) : Values(expected.size(), 0.0);
  ASSERT_EQ(found.size(), expected.size()) << of;
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_TRUE(agrees(found[i], expected[i], precision)) << of << ", element " << i << ": " << found[i] << ", expected " << expected[i];
}

TEST(Edges, HaveTheValuesAndDerivativesOfTheConventions) {
  for (const Edge& edge : edges())
    for (const DType dtype : {DType::float64, DType::float32}) {
      SCOPED_TRACE(edge.what + ", " + std::string(name_of(dtype)));
      const double precision = dtype == DType::float64 ? 1e-14 : 1e-6;
      In inputs;
      for (const Values& x : edge.inputs) inputs.push_back(leaf(x).detach().to(dtype).evaluate().detach().set_requires_grad());
      const Tensor y = edge.f(inputs);
      expect_values(y, edge.value, precision, "value");
      for (std::size_t i = 0; i < edge.gradients.size(); ++i) {
        if (edge.gradients[i].empty()) continue;
        const Tensor cotangent = edge.cotangent.empty() ? ones(y.shape(), dtype) : leaf(edge.cotangent).detach().to(dtype);
        Tensor gradient;
        if (y.requires_grad())
          gradient = grad(std::vector<Tensor>{y}, std::vector<Tensor>{inputs[i]},
                          {.cotangents = {cotangent}, .retain_graph = true, .allow_unused = true})[0];
        expect_values(gradient, edge.gradients[i], precision, "gradient");
      }
      if (edge.second.empty()) continue;
      const Tensor first = grad(sum(y), inputs[0], {.create_graph = true});
      Tensor second;
      if (first.requires_grad()) second = grad(sum(first), inputs[0], {.allow_unused = true});
      expect_values(second, edge.second, precision, "second derivative");
    }
}

}  // namespace
