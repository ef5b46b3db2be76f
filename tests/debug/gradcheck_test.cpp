// The gradient checker finds what is wrong, says where, and lets right gradients pass.
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <sstream>
#include <string>
#include <tests/support/values.hpp>
#include <tests/support/wrong_ops.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

// ---- what is right passes ----

TEST(Gradcheck, RightGradientsPass) {
  const auto f = [](const Inputs& in) { return tanh(matmul(in[0], in[1]) + in[2]); };
  const Inputs inputs{random({3, 4}), random({4, 2}, 2), random({2}, 3)};
  EXPECT_TRUE(gradcheck(f, inputs));
  EXPECT_TRUE(gradgradcheck(f, inputs));
  EXPECT_TRUE(gradcheck(squaring(right), {random({2, 3})}));
  EXPECT_TRUE(gradgradcheck(squaring(right), {random({2, 3})}));
  EXPECT_TRUE(
      gradcheck([](const Inputs& in) { return product_with(2, in[0], in[1]); }, {random({2, 3}), random({3}, 2)}));
}

TEST(Gradcheck, OutputsMayHaveAnyShape) {
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{3}, Shape{2, 3}, Shape{2, 1, 3}, Shape{0, 3}})
    EXPECT_TRUE(gradcheck([](const Inputs& in) { return exp(in[0]) * 2; }, {random(shape)})) << to_string(shape);
  EXPECT_TRUE(gradcheck([](const Inputs& in) { return sum(in[0] * in[0]); }, {random({4, 5})}));
}

TEST(Gradcheck, IntegerInputsGoAlong) {
  const Tensor x = random({4, 3}), indices{2, 0, 2}, mask = x > 0;
  const auto f = [](const Inputs& in) { return where(take(in[2], in[1]), take(square(in[0]), in[1]), 0.0); };
  EXPECT_TRUE(gradcheck(f, {x, indices, mask}));
  EXPECT_TRUE(gradgradcheck(f, {x, indices, mask}));
}

TEST(Gradcheck, Float32InputsAreCheckedInFloat64) {
  const auto f = [](const Inputs& in) {
    EXPECT_EQ(in[0].dtype(), DType::float64);
    return exp(in[0]);
  };
  EXPECT_TRUE(gradcheck(f, {random({3}).to(DType::float32)}));
  EXPECT_TRUE(gradgradcheck(f, {random({3}).to(DType::float32)}));
}

TEST(Gradcheck, InputsThatDoNotMatterHaveGradientZero) {
  const auto f = [](const Inputs& in) { return in[0] * 2; };
  EXPECT_TRUE(gradcheck(f, {random({3}), random({2}, 2)}));
  EXPECT_TRUE(gradgradcheck(f, {random({3}), random({2}, 2)}));
  EXPECT_TRUE(gradcheck([](const Inputs&) { return ones({2}, DType::float64); }, {random({3})}));
}

TEST(Gradcheck, LargeAndSmallValuesPass) {
  EXPECT_TRUE(gradcheck([](const Inputs& in) { return log(in[0]) * 1e3; }, {Tensor{1e-3, 1.0, 1e5}}));
  EXPECT_TRUE(gradcheck([](const Inputs& in) { return 1e-6 * exp(in[0]) + 1e4; }, {random({3})}));
  EXPECT_TRUE(gradcheck([](const Inputs& in) { return sum(square(in[0])); }, {random({50, 40})}));
}

TEST(Gradcheck, WorksUnderNoGrad) {
  no_grad([] {
    EXPECT_TRUE(gradcheck(squaring(right), {random({3})}));
    EXPECT_TRUE(gradgradcheck(squaring(right), {random({3})}));
  });
}

