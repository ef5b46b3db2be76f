// The gradient checker along directions, and what it says of the op that is responsible.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <string>
#include <tests/support/wrong_ops.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

// ---- one direction of each input ----

TEST(FastGradcheck, RightPassesAndWrongNamesTheInput) {
  EXPECT_TRUE(gradcheck(squaring(right), {random({20, 30})}, {.fast = true}));
  EXPECT_TRUE(gradgradcheck(squaring(right), {random({20, 30})}, {.fast = true}));
  const GradcheckResult result = gradcheck([](const Inputs& in) { return product_with(2.01, in[1], in[2]); },
                                           {Tensor{1, 2}, random({20, 30}), random({30}, 2)}, {.fast = true});
  EXPECT_FALSE(result);
  EXPECT_REPORT(result, "input 2 of shape (30,), along a random direction, of a random sum of the outputs\n  analytic ");
  EXPECT_REPORT(result, "bound ");
  EXPECT_FALSE(says(result, "Jacobian"));
  EXPECT_FALSE(says(result, "not differentiable"));
  EXPECT_FALSE(gradgradcheck(squaring([](const Tensor& g, const Tensor& x) { return g * (2 * x).detach(); }), {random({20})}, {.fast = true}));
}

TEST(FastGradcheck, AFailureTakesAsManyCallsWhateverTheSize) {
  const auto calls_of = [](std::int64_t size) {
    int calls = 0;
    EXPECT_FALSE(gradcheck(
        [&](const Inputs& in) {
          ++calls;
          return half_wrong(in[0]);
        },
        {random({size})}, {.fast = true}));
    return calls;
  };
  EXPECT_EQ(calls_of(2), calls_of(2000));
}

TEST(FastGradcheck, KinksAreReportedAsSuch) {
  const GradcheckResult result = gradcheck([](const Inputs& in) { return relu(in[0]); }, {Tensor{1.0, 0.0, -1.0}}, {.fast = true});
  EXPECT_FALSE(result);
  EXPECT_REPORT(result, "the function is not differentiable here: from the left ");
  EXPECT_REPORT(result, "responsible: op 1 of 1 recorded, 'relu'");
}

TEST(GradcheckDirections, AreAllThatIsLookedAt) {
  // Of three derivatives only the second is wrong.
  const Tensor factor{2.0, 3.0, 2.0}, x{1.0, 2.0, 3.0};
  const TensorFunction f = squaring([factor](const Tensor& g, const Tensor& x) { return g * factor * x; });
  EXPECT_FALSE(gradcheck(f, {x}));
  EXPECT_TRUE(gradcheck(f, {x}, {.directions = {Tensor{1.0, 0.0, -5.0}}}));
  EXPECT_TRUE(gradcheck(f, {x}, {.directions = {Tensor{1e-6, 0.0, 1e-6}}}));
  for (const double length : {1.0, 1e-6, 1e6}) {
    const GradcheckResult result = gradcheck(f, {x}, {.directions = {Tensor{0.0, 1.0, 0.0} * length}});
    EXPECT_FALSE(result);
    EXPECT_REPORT(result, "input 0 of shape (3,), along the direction given");
  }
  // An undefined one is random, one of zeros leaves its input alone.
  const auto product = [](const Inputs& in) { return product_with(3, in[0], in[1]); };
  const Inputs inputs{x, ones({3}, DType::float64)};
  EXPECT_TRUE(gradcheck(product, inputs, {.directions = {Tensor(), zeros({3})}}));
  EXPECT_FALSE(gradcheck(product, inputs, {.directions = {zeros({3}), Tensor()}}));
  EXPECT_TRUE(gradgradcheck(squaring(right), {x}, {.directions = {Tensor{1.0, 0.0, -5.0}}}));
}

TEST(GradcheckDirections, MayRunAlongAKink) {
  const Tensor x{1.0, 0.0, -1.0};
  const auto f = [](const Inputs& in) { return relu(in[0]); };
  EXPECT_FALSE(gradcheck(f, {x}));
  EXPECT_TRUE(gradcheck(f, {x}, {.directions = {Tensor{1.0, 0.0, 1.0}}}));
}

// ---- the op that is responsible ----

TEST(ResponsibleOp, IsTheFirstWhoseOwnRuleIsWrong) {
  const Rule wrong = [](const Tensor& g, const Tensor& x) { return g * 2.01 * x; };
  const GradcheckResult result = gradcheck(
      [&](const Inputs& in) { return sum(square_with(wrong, square_with(wrong, square_with(right, exp(in[0]) + in[1])))); },
      {random({2, 3}), random({3}, 2)});
  EXPECT_FALSE(result);
  EXPECT_REPORT(result, "\n  responsible: op 4 of 6 recorded, 'test_square' of shapes (2, 3) giving (2, 3); alone,\n    6 of 36 entries of the Jacobian differ");
  EXPECT_REPORT(result, "\n      input 0 of shape (2, 3), index (");
}

