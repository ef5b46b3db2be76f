// A member that XGRAD_MODULE leaves out is noticed by whoever would train or check it.
#include <gtest/gtest.h>

#include <nn/nn.hpp>
#include <tests/support/throws.hpp>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

/// `scale` is trained by nobody.
struct Forgetful : nn::Module {
  nn::Linear hidden{3, 2};
  Tensor scale = nn::parameter(full({2}, 2));
  XGRAD_MODULE(hidden)
  Tensor operator()(const Tensor& x) const { return hidden(x) * scale; }
};

/// `output` is, a whole layer.
struct ForgetfulOfALayer : nn::Module {
  nn::Linear hidden{3, 2}, output{2, 5};
  XGRAD_MODULE(hidden)
  Tensor operator()(const Tensor& x) const { return output(hidden(x)); }
};

struct Complete : nn::Module {
  nn::Linear hidden{3, 2};
  Tensor scale = nn::parameter(full({2}, 2));
  XGRAD_MODULE(hidden, scale)
  Tensor operator()(const Tensor& x) const { return hidden(x) * scale; }
};

const Tensor x = ones({4, 3});

TEST(Ownership, AnOptimizersStepNamesAParameterThatNobodyTrains) {
  Forgetful model;
  nn::SGD optimizer(model.parameters());
  const Tensor before = model.hidden.weight.detach();
  sum(model(x)).backward();
  EXPECT_TRUE(throws<std::logic_error>([&] { optimizer.step(); }, {"SGD", "(2,)", "float32", "is it missing in XGRAD_MODULE?"}));
  EXPECT_EQ(values(model.hidden.weight), values(before)) << "nothing changed";
  model.scale.set_requires_grad(false);
  model.scale.zero_grad();
  optimizer.step();
  EXPECT_NE(values(model.hidden.weight), values(before));
}

TEST(Ownership, AnOptimizersStepNamesALayerThatNobodyTrains) {
  ForgetfulOfALayer model;
  nn::Adam optimizer(model.parameters());
  sum(model(x)).backward();
  EXPECT_TRUE(throws<std::logic_error>([&] { optimizer.step(); }, {"Adam", "XGRAD_MODULE"}));
}

TEST(Ownership, TrainStepNamesALeafThatNobodyTrains) {
  Forgetful model;
  nn::SGD optimizer(model.parameters());
  nn::TrainStep step(optimizer, [&](const Tensor& in) { return sum(model(in)); });
  EXPECT_TRUE(throws<std::logic_error>([&] { step(x); }, {"TrainStep", "(2,)", "is it missing in XGRAD_MODULE?"}));
  Tensor plain = full({2}, 3).evaluate();
  plain.set_requires_grad();
  nn::TrainStep other(optimizer, [&](const Tensor& in) { return sum(model.hidden(in) * plain); });
  EXPECT_TRUE(throws<std::logic_error>([&] { other(x); }, {"TrainStep", "(2,)", "detach()"}));
}

TEST(Ownership, TheGradientCheckNamesALeafThatNobodyTrains) {
  Forgetful model;
  EXPECT_TRUE(throws<std::logic_error>([&] { nn::gradcheck(model, [&] { return sum(model(x)); }); }, {"nn::gradcheck", "(2,)", "XGRAD_MODULE"}));
  ForgetfulOfALayer other;
  EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::gradgradcheck(other, [&] { return sum(other(x)); }); },
                                            {"Linear", "float64", "is it missing in XGRAD_MODULE?"}))
      << "the layer stays as it was where the model is checked in float64";
}

TEST(Ownership, IsThatOfAnyModuleOrOptimizer) {
  Complete model;
  nn::SGD all(model.parameters());
  sum(model(x)).backward();
  EXPECT_NO_THROW(all.step());
  EXPECT_TRUE(nn::gradcheck(model, [&] { return sum(model(x)); }));

  // As of a generator and a discriminator: each optimiser trains its part of what the loss depends on.
  Complete first, second;
  nn::SGD one(first.parameters()), two(second.parameters());
  nn::TrainStep step(one, [&](const Tensor& in) { return sum(first(in) * second(in)); });
  EXPECT_NO_THROW(step(x));
  all.zero_grad();
  sum(first(x) * second(x)).backward();
  EXPECT_NO_THROW(two.step());

  // And as of tensors without a module.
  Tensor w = nn::parameter(ones({3}));
  nn::SGD bare({w});
  sum(w * w).backward();
  EXPECT_NO_THROW(bare.step());
}

TEST(Ownership, DoesNotOutliveTheParameter) {
  {
    Forgetful model;
    sum(model(x)).backward();
  }
  Complete model;
  nn::SGD optimizer(model.parameters());
  sum(model(x)).backward();
  EXPECT_NO_THROW(optimizer.step());
}

}  // namespace
