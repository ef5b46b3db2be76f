// Losses against PyTorch in every reduction and option, at extreme logits, in gradient checks, and on bad input.
#include <limits>
#include <nn/nn.hpp>

#include <tests/reference/reference.hpp>

using namespace xgrad;
using nn::Reduction;
using reference::Json;
using reference::near;
using reference::throws;

namespace {

const double infinity = std::numeric_limits<double>::infinity();

Reduction reduction_of(const std::string& name) {
  return name == "mean" ? Reduction::mean : name == "sum" ? Reduction::sum : Reduction::none;
}

Tensor loss(const std::string& name, const Json& options, const Json& tensors, const Tensor& input,
            const Tensor& target) {
  const Reduction reduction = reduction_of(options["reduction"]);
  const auto tensor = [&](const char* key) {
    return tensors.contains(key) ? reference::tensor(tensors[key]) : Tensor();
  };
  const std::int64_t ignore_index = options.value("ignore_index", std::int64_t{-100});
  if (name == "mse_loss") return nn::mse_loss(input, target, {.reduction = reduction});
  if (name == "l1_loss") return nn::l1_loss(input, target, {.reduction = reduction});
  if (name == "huber_loss") return nn::huber_loss(input, target, {.delta = options["delta"], .reduction = reduction});
  if (name == "nll_loss")
    return nn::nll_loss(input, target,
                        {.weight = tensor("weight"), .ignore_index = ignore_index, .reduction = reduction});
  if (name == "cross_entropy")
    return nn::cross_entropy(input, target,
                             {.weight = tensor("weight"),
                              .ignore_index = ignore_index,
                              .label_smoothing = options["label_smoothing"],
                              .reduction = reduction});
  if (name == "binary_cross_entropy")
    return nn::binary_cross_entropy(input, target, {.weight = tensor("weight"), .reduction = reduction});
  if (name == "binary_cross_entropy_with_logits")
    return nn::binary_cross_entropy_with_logits(
        input, target, {.weight = tensor("weight"), .pos_weight = tensor("pos_weight"), .reduction = reduction});
  throw std::runtime_error("no loss " + name);
}

TEST(Reference, LossesMatchPyTorch) {
  const Json cases = reference::read("losses.json")["cases"];
  ASSERT_EQ(cases.size(), 190u);
  for (const Json& entry : cases) {
    SCOPED_TRACE(entry["name"].get<std::string>() + " " + entry["options"].dump() + " " + entry["tensors"].dump());
    std::vector<Tensor> inputs;
    for (const Json& input : entry["inputs"]) inputs.push_back(reference::tensor(input));
    // PyTorch has a gradient of the target where the reference has two of them.
    const std::size_t differentiated = entry.contains("gradients") ? entry["gradients"].size() : 0;
    for (std::size_t i = 0; i < differentiated; ++i) inputs[i].set_requires_grad();
    const Tensor value = loss(entry["name"], entry["options"], entry["tensors"], inputs[0], inputs[1]);
    EXPECT_TRUE(near(value, reference::tensor(entry["output"])));
    if (differentiated == 0) continue;
    value.backward(reference::tensor(entry["cotangent"]));
    for (std::size_t i = 0; i < differentiated; ++i)
      EXPECT_TRUE(near(inputs[i].grad(), reference::tensor(entry["gradients"][i]))) << "gradient " << i;
  }
}

using TwoTensors = std::function<Tensor(const Tensor&, const Tensor&)>;

struct NumericLoss {
  const char* name;
  TwoTensors f;
};
std::ostream& operator<<(std::ostream& stream, const NumericLoss& loss) { return stream << loss.name; }

/// Losses whose target is a number for each input.
class EveryNumericLoss : public testing::TestWithParam<NumericLoss> {};

TEST_P(EveryNumericLoss, HasTheRightDerivativesOfInputAndTarget) {
  Generator generator(3);
  const Tensor x = generator.uniform({3, 4}, 0.1, 0.9, DType::float64),
               y = generator.uniform({3, 4}, 0.1, 0.9, DType::float64);
  const auto f = [](const std::vector<Tensor>& inputs) { return GetParam().f(inputs[0], inputs[1]); };
  EXPECT_TRUE(gradcheck(f, {x, y}));
  EXPECT_TRUE(gradgradcheck(f, {x, y}));
}

TEST_P(EveryNumericLoss, RefusesTargetsOfAnotherShape) {
  for (const Shape& shape : {Shape{3}, Shape{2, 1}, Shape{}, Shape{3, 2}, Shape{1, 2, 3}})
    EXPECT_TRUE(throws<std::invalid_argument>(
        [&] {
          GetParam().f(zeros({2, 3}), zeros(shape));
        },
        {GetParam().name, "(2, 3)", to_string(shape)}));
}

TEST_P(EveryNumericLoss, RefusesIntegerInputsAndUndefinedTensors) {
  EXPECT_TRUE(throws<std::invalid_argument>([] { GetParam().f(zeros({2}, DType::int64), zeros({2})); },
                                            {GetParam().name, "(2,) int64"}));
  EXPECT_THROW(GetParam().f(Tensor(), zeros({2})), std::logic_error);
  EXPECT_THROW(GetParam().f(zeros({2}), Tensor()), std::logic_error);
}

TEST_P(EveryNumericLoss, KeepsFloat32AndTakesIntegerAndBoolTargets) {
  const Tensor x = full({2}, 0.25), y = Tensor{1, 0};
  EXPECT_EQ(GetParam().f(x, y).dtype(), DType::float32);
  const Tensor expected = GetParam().f(x, y.to(DType::float32));
  EXPECT_TRUE(near(GetParam().f(x, y), expected, 0, 0));
  EXPECT_TRUE(near(GetParam().f(x, y == 1), expected, 0, 0));
}

TEST_P(EveryNumericLoss, OfNothingIsNaN) { EXPECT_TRUE(std::isnan(GetParam().f(zeros({0}), zeros({0})).item())); }

INSTANTIATE_TEST_SUITE_P(
    Losses, EveryNumericLoss,
    testing::Values(NumericLoss{"mse_loss", [](auto& x, auto& y) { return nn::mse_loss(x, y); }},
                    NumericLoss{"l1_loss", [](auto& x, auto& y) { return nn::l1_loss(x, y); }},
                    NumericLoss{"huber_loss", [](auto& x, auto& y) { return nn::huber_loss(x, y, {.delta = 0.3}); }},
                    NumericLoss{"binary_cross_entropy",
                                [](auto& x, auto& y) { return nn::binary_cross_entropy(x, y); }},
                    NumericLoss{"binary_cross_entropy_with_logits",
                                [](auto& x, auto& y) { return nn::binary_cross_entropy_with_logits(x, y); }}),
    [](const auto& info) { return info.param.name; });

struct ClassLoss {
  const char* name;
  TwoTensors f;
};
std::ostream& operator<<(std::ostream& stream, const ClassLoss& loss) { return stream << loss.name; }

/// Losses whose target is a class for each sample.
class EveryClassLoss : public testing::TestWithParam<ClassLoss> {};

TEST_P(EveryClassLoss, HasTheRightDerivatives) {
  const Tensor x = Generator(3).normal({4, 3}, 0, 1, DType::float64), y = Tensor{0, 2, 1, 2};
  const auto f = [&](const std::vector<Tensor>& inputs) { return GetParam().f(inputs[0], y); };
  EXPECT_TRUE(gradcheck(f, {x}));
  EXPECT_TRUE(gradgradcheck([&](const std::vector<Tensor>& inputs) { return GetParam().f(tanh(inputs[0]), y); }, {x}));
}

TEST_P(EveryClassLoss, RefusesATargetThatIsNoClass) {
  for (const int bad : {3, -1, -101, 1000})
    EXPECT_TRUE(throws<std::out_of_range>(
        [&] {
          GetParam().f(zeros({2, 3}), Tensor{0, bad});
        },
        {GetParam().name, std::to_string(bad), "element 1", "3 classes", "(2, 3)"}));
}

TEST_P(EveryClassLoss, RefusesTargetsOfAnotherShape) {
  const auto zeros_of = [](const Shape& shape) { return zeros(shape, DType::int64); };
  EXPECT_TRUE(throws<std::invalid_argument>(
      [&] {
        GetParam().f(zeros({2, 3}), zeros_of({3}));
      },
      {GetParam().name, "(3,)", "(2, 3)", "(2,)"}));
  EXPECT_TRUE(throws<std::invalid_argument>(
      [&] {
        GetParam().f(zeros({2, 3}), zeros_of({2, 1}));
      },
      {GetParam().name, "(2, 1)"}));
  EXPECT_TRUE(throws<std::invalid_argument>(
      [&] {
        GetParam().f(zeros({2, 3, 4}), zeros_of({2, 3}));
      },
      {GetParam().name, "(2, 4)"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { GetParam().f(zeros({3}), zeros_of({3})); }, {GetParam().name, "()"}));
}

TEST_P(EveryClassLoss, RefusesInputsWithoutClasses) {
  EXPECT_TRUE(throws<std::invalid_argument>([] { GetParam().f(Tensor(1.0), Tensor(0)); },
                                            {GetParam().name, "()", "class axis"}));
  EXPECT_TRUE(throws<std::invalid_argument>(
      [] {
        GetParam().f(zeros({2, 0}), Tensor{0, 0});
      },
      {GetParam().name, "(2, 0)", "no classes"}));
  EXPECT_TRUE(throws<std::invalid_argument>(
      [] {
        GetParam().f(zeros({2, 3}, DType::int64), Tensor{0, 0});
      },
      {GetParam().name, "int64"}));
  EXPECT_THROW(GetParam().f(Tensor(), Tensor{0}), std::logic_error);
  EXPECT_THROW(GetParam().f(zeros({1, 2}), Tensor()), std::logic_error);
}

TEST_P(EveryClassLoss, RefusesBoolTargets) {
  EXPECT_TRUE(throws<std::invalid_argument>(
      [] {
        GetParam().f(zeros({2, 3}), Tensor{true, false});
      },
      {GetParam().name, "bool"}));
}

TEST_P(EveryClassLoss, MeanOfNothingIsNaN) {
  EXPECT_TRUE(std::isnan(GetParam().f(zeros({0, 3}), zeros({0}, DType::int64)).item()));
  EXPECT_TRUE(std::isnan(GetParam().f(zeros({2, 3}), Tensor{-100, -100}).item()));
}

INSTANTIATE_TEST_SUITE_P(Losses, EveryClassLoss,
                         testing::Values(ClassLoss{"nll_loss", [](auto& x, auto& y) { return nn::nll_loss(x, y); }},
                                         ClassLoss{"cross_entropy",
                                                   [](auto& x, auto& y) { return nn::cross_entropy(x, y); }}),
                         [](const auto& info) { return info.param.name; });

TEST(NllLoss, RefusesProbabilitiesAndWrongWeights) {
  EXPECT_TRUE(throws<std::invalid_argument>(
      [] {
        nn::nll_loss(zeros({2, 3}), zeros({2, 3}));
      },
      {"nll_loss", "int64", "(2, 3) float32"}));
  EXPECT_TRUE(throws<std::invalid_argument>(
      [] {
        nn::nll_loss(zeros({2, 3}), Tensor{0, 1}, {.weight = ones({2})});
      },
      {"nll_loss", "(2,)", "(2, 3)", "(3,)"}));
}

TEST(CrossEntropy, RefusesWrongOptions) {
  const Tensor x = zeros({2, 3}), y = Tensor{0, 1};
  for (const double smoothing : {-0.1, 1.1, std::nan("")})
    EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::cross_entropy(x, y, {.label_smoothing = smoothing}); },
                                              {"cross_entropy", "label_smoothing"}));
  for (const Shape& shape : {Shape{2}, Shape{1, 3}, Shape{}})
    EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::cross_entropy(x, y, {.weight = ones(shape)}); },
                                              {"cross_entropy", to_string(shape), "(3,)"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::cross_entropy(x, zeros({2})); },
                                            {"cross_entropy", "(2, 3)", "(2,) float32"}));
}