TEST(Gradcheck, LeavesTheInputsAsTheyWere) {
  Tensor x = random({3}).set_requires_grad();
  x.set_grad(ones({3}));
  const Values before = values(x);
  EXPECT_TRUE(gradcheck(squaring(right), {x}));
  EXPECT_TRUE(gradgradcheck(squaring(right), {x}));
  EXPECT_EQ(values(x), before);
  EXPECT_TRUE(x.requires_grad());
  EXPECT_EQ(values(x.grad()), Values(3, 1));
}

// ---- what is wrong is found, and named ----

TEST(Gradcheck, AWrongRuleIsFound) {
  const GradcheckResult result =
      gradcheck(squaring([](const Tensor& g, const Tensor& x) { return g * x; }), {random({2, 3})});
  EXPECT_FALSE(result);
  EXPECT_REPORT(result, "gradcheck: 6 of 36 entries of the Jacobian differ, worst of all:");
  EXPECT_REPORT(result, "(seed 0)");
}

TEST(Gradcheck, TheReportNamesInputIndexValuesAndBound) {
  // Only the entry (1, 2) is wrong: 3x there, and x = 1.5.
  const Tensor x{{1.0, 2.0, 3.0}, {4.0, 5.0, 1.5}}, factor{{2.0, 2.0, 2.0}, {2.0, 2.0, 3.0}};
  const GradcheckResult result =
      gradcheck(squaring([factor](const Tensor& g, const Tensor& x) { return g * factor * x; }), {x});
  EXPECT_FALSE(result);
  EXPECT_REPORT(result, "1 of 36 entries");
  EXPECT_REPORT(result, "input 0 of shape (2, 3), index (1, 2), output index (1, 2)");
  EXPECT_REPORT(result, "analytic 4.5");
  EXPECT_TRUE(says(result, "numeric  3.0000000") || says(result, "numeric  2.99999999") || says(result, "numeric  3\n"))
      << result;
  EXPECT_TRUE(says(result, "error    1.5") || says(result, "error    1.4999999")) << result;
  EXPECT_REPORT(result, "bound ");
  EXPECT_FALSE(says(result, "not differentiable"));
}

TEST(Gradcheck, TheReportNamesTheInput) {
  const GradcheckResult result = gradcheck([](const Inputs& in) { return product_with(2.01, in[1], in[2]); },
                                           {Tensor{1, 2}, Tensor{{3.0}, {1.0}}, Tensor{1.0, 2.0, 1.0}});
  EXPECT_FALSE(result);
  EXPECT_REPORT(result, "input 2 of shape (3,), index (");
}

TEST(Gradcheck, TheReportIsOfTheWorstEntry) {
  const Tensor factor{2.1, 4.0, 2.2};
  const GradcheckResult result =
      gradcheck(squaring([factor](const Tensor& g, const Tensor& x) { return g * factor * x; }), {ones({3})});
  EXPECT_REPORT(result, "3 of 9 entries");
  EXPECT_REPORT(result, "index (1,), output index (1,)");
}

TEST(Gradcheck, SmallErrorsAreFound) {
  for (const double factor : {2.00001, 1.99999, 2.0001})
    EXPECT_FALSE(gradcheck([factor](const Inputs& in) { return product_with(factor, in[0], in[1]); },
                           {random({20, 30}), random({30}, 2)}))
        << factor;
  EXPECT_FALSE(
      gradcheck(squaring([](const Tensor& g, const Tensor& x) { return g * 2 * x + 1e-5 * g; }), {random({3})}));
}

