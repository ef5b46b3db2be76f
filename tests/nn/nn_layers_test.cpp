// Layers and activations against PyTorch, at extreme inputs, and in gradient checks.
#include <nn/nn.hpp>

#include <tests/reference/reference.hpp>

using namespace xgrad;
using reference::Json;
using reference::near;
using reference::throws;

namespace {

double number(const Json& options, const char* name, double otherwise) { return options.value(name, otherwise); }

Tensor activation(const std::string& name, const Json& options, const Tensor& x) {
  if (name == "relu") return nn::relu(x);
  if (name == "sigmoid") return nn::sigmoid(x);
  if (name == "tanh") return nn::tanh(x);
  if (name == "silu") return nn::silu(x);
  if (name == "leaky_relu") return nn::leaky_relu(x, {.negative_slope = number(options, "negative_slope", 0.01)});
  if (name == "elu") return nn::elu(x, {.alpha = number(options, "alpha", 1)});
  if (name == "gelu")
    return nn::gelu(x, {.approximate = options.contains("approximate") ? nn::GeluApproximation::tanh
                                                                       : nn::GeluApproximation::none});
  if (name == "softplus")
    return nn::softplus(x, {.beta = number(options, "beta", 1), .threshold = number(options, "threshold", 20)});
  if (name == "softmax") return nn::softmax(x, options["axis"].get<std::int64_t>());
  if (name == "log_softmax") return nn::log_softmax(x, options["axis"].get<std::int64_t>());
  throw std::runtime_error("no activation " + name);
}

TEST(Reference, LinearMatchesPyTorch) {
  const Json entries = reference::read("layers.json")["linear"];
  ASSERT_EQ(entries.size(), 6u);
  for (const Json& entry : entries) {
    nn::Linear layer(3, 5, {.bias = entry["inputs"].size() == 3});
    layer.to(DType::float64);
    Tensor x = reference::tensor(entry["inputs"][0]);
    x.set_requires_grad();
    layer.weight.assign(reference::tensor(entry["inputs"][1]));
    if (layer.bias.defined()) layer.bias.assign(reference::tensor(entry["inputs"][2]));
    const Tensor y = layer(x);
    EXPECT_TRUE(near(y, reference::tensor(entry["output"])));
    y.backward(reference::tensor(entry["cotangent"]));
    EXPECT_TRUE(near(x.grad(), reference::tensor(entry["gradients"][0])));
    EXPECT_TRUE(near(layer.weight.grad(), reference::tensor(entry["gradients"][1])));
    if (!layer.bias.defined()) continue;
    EXPECT_TRUE(near(layer.bias.grad(), reference::tensor(entry["gradients"][2])));
  }
}

TEST(Linear, TheGradientOfTheWeightLiesInMemoryAsTheWeight) {
  Generator generator(1);
  nn::Linear layer(3, 5, {.generator = &generator});
  sum(square(layer(generator.normal({4, 3})))).backward();
  const Tensor gradient = layer.weight.grad();
  EXPECT_TRUE(gradient.node()->value.contiguous);
  EXPECT_EQ(gradient.node()->value.strides, (Strides{3, 1}));
}

TEST(Reference, ActivationsMatchPyTorch) {
  const Json entries = reference::read("layers.json")["activations"];
  ASSERT_EQ(entries.size(), 18u);
  for (const Json& entry : entries) {
    SCOPED_TRACE(entry["name"].get<std::string>() + " " + entry["options"].dump());
    Tensor x = reference::tensor(entry["input"]);
    x.set_requires_grad();
    const Tensor y = activation(entry["name"], entry["options"], x);
    EXPECT_TRUE(near(y, reference::tensor(entry["output"])));
    y.backward(reference::tensor(entry["cotangent"]));
    EXPECT_TRUE(near(x.grad(), reference::tensor(entry["gradients"][0])));
  }
}

struct Activation {
  const char* name;
  std::function<Tensor(const Tensor&)> f;
};
std::ostream& operator<<(std::ostream& stream, const Activation& activation) { return stream << activation.name; }

class EveryActivation : public testing::TestWithParam<Activation> {};

TEST_P(EveryActivation, HasTheRightDerivativesOfFirstAndSecondOrder) {
  const Tensor x = Generator(3).uniform({3, 4}, -2, 2, DType::float64);
  const auto f = [](const std::vector<Tensor>& inputs) { return GetParam().f(inputs[0]); };
  EXPECT_TRUE(gradcheck(f, {x}));
  EXPECT_TRUE(gradgradcheck(f, {x}));
}

TEST_P(EveryActivation, IsFiniteWithFiniteGradientsOfTwoOrdersAtAnyFiniteInput) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    const double huge = dtype == DType::float32 ? 3e38 : 1.7e308;
    for (const double value : {huge, 1e30, 1e10, 1e4, 104.0, 89.0, 20.0, 1e-30, 0.0, -1e-30, -20.0, -89.0, -104.0, -1e4,
                               -1e10, -1e30, -huge}) {
      SCOPED_TRACE(value);
      Tensor x = full({1}, value, dtype).detach();
      x.set_requires_grad();
      const Tensor y = GetParam().f(x);
      EXPECT_TRUE(reference::all_finite(y));
      EXPECT_EQ(y.dtype(), dtype);
      const Tensor first = grad(y, x, {.create_graph = true});
      EXPECT_TRUE(reference::all_finite(first));
      if (!first.requires_grad()) continue;
      const Tensor second = grad(first, x, {.allow_unused = true});
      EXPECT_TRUE(!second.defined() || reference::all_finite(second));
    }
  }
}

