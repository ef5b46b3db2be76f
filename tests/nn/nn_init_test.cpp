// Initialisers: the distributions they draw from, and what they refuse.
#include <nn/nn.hpp>

#include <tests/reference/reference.hpp>

using namespace xgrad;
using namespace xgrad::nn::init;
using reference::near;
using reference::throws;

namespace {

double deviation(const Tensor& x) { return std::sqrt(mean(square(x - mean(x))).item()); }

TEST(Init, UniformFillsTheInterval) {
  Generator generator(1);
  Tensor x = zeros({100, 100}).detach();
  uniform_(x, -2, 3, generator);
  EXPECT_GE(min(x).item(), -2);
  EXPECT_LT(max(x).item(), 3);
  EXPECT_LT(min(x).item(), -1.99);
  EXPECT_GT(max(x).item(), 2.99);
  EXPECT_NEAR(mean(x).item(), 0.5, 0.05);
}

TEST(Init, NormalHasItsMeanAndDeviation) {
  Generator generator(1);
  Tensor x = zeros({100, 100}, DType::float64).detach();
  normal_(x, 3, 2, generator);
  EXPECT_NEAR(mean(x).item(), 3, 0.1);
  EXPECT_NEAR(deviation(x), 2, 0.1);
}

TEST(Init, TruncatedNormalStaysInsideAndHasItsDeviation) {
  Generator generator(1);
  Tensor x = zeros({100, 100}, DType::float64).detach();
  trunc_normal_(x, 0, 1, -2, 2, generator);
  EXPECT_LE(max(abs(x)).item(), 2);
  EXPECT_GT(max(abs(x)).item(), 1.95);
  EXPECT_NEAR(mean(x).item(), 0, 0.05);
  EXPECT_NEAR(deviation(x), 0.8796, 0.02);  // of the Gaussian cut at two deviations
  trunc_normal_(x, 0, 1, 1, 5, generator);
  EXPECT_GE(min(x).item(), 1);
}

TEST(Init, ConstantsAreConstant) {
  Tensor x = ones({2, 3}).detach();
  constant_(x, 2.5);
  EXPECT_TRUE(near(x, full({2, 3}, 2.5), 0, 0));
  zeros_(x);
  EXPECT_TRUE(near(x, zeros({2, 3}), 0, 0));
  ones_(x);
  EXPECT_TRUE(near(x, ones({2, 3}), 0, 0));
}

TEST(Init, ChangesAParameterForEveryHandleAndKeepsItsDtype) {
  nn::Linear layer(3, 2);
  layer.to(DType::float64);
  const Tensor handle = layer.weight;
  constant_(layer.weight, 4);
  EXPECT_EQ(handle.dtype(), DType::float64);
  EXPECT_TRUE(handle.requires_grad());
  EXPECT_TRUE(near(handle, full({2, 3}, 4), 0, 0));
}

TEST(Init, TheSameSeedGivesTheSameValues) {
  Tensor x = zeros({5, 5}).detach(), y = zeros({5, 5}).detach();
  manual_seed(3);
  kaiming_normal_(x);
  manual_seed(3);
  kaiming_normal_(y);
  EXPECT_TRUE(near(x, y, 0, 0));
  kaiming_normal_(y);
  EXPECT_FALSE(near(x, y));
}

TEST(Init, FansCountTheReceptiveField) {
  EXPECT_EQ(fans("f", {5, 3}).in, 3);
  EXPECT_EQ(fans("f", {5, 3}).out, 5);
  EXPECT_EQ(fans("f", {8, 3, 2, 4}).in, 24);
  EXPECT_EQ(fans("f", {8, 3, 2, 4}).out, 64);
  EXPECT_TRUE(throws<std::invalid_argument>([] { fans("f", {5}); }, {"f:", "(5,)"}));
}

TEST(Init, GainsArePyTorchs) {
  const auto gains = reference::read("optimizers.json")["gains"];
  EXPECT_NEAR(calculate_gain(Nonlinearity::linear), gains["linear"], 1e-15);
  EXPECT_NEAR(calculate_gain(Nonlinearity::sigmoid), gains["sigmoid"], 1e-15);
  EXPECT_NEAR(calculate_gain(Nonlinearity::tanh), gains["tanh"], 1e-15);
  EXPECT_NEAR(calculate_gain(Nonlinearity::relu), gains["relu"], 1e-15);
  EXPECT_NEAR(calculate_gain(Nonlinearity::leaky_relu), gains["leaky_relu"], 1e-15);
  EXPECT_NEAR(calculate_gain(Nonlinearity::leaky_relu, 0.3), gains["leaky_relu 0.3"], 1e-15);
  EXPECT_NEAR(calculate_gain(Nonlinearity::selu), gains["selu"], 1e-15);
}

TEST(Init, XavierScalesByBothFans) {
  Generator generator(1);
  Tensor x = zeros({100, 200}).detach();
  const double expected = 2 * std::sqrt(2.0 / 300);
  xavier_uniform_(x, 2, generator);
  EXPECT_NEAR(deviation(x), expected, 0.02 * expected);
  EXPECT_LE(max(abs(x)).item(), std::sqrt(3.0) * expected * (1 + 1e-6));
  xavier_normal_(x, 2, generator);
  EXPECT_NEAR(deviation(x), expected, 0.02 * expected);
  EXPECT_GT(max(abs(x)).item(), 3 * expected);
}

TEST(Init, KaimingScalesByTheFanChosen) {
  Generator generator(1);
  Tensor x = zeros({100, 200}).detach();
  kaiming_uniform_(x, {.negative_slope = std::sqrt(5.0)}, generator);
  EXPECT_LE(max(abs(x)).item(), 1 / std::sqrt(200.0) * (1 + 1e-6));
  EXPECT_GT(max(abs(x)).item(), 0.99 / std::sqrt(200.0));
  kaiming_normal_(x, {.mode = FanMode::fan_out, .nonlinearity = Nonlinearity::relu}, generator);
  EXPECT_NEAR(deviation(x), std::sqrt(2.0 / 100), 0.02 * std::sqrt(2.0 / 100));
  EXPECT_GT(max(abs(x)).item(), 3 * std::sqrt(2.0 / 100));
}

TEST(Init, EmptyTensorsStayEmpty) {
  Tensor x = zeros({0, 3}).detach(), y = zeros({3, 0}).detach();
  kaiming_uniform_(y);
  xavier_normal_(x);
  uniform_(x);
  EXPECT_EQ(x.size() + y.size(), 0);
}

struct Initialiser {
  const char* name;
  std::function<void(const Tensor&)> f;
};
std::ostream& operator<<(std::ostream& stream, const Initialiser& initialiser) { return stream << initialiser.name; }

class EveryInitialiser : public testing::TestWithParam<Initialiser> {};

TEST_P(EveryInitialiser, RefusesWhatIsNoFloatingLeaf) {
  EXPECT_TRUE(throws<std::invalid_argument>(
      [] {
        GetParam().f(zeros({2, 3}, DType::int64));
      },
      {GetParam().name, "(2, 3)", "int64"}));
  Tensor leaf = ones({2, 3}).detach();
  leaf.set_requires_grad();
  EXPECT_TRUE(throws<std::logic_error>([&] { GetParam().f(leaf * 2); }, {GetParam().name, "(2, 3)"}));
  EXPECT_TRUE(throws<std::logic_error>([] { GetParam().f(Tensor()); }, {GetParam().name}));
}

INSTANTIATE_TEST_SUITE_P(Init, EveryInitialiser,
                         testing::Values(Initialiser{"uniform_", [](const Tensor& x) { uniform_(x); }},
                                         Initialiser{"normal_", [](const Tensor& x) { normal_(x); }},
                                         Initialiser{"trunc_normal_", [](const Tensor& x) { trunc_normal_(x); }},
                                         Initialiser{"constant_", [](const Tensor& x) { constant_(x, 1); }},
                                         Initialiser{"zeros_", [](const Tensor& x) { zeros_(x); }},
                                         Initialiser{"ones_", [](const Tensor& x) { ones_(x); }},
                                         Initialiser{"xavier_uniform_", [](const Tensor& x) { xavier_uniform_(x); }},
                                         Initialiser{"xavier_normal_", [](const Tensor& x) { xavier_normal_(x); }},
                                         Initialiser{"kaiming_uniform_", [](const Tensor& x) { kaiming_uniform_(x); }},
                                         Initialiser{"kaiming_normal_", [](const Tensor& x) { kaiming_normal_(x); }}),
                         [](const auto& info) { return std::string(info.param.name) + "of"; });

TEST(Init, RefusesParametersOutOfRange) {
  const Tensor x = zeros({4}).detach();
  EXPECT_TRUE(throws<std::invalid_argument>([&] { uniform_(x, 1, 0); }, {"uniform_"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { normal_(x, 0, -1); }, {"normal_", "deviation"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { trunc_normal_(x, 0, 0); }, {"trunc_normal_", "deviation"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { trunc_normal_(x, 0, 1, 5, 6); }, {"trunc_normal_", "5", "6"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { xavier_uniform_(x); }, {"xavier_uniform_", "(4,)"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { xavier_normal_(x); }, {"xavier_normal_", "(4,)"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { kaiming_uniform_(x); }, {"kaiming_uniform_", "(4,)"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { kaiming_normal_(x); }, {"kaiming_normal_", "(4,)"}));
  EXPECT_TRUE(near(x, zeros({4}), 0, 0));
}

}  // namespace