TEST(Gradcheck, LargeGradientsAndValuesDoNotHideWhatIsWrongWithOthers) {
  const Tensor x = random({8});
  const Inputs inputs{random({4}), random({4}, 2)};
  const auto half = xt::range(0, 4), other = xt::range(4, 8);
  for (const double large : {1.0, 1e3, 1e6, 1e8}) {
    EXPECT_FALSE(gradcheck([=](const Inputs& in) { return sum(large * sin(in[0]) + half_wrong(in[1])); }, inputs)) << large;
    EXPECT_FALSE(gradcheck([=](const Inputs& in) { return concatenate({large * sin(in[0]), half_wrong(in[1])}); }, inputs)) << large;
    EXPECT_TRUE(gradcheck([=](const Inputs& in) { return sum(large * sin(in[0]) + in[1]); }, inputs)) << large;
  }
  for (const double large : {1.0, 1e3, 1e6})  // within one input
    EXPECT_FALSE(gradcheck([=](const Inputs& in) { return sum(large * sin(in[0].slice(half)) + half_wrong(in[0].slice(other))); }, {x})) << large;
  for (const double offset : {1e3, 1e6, 1e9})
    EXPECT_FALSE(gradcheck([=](const Inputs& in) { return half_wrong(in[0]) + offset; }, {random({4})})) << offset;
}

TEST(Gradcheck, AWrongEntryAmongThousandsIsFoundAndNamed) {
  const GradcheckResult result = gradcheck(
      [](const Inputs& in) { return sum(square(in[0])) + half_wrong(in[0].slice(11, 7)); }, {random({40, 50})});
  EXPECT_FALSE(result);
  EXPECT_REPORT(result, "1 of 2000 entries");
  EXPECT_REPORT(result, "input 0 of shape (40, 50), index (11, 7), output index ()");
}

TEST(Gradcheck, AGradientThatIsRightTakesFewCalls) {
  int calls = 0;
  const auto f = [&calls](const Inputs& in) {
    ++calls;
    return in[0] * exp(in[1]);
  };
  EXPECT_TRUE(gradcheck(f, {random({30, 40}), random({40}, 2)}));
  EXPECT_LE(calls, 15);  // six for each input's differences, and those for determinism and the recording
}

TEST(Gradcheck, AMissingGradientIsFound) {
  const GradcheckResult detached = gradcheck([](const Inputs& in) { return in[0].detach() * 2; }, {ones({2})});
  EXPECT_FALSE(detached);
  EXPECT_REPORT(detached, "analytic 0");
  EXPECT_FALSE(gradcheck(squaring([](const Tensor&, const Tensor&) { return Tensor(); }), {random({3})}));
}

TEST(Gradcheck, ATransposedGradientIsFound) {
  EXPECT_FALSE(
      gradcheck(squaring([](const Tensor& g, const Tensor& x) { return transpose(g * 2 * x); }), {random({3, 3})}));
}

TEST(Gradcheck, AGradientThatIsNotLinearInTheCotangentIsFound) {
  const GradcheckResult result =
      gradcheck(squaring([](const Tensor& g, const Tensor& x) { return g * g * 2 * x; }), {random({3})});
  EXPECT_FALSE(result);
  EXPECT_REPORT(result, "the gradient is not linear in the cotangent");
}

TEST(Gradcheck, KinksAreReportedAsSuch) {
  const GradcheckResult result = gradcheck([](const Inputs& in) { return relu(in[0]); }, {Tensor{1.0, 0.0, -1.0}});
  EXPECT_FALSE(result);
  EXPECT_REPORT(result, "1 of 9 entries");
  EXPECT_REPORT(result, "index (1,), output index (1,)");
  EXPECT_REPORT(result, "the function is not differentiable here: from the left 0, from the right 1");
  EXPECT_TRUE(gradcheck([](const Inputs& in) { return relu(in[0]); }, {Tensor{1.0, 1e-4, -1e-4}}));
}