TEST_P(EveryActivation, RefusesIntegersAndUndefinedTensors) {
  EXPECT_TRUE(throws<std::invalid_argument>(
      [] {
        GetParam().f(ones({2, 3}, DType::int64));
      },
      {GetParam().name, "(2, 3)", "int64"}));
  EXPECT_THROW(GetParam().f(Tensor()), std::logic_error);
}

INSTANTIATE_TEST_SUITE_P(Activations, EveryActivation,
                         testing::Values(Activation{"leaky_relu", [](const Tensor& x) { return nn::leaky_relu(x); }},
                                         Activation{"elu", [](const Tensor& x) { return nn::elu(x, {.alpha = 1.5}); }},
                                         Activation{"gelu", [](const Tensor& x) { return nn::gelu(x); }},
                                         Activation{"gelu",
                                                    [](const Tensor& x) {
                                                      return nn::gelu(x, {.approximate = nn::GeluApproximation::tanh});
                                                    }},
                                         Activation{"silu", [](const Tensor& x) { return nn::silu(x); }},
                                         Activation{"softplus",
                                                    [](const Tensor& x) { return nn::softplus(x, {.beta = 0.5}); }}),
                         [](const auto& info) { return info.param.name + std::to_string(info.index); });

TEST(Activations, TakeTheConventionalSlopeAtZero) {
  const auto slope = [](const auto& f) {
    Tensor x = 0.0;
    x.set_requires_grad();
    return grad(f(x), x).item();
  };
  EXPECT_EQ(slope([](const Tensor& x) { return nn::relu(x); }), 0);
  EXPECT_EQ(slope([](const Tensor& x) { return nn::leaky_relu(x, {.negative_slope = 0.25}); }), 0.25);
  EXPECT_EQ(slope([](const Tensor& x) { return nn::elu(x, {.alpha = 1.5}); }), 1.5);
  EXPECT_EQ(slope([](const Tensor& x) { return nn::softplus(x); }), 0.5);
}

TEST(Activations, SoftplusNeedsAPositiveBeta) {
  for (const double beta : {0.0, -1.0, std::nan("")})
    EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::softplus(ones({2}), {.beta = beta}); }, {"softplus", "beta"}));
}

TEST(Activations, AreModulesForSequential) {
  const Tensor x = Generator(4).normal({3, 4});
  EXPECT_TRUE(near(nn::ReLU()(x), relu(x), 0, 0));
  EXPECT_TRUE(near(nn::Sigmoid()(x), sigmoid(x), 0, 0));
  EXPECT_TRUE(near(nn::Tanh()(x), xgrad::tanh(x), 0, 0));
  EXPECT_TRUE(near(nn::SiLU()(x), nn::silu(x), 0, 0));
  EXPECT_TRUE(near(nn::LeakyReLU({.negative_slope = 0.3})(x), nn::leaky_relu(x, {.negative_slope = 0.3}), 0, 0));
  EXPECT_TRUE(near(nn::ELU({.alpha = 2})(x), nn::elu(x, {.alpha = 2}), 0, 0));
  EXPECT_TRUE(near(nn::GELU()(x), nn::gelu(x), 0, 0));
  EXPECT_TRUE(near(nn::Softplus({.beta = 3})(x), nn::softplus(x, {.beta = 3}), 0, 0));
  EXPECT_TRUE(near(nn::Softmax(0)(x), softmax(x, 0), 0, 0));
  EXPECT_TRUE(near(nn::LogSoftmax()(x), log_softmax(x), 0, 0));
}