TEST(CrossEntropy, WithoutIgnoredIndexTakesNoNegativeOne) {
  EXPECT_THROW(nn::cross_entropy(zeros({2, 3}), Tensor{0, -100}, {.ignore_index = std::nullopt}), std::out_of_range);
  EXPECT_TRUE(near(nn::cross_entropy(zeros({2, 3}), Tensor{0, -7}, {.ignore_index = -7}), std::log(3.0)));
}

TEST(CrossEntropy, IgnoredSamplesLeaveNoTraceInGradients) {
  Tensor x = Tensor{{1.0, 2.0}, {infinity, std::nan("")}};
  x.set_requires_grad();
  nn::cross_entropy(x, Tensor{0, -100}).backward();
  EXPECT_TRUE(near(x.grad().slice(0), Tensor{std::exp(1.0) / (std::exp(1.0) + std::exp(2.0)) - 1,
                                             std::exp(2.0) / (std::exp(1.0) + std::exp(2.0))}));
}

TEST(CrossEntropy, IsRightAtExtremeLogits) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    Tensor x =
        Tensor{{1e30, -1e30, 0.0}, {-1e4, -1e4, -1e4}, {-infinity, 3.0, 3.0}, {88.0, -88.0, 0.0}}.to(dtype).detach();
    x.set_requires_grad();
    const Tensor losses = nn::cross_entropy(x, Tensor{0, 1, 1, 1}, {.reduction = Reduction::none});
    EXPECT_TRUE(near(losses, Tensor{0.0, std::log(3.0), std::log(2.0), 176.0}));
    sum(losses).backward();
    EXPECT_TRUE(
        near(x.grad(), Tensor{{0.0, 0.0, 0.0}, {1 / 3.0, -2 / 3.0, 1 / 3.0}, {0.0, -0.5, 0.5}, {1.0, -1.0, 0.0}}));
    Tensor wrong = Tensor{1e30, -1e30}.to(dtype).detach();
    wrong.set_requires_grad();
    const Tensor large = nn::cross_entropy(wrong, Tensor(1));
    EXPECT_TRUE(near(large, Tensor(2e30)));
    large.backward();
    EXPECT_TRUE(near(wrong.grad(), Tensor{1.0, -1.0}));
  }
}