TEST(Gradcheck, KinksWhoseSubgradientIsTheMeanOfBothSidesAreReported) {
  const auto reports = [](const TensorFunction& f, const std::vector<Tensor>& at, bool fast) {
    const GradcheckResult result = gradcheck(f, at, {.fast = fast});
    return !result && result.report().find("not differentiable") != std::string::npos;
  };
  const auto accepts = [](const TensorFunction& f, const std::vector<Tensor>& at) { return bool(gradcheck(f, at, {.accept_kinks = true})); };
  const std::vector<std::pair<TensorFunction, std::vector<Tensor>>> kinks{
      {[](const std::vector<Tensor>& in) { return abs(in[0]); }, {Tensor{0.0}}},
      {[](const std::vector<Tensor>& in) { return 1e-3 * abs(in[0]) + exp(in[0]); }, {Tensor{0.5, 0.0, -1.0}}},
      {[](const std::vector<Tensor>& in) { return maximum(in[0], in[1]); }, {Tensor{1.0}, Tensor{1.0}}},
      {[](const std::vector<Tensor>& in) { return norm(in[0]); }, {Tensor{0.0, 0.0}}},
      {[](const std::vector<Tensor>& in) { return power(sum(abs(in[0])), 4) + exp(in[0].slice(1)); }, {Tensor{1.0, 0.0}}},
      {[](const std::vector<Tensor>& in) { return in[0].slice(0) * abs(in[0].slice(1)); }, {Tensor{2.0, 0.0}}},
      {[](const std::vector<Tensor>& in) { return exp(in[0].slice(0)) * abs(in[0].slice(1)); }, {Tensor{1.0, 0.0}}},
  };
  for (const auto& [f, at] : kinks) {
    EXPECT_TRUE(reports(f, at, false));
    EXPECT_TRUE(reports(f, at, true));
    EXPECT_TRUE(accepts(f, at));
  }
}

TEST(Gradcheck, WhatIsSmoothIsNoKink) {
  const auto passes = [](const TensorFunction& f, const Tensor& at) {
    for (const std::uint64_t seed : {0, 1, 2}) EXPECT_TRUE(gradcheck(f, {at}, {.seed = seed}));
  };
  const auto of = [](const std::function<Tensor(const Tensor&)>& f) -> TensorFunction { return [f](const std::vector<Tensor>& in) { return f(in[0]); }; };
  passes(of([](const Tensor& x) { return sqrt(square(x) + 1e-8); }), Tensor{0.0});  // a rounded corner
  passes(of([](const Tensor& x) { return cos(300 * x); }), Tensor{0.0});
  passes(of([](const Tensor& x) { return 1e6 * square(x) + 1e3; }), Tensor{0.0, 1e-4});
  passes(of([](const Tensor& x) { return power(square(x), 0.75); }), Tensor{1e-2});
  passes(of([](const Tensor& x) { return exp(20 * x); }), Tensor{1.0});
}

TEST(Gradcheck, SubgradientsPassWhereKinksAreAccepted) {
  const GradcheckOptions options{.accept_kinks = true};
  EXPECT_TRUE(gradcheck([](const Inputs& in) { return relu(in[0]) + abs(in[0]); }, {Tensor{1.0, 0.0, -1.0}}, options));
  EXPECT_TRUE(gradcheck([](const Inputs& in) { return maximum(in[0], in[1]); }, {Tensor{1.0, 2.0}, Tensor{1.0, 1.0}}, options));
  // 2 is not between 0 and 1; and a wrong gradient is none for a kink elsewhere.
  const GradcheckResult steep = gradcheck([](const Inputs& in) { return relu(in[0]) + 2 * in[0] - (2 * in[0]).detach(); }, {Tensor{1.0, 0.0}}, options);
  EXPECT_FALSE(steep);
  EXPECT_FALSE(gradcheck([](const Inputs& in) { return half_wrong(relu(in[0])); }, {Tensor{1.0, 0.0}}, options));
}

TEST(Gradcheck, ValuesThatAreNotFiniteAreReported) {
  const GradcheckResult output = gradcheck([](const Inputs& in) { return log(in[0]); }, {Tensor{{1.0, -1.0}}});
  EXPECT_FALSE(output);
  EXPECT_REPORT(output, "output index (0, 1) is nan");
  const GradcheckResult gradient = gradcheck([](const Inputs& in) { return sqrt(in[0]); }, {Tensor{1.0, 0.0}});
  EXPECT_FALSE(gradient);
  EXPECT_REPORT(gradient, "input 0 of shape (2,), index (1,): the analytic gradient is inf");
}