TEST(Linear, HasPyTorchsShapesAndInitialRange) {
  const nn::Linear layer(100, 50);
  EXPECT_EQ(layer.weight.shape(), (Shape{50, 100}));
  EXPECT_EQ(layer.bias.shape(), (Shape{50}));
  EXPECT_LE(max(abs(layer.weight)).item(), 0.1);
  EXPECT_GT(max(abs(layer.weight)).item(), 0.099);
  EXPECT_LE(max(abs(layer.bias)).item(), 0.1);
  EXPECT_NEAR(mean(layer.weight).item(), 0, 0.004);
}

TEST(Linear, DrawsFromTheGeneratorGiven) {
  Generator a(7), b(7), c(8);
  const nn::Linear first(3, 2, {.generator = &a}), same(3, 2, {.generator = &b}), other(3, 2, {.generator = &c});
  EXPECT_TRUE(near(first.weight, same.weight, 0, 0));
  EXPECT_TRUE(near(first.bias, same.bias, 0, 0));
  EXPECT_FALSE(near(first.weight, other.weight));
}

TEST(Linear, DrawsFromTheDefaultGenerator) {
  manual_seed(5);
  const nn::Linear first(3, 2), second(3, 2);
  manual_seed(5);
  const nn::Linear again(3, 2);
  EXPECT_TRUE(near(first.weight, again.weight, 0, 0));
  EXPECT_FALSE(near(first.weight, second.weight));
}

TEST(Linear, PassesAGradientCheck) {
  nn::Linear layer(3, 2);
  const Tensor x = Generator(1).normal({2, 4, 3}, 0, 1, DType::float64);
  EXPECT_TRUE(nn::gradcheck(layer, [&] { return layer(x); }));
  layer.to(DType::float64);
  EXPECT_TRUE(gradcheck([&](const std::vector<Tensor>& inputs) { return layer(inputs[0]); }, {x}));
}

TEST(Linear, TakesAnEmptyBatch) {
  const nn::Linear layer(3, 2);
  EXPECT_EQ(layer(zeros({0, 3})).shape(), (Shape{0, 2}));
}

TEST(Linear, RefusesWhatDoesNotFit) {
  const nn::Linear layer(3, 2);
  EXPECT_TRUE(throws<std::invalid_argument>([&] { layer(ones({4, 5})); }, {"Linear", "(..., 3)", "(4, 5)"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { layer(Tensor(1.0)); }, {"Linear", "()"}));
  EXPECT_THROW(layer(Tensor()), std::logic_error);
  EXPECT_TRUE(throws<std::invalid_argument>([] { nn::Linear(0, 2); }, {"Linear", "0 in"}));
  EXPECT_TRUE(throws<std::invalid_argument>([] { nn::Linear(3, -1); }, {"Linear", "-1 out"}));
}

TEST(Sequential, AppliesItsLayersInOrder) {
  nn::Sequential model(
      nn::Linear(3, 4), relu, nn::Tanh(), [](const Tensor& x) { return x * 2; }, nn::Linear(4, 2));
  EXPECT_EQ(model.size(), 5u);
  const Tensor x = Generator(1).normal({5, 3});
  const Tensor expected = model.get<nn::Linear>(4)(xgrad::tanh(relu(model.get<nn::Linear>(0)(x))) * 2);
  EXPECT_TRUE(near(model(x), expected, 0, 0));
}

TEST(Sequential, GrowsAndNests) {
  nn::Sequential model;
  EXPECT_EQ(model(Tensor(2.0)).item(), 2);
  model.append(nn::Sequential(nn::Linear(3, 2), nn::ReLU())).append(nn::Linear(2, 1, {.bias = false}));
  std::string names;
  for (const auto& [name, tensor] : model.named_parameters()) names += name + " ";
  EXPECT_EQ(names, "0.0.weight 0.0.bias 1.weight ");
  const nn::Sequential moved = std::move(model);
  EXPECT_EQ(moved(zeros({4, 3})).shape(), (Shape{4, 1}));
}

TEST(Sequential, SaysWhichLayerIsNotThere) {
  nn::Sequential model(nn::Linear(3, 2));
  EXPECT_TRUE(throws<std::out_of_range>([&] { model.get<nn::Linear>(1); }, {"Sequential", "no layer 1"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { model.get<nn::ReLU>(0); }, {"Sequential", "layer 0"}));
}

}  // namespace