TEST(CrossEntropy, AProbabilityOfZeroIgnoresALogitOfMinusInfinity) {
  Tensor x = Tensor{{-infinity, 1.0, 1.0}};
  x.set_requires_grad();
  const Tensor value = nn::cross_entropy(x, Tensor{{0.0, 0.5, 0.5}});
  EXPECT_TRUE(near(value, std::log(2.0)));
  value.backward();
  EXPECT_TRUE(near(x.grad(), Tensor{{0.0, 0.0, 0.0}}));
  EXPECT_EQ(nn::cross_entropy(x, Tensor{{0.5, 0.5, 0.0}}).item(), infinity);
}

TEST(CrossEntropy, OfProbabilitiesPassesAGradientCheckWithEveryOption) {
  Generator generator(5);
  const Tensor x = generator.normal({4, 3}, 0, 1, DType::float64),
               p = softmax(generator.normal({4, 3}, 0, 1, DType::float64)).detach();
  const Tensor weight = Tensor{0.5, 2.0, 1.0};
  EXPECT_TRUE(gradcheck(
      [&](const std::vector<Tensor>& inputs) {
        return nn::cross_entropy(inputs[0], inputs[1], {.weight = inputs[2], .label_smoothing = 0.2});
      },
      {x, p, weight}));
  EXPECT_TRUE(gradcheck(
      [&](const std::vector<Tensor>& inputs) {
        return nn::cross_entropy(inputs[0], Tensor{0, -100, 2, 1}, {.weight = inputs[1], .label_smoothing = 0.2});
      },
      {x, weight}));
}