TEST(Gradcheck, ResultsThatChangeFromCallToCallAreReported) {
  Generator generator(1);
  const GradcheckResult result =
      gradcheck([&](const Inputs& in) { return in[0] * generator.uniform({3}, 0, 1, DType::float64); }, {random({3})});
  EXPECT_FALSE(result);
  EXPECT_REPORT(result, "two calls with the same inputs gave different values");
}

TEST(Gradcheck, GradientsThatChangeFromPassToPassAreReported) {
  double passes = 0;
  const GradcheckResult result =
      gradcheck(squaring([&](const Tensor& g, const Tensor& x) { return g * (2 * x + 1e-14 * ++passes); }), {ones({2, 3})});
  EXPECT_FALSE(result);
  EXPECT_REPORT(result, "input 0 of shape (2, 3), index (0, 0): two backward passes with the same cotangent gave different gradients");
}

TEST(Gradcheck, AlteredInputsAreReported) {
  const Tensor x{1.0, 2.0};
  const GradcheckResult result = gradcheck(
      [](const Inputs& in) {
        const Tensor y = in[0].slice(0) * 2;
        Tensor(in[0]).assign(concatenate({in[0].slice(xt::range(0, 1)).detach(), Tensor{7.0}}));
        return y;
      },
      {x});
  EXPECT_FALSE(result);
  EXPECT_REPORT(result, "the function altered input 0");
  EXPECT_EQ(values(x), (Values{1, 2}));
}

TEST(Gradcheck, FloatArithmeticInTheMiddleIsFound) {
  EXPECT_FALSE(gradcheck([](const Inputs& in) { return exp(in[0].to(DType::float32)); }, {random({3})}));
}

// ---- forward mode ----

TEST(Gradcheck, RulesThatAreNotDifferentiableInTheirCotangentAreFound) {
  // In part of the gradient the cotangent is a constant, so the derivative of the gradient with respect to it lacks that part.
  const auto f = [](const Inputs& in) { return in[0] + square_with([](const Tensor& g, const Tensor& x) { return g.detach() * 2 * x; }, in[1]); };
  const Inputs inputs{random({3}), random({3}, 2)};
  EXPECT_TRUE(gradcheck(f, inputs));  // no gradient mixes both
  const auto mixed = [f](const Inputs& in) { return f({in[0], in[0]}); };
  const GradcheckResult result = gradcheck(mixed, {inputs[0]});
  EXPECT_FALSE(result);
  EXPECT_REPORT(result, "input 0 of shape (3,): forward mode disagrees with reverse mode: <v, J u> is ");
  EXPECT_TRUE(gradcheck(mixed, {inputs[0]}, {.forward = false}));
}

TEST(Gradcheck, AWrongDerivativeWithRespectToTheCotangentIsFound) {
  // The value of g · 2x, with twice its derivative with respect to g.
  const GradcheckResult result = gradcheck(squaring([](const Tensor& g, const Tensor& x) { return (2 * g - g.detach()) * 2 * x; }), {ones({3})});
  EXPECT_FALSE(result);
  EXPECT_REPORT(result, "forward mode disagrees");
  EXPECT_REPORT(result, "responsible: op 1 of 1 recorded, 'test_square'");
}

// ---- second order ----

TEST(Gradgradcheck, ARuleThatForgetsAnInputIsFound) {
  const TensorFunction f = squaring([](const Tensor& g, const Tensor& x) { return g * (2 * x).detach(); });
  EXPECT_TRUE(gradcheck(f, {random({3})}));
  const GradcheckResult result = gradgradcheck(f, {random({3})});
  EXPECT_FALSE(result);
  EXPECT_REPORT(result, "gradgradcheck: 3 of ");
  EXPECT_REPORT(result, "input 0 of shape (3,)");
}