TEST(ResponsibleOp, SaysWhichOfItsInputsIsWrong) {
  const GradcheckResult result = gradcheck(
      [](const Inputs& in) { return product_with(2.01, sin(in[0]), in[0]); }, {random({2, 3})});
  EXPECT_REPORT(result, "op 2 of 2 recorded, 'test_product' of shapes (2, 3) and (2, 3) giving (2, 3)");
  EXPECT_REPORT(result, "      input 1 of shape (2, 3), index (");
}

TEST(ResponsibleOp, IsLookedForInFastChecksAndAmongLargeOnes) {
  for (const bool fast : {true, false}) {
    const GradcheckResult result = gradcheck(
        [](const Inputs& in) { return sum(product_with(2.01, 1.5, broadcast_to(in[0], {200, 100}))); }, {ones({100}, DType::float64)}, {.fast = fast});
    EXPECT_FALSE(result);
    EXPECT_REPORT(result, "op 2 of 3 recorded, 'test_product' of shapes () and (200, 100) giving (200, 100); alone,\n    the derivative along a direction differs:\n      input 1 of shape (200, 100), along a random direction");
  }
}

TEST(ResponsibleOp, IsJudgedByTheInputsThatItsGradientIsAskedFor) {
  const GradcheckResult result = gradcheck(
      [](const Inputs& in) { return half_wrong(product_with(2.01, in[0], 1.5)); }, {random({3})});
  EXPECT_REPORT(result, "no op alone is responsible");
}

TEST(ResponsibleOp, MayBeACustomFunction) {
  const auto cube = [](double factor) {
    return custom_function([](const Inputs& in) { return in[0] * in[0] * in[0]; },
                           [factor](const Tensor& g, const Inputs& in, const Tensor&) { return Inputs{factor * g * square(in[0])}; });
  };
  const Inputs inputs{random({3})};
  const GradcheckResult result = gradcheck([&](const Inputs& in) { return cube(2.9)({cube(3)({in[0]})}); }, inputs);
  EXPECT_FALSE(result);
  EXPECT_REPORT(result, "op 2 of 2 recorded, 'custom_function' of shapes (3,) and (3,) giving (3,); alone,\n    3 of 9 entries");
  const GradcheckResult hook = gradcheck([](const Inputs& in) { return sin(with_hook(exp(in[0]), [](const Tensor& g) { return 2 * g; })); }, inputs);
  EXPECT_REPORT(hook, "op 2 of 3 recorded, 'with_hook'");
}

TEST(ResponsibleOp, IsFoundForDerivativesOfSecondOrder) {
  const Rule first_order_only = [](const Tensor& g, const Tensor& x) { return g * (2 * x).detach(); };
  const GradcheckResult result =
      gradgradcheck([&](const Inputs& in) { return sum(sin(square_with(first_order_only, exp(in[0])))); }, {random({2, 3})});
  EXPECT_FALSE(result);
  EXPECT_REPORT(result, "op 2 of 4 recorded, 'test_square' of shapes (2, 3) giving (2, 3); alone,\n    to second order, 6 of ");
}

TEST(ResponsibleOp, MayBeNone) {
  const Tensor x = random({3});
  EXPECT_REPORT(gradcheck([](const Inputs& in) { return half_wrong(sin(in[0])); }, {x}),
                "no op alone is responsible: each of the ");
  EXPECT_REPORT(gradcheck([](const Inputs& in) { return in[0].detach() * 2; }, {x}), "no op is responsible: nothing that depends on the inputs is recorded");
  Generator generator(1);
  EXPECT_FALSE(says(gradcheck([&](const Inputs& in) { return in[0] * generator.uniform({3}, 0, 1, DType::float64); }, {x}), "responsible"));
}

TEST(ResponsibleOp, ComputesInFloat32OrIsTheFirstThatIsNotFinite) {
  EXPECT_REPORT(gradcheck([](const Inputs& in) { return exp(sin(in[0]).to(DType::float32)); }, {random({3})}),
                "op 2 of 3 recorded, 'to' of shapes (3,) giving (3,); alone,\n    it computes in float32, too coarsely for differences");
  EXPECT_REPORT(gradcheck([](const Inputs& in) { return sum(log(in[0] - 1)); }, {Tensor{1.5, 0.5}}),
                "op 2 of 3 recorded, 'log' of shapes (2,) giving (2,); alone,\n    output index (1,) is nan");
  EXPECT_REPORT(gradcheck([](const Inputs& in) { return sum(sqrt(in[0] - 1)); }, {Tensor{1.5, 1.0}}), "op 2 of 3 recorded, 'sqrt'");
}

}  // namespace