TEST(CrossEntropy, KeepsFloat32BesideDoubleWeights) {
  EXPECT_EQ(nn::cross_entropy(zeros({2, 2}), Tensor{0, 1}, {.weight = Tensor{1.0, 2.0}}).dtype(), DType::float32);
}

TEST(HuberLoss, NeedsAPositiveDelta) {
  for (const double delta : {0.0, -1.0, std::nan("")})
    EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::huber_loss(ones({2}), ones({2}), {.delta = delta}); },
                                              {"huber_loss", "delta"}));
}

TEST(HuberLoss, HasTheSlopeDeltaFarAway) {
  Tensor x = Tensor{1e30f, -1e30f, 0.0f};
  x.set_requires_grad();
  sum(nn::huber_loss(x, zeros({3}), {.delta = 2, .reduction = Reduction::none})).backward();
  EXPECT_TRUE(near(x.grad(), Tensor{2.0, -2.0, 0.0}));
}

TEST(BinaryCrossEntropy, RefusesWhatIsNoProbability) {
  for (const double bad : {-0.001, 1.001, infinity, std::nan("")})
    EXPECT_TRUE(throws<std::domain_error>(
        [&] {
          nn::binary_cross_entropy(Tensor{0.5, bad}, Tensor{0.0, 1.0});
        },
        {"binary_cross_entropy", "(2,)", "element 1", "with_logits"}));
}