TEST(Gradgradcheck, ARuleThatForgetsItsCotangentIsFound) {
  const TensorFunction f = squaring([](const Tensor& g, const Tensor& x) { return g.detach() * 2 * x; });
  EXPECT_TRUE(gradcheck(f, {random({3})}));
  const GradcheckResult result = gradgradcheck(f, {random({3})});
  EXPECT_FALSE(result);
  EXPECT_REPORT(result, "the cotangent of shape (3,), index (0,), gradient of input 0, index (0,)");
}

TEST(Gradgradcheck, RightRulesOfManyInputsPass) {
  const auto f = [](const Inputs& in) { return product_with(2, sigmoid(in[0]), in[1]) / (1 + square(in[2])); };
  EXPECT_TRUE(gradgradcheck(f, {random({2, 3}), random({3}, 2), random({2, 1}, 3)}));
}

// ---- options ----

TEST(Gradcheck, TolerancesMayBeWidened) {
  const auto f = [](const Inputs& in) { return product_with(2.001, in[0], in[1]); };
  const Inputs inputs{random({3}), random({3}, 2)};
  EXPECT_FALSE(gradcheck(f, inputs));
  EXPECT_TRUE(gradcheck(f, inputs, {.rtol = 1e-2}));
  EXPECT_TRUE(gradcheck(f, inputs, {.atol = 1e-1}));
  EXPECT_TRUE(gradcheck(squaring(right), {random({3})}, {.step = 1e-4}));
}

TEST(Gradcheck, EachInputMayHaveItsTolerance) {
  const auto f = [](const Inputs& in) { return product_with(2.001, in[0], in[1]); };  // wrong for the second
  const Inputs inputs{random({3}), random({3}, 2)};
  EXPECT_TRUE(gradcheck(f, inputs, {.tolerances = {{}, {.rtol = 1e-2}}}));
  EXPECT_TRUE(gradcheck(f, inputs, {.tolerances = {{}, {.atol = 1e-1}}}));
  EXPECT_FALSE(gradcheck(f, inputs, {.tolerances = {{.rtol = 1e-2}, {}}}));
  EXPECT_FALSE(gradcheck(f, inputs, {.fast = true, .tolerances = {{.rtol = 1e-2}, {}}}));
}

TEST(Gradcheck, InputsMayHaveNames) {
  const auto f = [](const Inputs& in) { return product_with(2.001, in[0], in[1]); };
  const Inputs inputs{random({3}), random({3}, 2)};
  for (const bool fast : {true, false})
    EXPECT_REPORT(gradcheck(f, inputs, {.fast = fast, .names = {"length", "width"}}), "\n  width of shape (3,), ");
  const GradcheckResult second = gradgradcheck(squaring([](const Tensor& g, const Tensor& x) { return g.detach() * 2 * x; }), {inputs[0]}, {.names = {"side"}});
  EXPECT_REPORT(second, "the cotangent of shape (3,), index (0,), gradient of side, index (0,)");
  const auto alters = [](const Inputs& in) {
    const Tensor y = in[0] * 2;
    Tensor(in[0]).assign(in[0].detach() + 1);
    return y.detach().slice(0) * 0;
  };
  EXPECT_REPORT(gradcheck(alters, {inputs[0]}, {.names = {"side"}}), "the function altered side");
}

TEST(Gradcheck, EverySeedGivesTheSameVerdictAndIsPrinted) {
  for (std::uint64_t seed = 1; seed < 30; ++seed) {
    EXPECT_TRUE(gradcheck(squaring(right), {random({2, 3})}, {.seed = seed}));
    const GradcheckResult wrong = gradcheck([](const Inputs& in) { return product_with(2.001, in[0], in[1]); },
                                            {random({2, 3}), random({3}, 2)}, {.seed = seed});
    EXPECT_FALSE(wrong);
    EXPECT_REPORT(wrong, "(seed " + std::to_string(seed) + ")");
  }
}

// ---- in GoogleTest ----