TEST(BinaryCrossEntropy, ClampsLogarithmsAndHasNoGradientThere) {
  Tensor p = Tensor{0.0, 1.0};
  p.set_requires_grad();
  const Tensor losses = nn::binary_cross_entropy(p, Tensor{1.0, 0.0}, {.reduction = Reduction::none});
  EXPECT_TRUE(near(losses, Tensor{100.0, 100.0}));
  sum(losses).backward();
  EXPECT_TRUE(reference::all_finite(p.grad()));
}

TEST(BinaryCrossEntropy, RefusesWeightsThatDoNotBroadcast) {
  const Tensor x = full({2, 3}, 0.5), y = zeros({2, 3});
  EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::binary_cross_entropy(x, y, {.weight = ones({2})}); },
                                            {"binary_cross_entropy", "(2,)", "(2, 3)"}));
  EXPECT_TRUE(throws<std::invalid_argument>(
      [&] {
        nn::binary_cross_entropy(x, y, {.weight = ones({4, 2, 3})});
      },
      {"weight", "(4, 2, 3)", "(2, 3)"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::binary_cross_entropy_with_logits(x, y, {.weight = ones({2})}); },
                                            {"with_logits", "(2,)"}));
  EXPECT_TRUE(throws<std::invalid_argument>(
      [&] {
        nn::binary_cross_entropy_with_logits(x, y, {.pos_weight = ones({4, 2, 3})});
      },
      {"pos_weight", "(4, 2, 3)", "(2, 3)"}));
}

TEST(BinaryCrossEntropyWithLogits, IsAccurateAtExtremeLogits) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    Tensor x = Tensor{1e30, -1e30, 1e30, -1e30, 40.0, -40.0, 0.0}.to(dtype).detach();
    x.set_requires_grad();
    const Tensor y = Tensor{1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0}.to(dtype);
    const Tensor losses = nn::binary_cross_entropy_with_logits(x, y, {.reduction = Reduction::none});
    const double tail = std::exp(-40.0);
    EXPECT_TRUE(near(losses, Tensor{0.0, 1e30, 1e30, 0.0, tail, tail, std::log(2.0)}, 1e-6, 0));
    sum(losses).backward();
    EXPECT_TRUE(near(x.grad(), Tensor{0.0, -1.0, 1.0, 0.0, -tail, tail, -0.5}, 1e-6, 0));
  }
}

TEST(BinaryCrossEntropyWithLogits, HasItsDerivativesAtZero) {
  Tensor x = 0.0;
  x.set_requires_grad();
  const Tensor first = grad(nn::binary_cross_entropy_with_logits(x, Tensor(0.25)), x, {.create_graph = true});
  EXPECT_NEAR(first.item(), 0.25, 1e-15);
  EXPECT_NEAR(grad(first, x).item(), 0.25, 1e-15);
}

}  // namespace