TEST(Gradcheck, GoogleTestPrintsTheReport) {
  EXPECT_NONFATAL_FAILURE(
      EXPECT_TRUE(gradcheck(squaring([](const Tensor& g, const Tensor& x) { return g * x; }), {ones({2, 3})})),
      "input 0 of shape (2, 3), index (0, 0), output index (0, 0)\n  analytic 1\n  numeric  ");
  EXPECT_NONFATAL_FAILURE(
      EXPECT_TRUE(
          gradgradcheck(squaring([](const Tensor& g, const Tensor& x) { return g * (2 * x).detach(); }), {ones({2})})),
      "gradgradcheck: ");
  EXPECT_NONFATAL_FAILURE(EXPECT_FALSE(gradcheck(squaring(right), {ones({2})})), "Actual: true");
  std::ostringstream stream;
  stream << gradcheck(squaring(right), {ones({2})});
  EXPECT_EQ(stream.str(), "gradients agree");
}

// ---- nothing to check ----

TEST(Gradcheck, NothingToCheckIsAnError) {
  const TensorFunction same = [](const Inputs& in) { return in[0]; };
  for (const auto& check : {gradcheck, gradgradcheck}) {
    const std::string name = check == gradcheck ? "gradcheck: " : "gradgradcheck: ";
    const auto message = [&](const TensorFunction& f, const Inputs& inputs,
                             const GradcheckOptions& options = {}) -> std::string {
      try {
        check(f, inputs, options);
      } catch (const std::invalid_argument& error) {
        return error.what();
      }
      return "nothing thrown";
    };
    EXPECT_EQ(message([](const Inputs&) { return Tensor(1.0); }, {Tensor{1, 2}}),
              name + "none of the inputs is floating; there is nothing to check");
    EXPECT_EQ(message([](const Inputs&) { return Tensor(1.0); }, {}),
              name + "none of the inputs is floating; there is nothing to check");
    EXPECT_EQ(message([](const Inputs& in) { return argmax(in[0], 1); }, {ones({2, 3})}),
              name + "the output of shape (2,) is int64, not floating");
    EXPECT_EQ(message(same, {ones({2})}, {.rtol = -1}), name + "tolerances and step must not be negative");
    EXPECT_EQ(message(same, {ones({2})}, {.atol = std::nan("")}), name + "tolerances and step must not be negative");
    const Inputs two{ones({2}, DType::float64), Tensor{1, 2}};
    EXPECT_EQ(message(same, two, {.tolerances = {{}, {.rtol = -1}}}), name + "tolerances and step must not be negative");
    EXPECT_EQ(message(same, two, {.tolerances = {{}}}), name + "1 tolerances for 2 inputs");
    EXPECT_EQ(message(same, two, {.names = {"a", "b", "c"}}), name + "3 names for 2 inputs");
    EXPECT_EQ(message(same, two, {.directions = {ones({2})}}), name + "1 directions for 2 inputs");
    EXPECT_EQ(message(same, two, {.directions = {ones({1}), {}}}), name + "a direction of shape (1,) for input 0 of shape (2,)");
    EXPECT_EQ(message(same, two, {.directions = {ones({2}), ones({2})}, .names = {"a", "b"}}),
              name + "a direction for b of shape (2,), which is int64, not floating; leave it undefined");
    EXPECT_EQ(message(same, two, {.directions = {Tensor{1.0, std::nan("")}, {}}}), name + "the direction for input 0 of shape (2,) is not finite");
    EXPECT_EQ(message(same, two, {.directions = {zeros({2}), {}}}), name + "all directions are zero; there is nothing to check");
    EXPECT_THROW(check(same, {Tensor()}, {}), std::logic_error);
    EXPECT_THROW(check([](const Inputs&) { return Tensor(); }, {ones({2})}, {}), std::logic_error);
    EXPECT_THROW(check([](const Inputs&) -> Tensor { throw std::runtime_error("mine"); }, {ones({2})}, {}),
                 std::runtime_error);
  }
}

}  // namespace
