// Optimisers against PyTorch's trajectories, schedules, clipping, and steps that fail.
#include <limits>
#include <memory>
#include <nn/nn.hpp>

#include <tests/reference/reference.hpp>

using namespace xgrad;
using reference::Json;
using reference::near;
using reference::throws;

namespace {

const double infinity = std::numeric_limits<double>::infinity();

template <class Options>
Options adam_options(const Json& json) {
  Options options;
  options.learning_rate = json.value("learning_rate", options.learning_rate);
  options.beta1 = json.value("beta1", options.beta1);
  options.beta2 = json.value("beta2", options.beta2);
  options.epsilon = json.value("epsilon", options.epsilon);
  options.weight_decay = json.value("weight_decay", options.weight_decay);
  options.amsgrad = json.value("amsgrad", options.amsgrad);
  return options;
}

std::unique_ptr<nn::Optimizer> make(const std::string& name, const Json& json, const std::vector<Tensor>& parameters) {
  if (name == "Adam") return std::make_unique<nn::Adam>(parameters, adam_options<nn::AdamOptions>(json));
  if (name == "AdamW") return std::make_unique<nn::AdamW>(parameters, adam_options<nn::AdamWOptions>(json));
  nn::SGDOptions options;
  options.learning_rate = json.value("learning_rate", options.learning_rate);
  options.momentum = json.value("momentum", options.momentum);
  options.dampening = json.value("dampening", options.dampening);
  options.weight_decay = json.value("weight_decay", options.weight_decay);
  options.nesterov = json.value("nesterov", options.nesterov);
  return std::make_unique<nn::SGD>(parameters, options);
}

TEST(Reference, TwentyStepsOfEveryOptimiserMatchPyTorch) {
  const Json file = reference::read("optimizers.json");
  const Tensor x = reference::tensor(file["x"]), y = reference::tensor(file["y"]);
  ASSERT_EQ(file["trajectories"].size(), 15u);
  for (const Json& trajectory : file["trajectories"]) {
    SCOPED_TRACE(trajectory["name"].get<std::string>() + " " + trajectory["options"].dump());
    const Tensor weight = nn::parameter(reference::tensor(file["weight"])),
                 bias = nn::parameter(reference::tensor(file["bias"]));
    const auto optimizer = make(trajectory["name"], trajectory["options"], {weight, bias});
    ASSERT_EQ(trajectory["steps"].size(), 20u);
    for (const Json& step : trajectory["steps"]) {
      optimizer->zero_grad();
      nn::mse_loss(tanh(matmul(x, transpose(weight)) + bias), y).backward();
      optimizer->step();
      const auto values = step.get<std::vector<double>>();
      const Tensor expected =
          detail::make_leaf_copy({static_cast<std::int64_t>(values.size())}, DType::float64, values.data());
      ASSERT_TRUE(near(concatenate({flatten(weight), bias}), expected));
    }
  }
}

std::unique_ptr<nn::LearningRateSchedule> make_schedule(const std::string& name, const Json& o,
                                                        nn::Optimizer& optimizer) {
  if (name == "StepLR") return std::make_unique<nn::StepLR>(optimizer, o["step_size"], o["gamma"]);
  if (name == "CosineAnnealingLR") return std::make_unique<nn::CosineAnnealingLR>(optimizer, o["T_max"], o["eta_min"]);
  nn::OneCycleOptions options;
  options.warm_up = o.value("pct_start", options.warm_up);
  options.div_factor = o.value("div_factor", options.div_factor);
  options.final_div_factor = o.value("final_div_factor", options.final_div_factor);
  return std::make_unique<nn::OneCycleLR>(optimizer, o["max_lr"].get<double>(), o["total_steps"].get<std::int64_t>(),
                                          options);
}

TEST(Reference, SchedulesMatchPyTorch) {
  const Json entries = reference::read("optimizers.json")["schedules"];
  ASSERT_EQ(entries.size(), 4u);
  for (const Json& entry : entries) {
    SCOPED_TRACE(entry["name"].get<std::string>() + " " + entry["options"].dump());
    nn::SGD optimizer({nn::parameter(ones({1}))}, {.learning_rate = 0.1});
    const auto schedule = make_schedule(entry["name"], entry["options"], optimizer);
    for (const Json& rate : entry["rates"]) {
      EXPECT_NEAR(optimizer.learning_rate(), rate.get<double>(), 1e-12) << "step " << schedule->steps();
      schedule->step();
    }
  }
}

TEST(Reference, ClippingMatchesPyTorch) {
  const Json entries = reference::read("optimizers.json")["clipping"];
  ASSERT_EQ(entries.size(), 8u);
  for (const Json& entry : entries) {
    SCOPED_TRACE(entry["norm"].dump() + " " + entry["max_norm"].dump());
    std::vector<Tensor> parameters;
    for (const Json& before : entry["before"]) {
      const Tensor gradient = reference::tensor(before);
      parameters.push_back(nn::parameter(zeros(gradient.shape(), DType::float64)));
      parameters.back().set_grad(gradient);
    }
    parameters.push_back(nn::parameter(ones({2})));  // has no gradient
    const double norm = entry["norm"].is_string() ? infinity : entry["norm"].get<double>();
    EXPECT_NEAR(nn::clip_grad_norm(parameters, entry["max_norm"], {.norm = norm}), entry["total"].get<double>(), 1e-12);
    for (std::size_t i = 0; i < entry["after"].size(); ++i)
      EXPECT_TRUE(near(parameters[i].grad(), reference::tensor(entry["after"][i])));
    EXPECT_FALSE(parameters.back().grad().defined());
  }
}

Tensor with_gradient(const Tensor& value, const Tensor& gradient) {
  Tensor parameter = nn::parameter(value);
  parameter.set_grad(gradient);
  return parameter;
}

struct Kind {
  const char* name;
  std::function<std::unique_ptr<nn::Optimizer>(const std::vector<Tensor>&, double)> make;
};
std::ostream& operator<<(std::ostream& stream, const Kind& kind) { return stream << kind.name; }

class EveryOptimizer : public testing::TestWithParam<Kind> {};

TEST_P(EveryOptimizer, LeavesParametersWithoutGradientAlone) {
  const Tensor with = with_gradient(ones({2}), ones({2})), without = nn::parameter(ones({3}));
  const auto optimizer = GetParam().make({without, with}, 0.1);
  optimizer->step();
  EXPECT_TRUE(near(without, ones({3}), 0, 0));
  EXPECT_TRUE(reference::all_finite(with));
  EXPECT_LT(max(with).item(), 1);
}

TEST_P(EveryOptimizer, LeavesFrozenParametersAlone) {
  Tensor frozen = with_gradient(ones({2}), ones({2}));
  const auto optimizer = GetParam().make({frozen}, 0.1);
  frozen.set_requires_grad(false);
  optimizer->step();
  EXPECT_TRUE(near(frozen, ones({2}), 0, 0));
}

TEST_P(EveryOptimizer, KeepsFloat32) {
  const Tensor parameter = with_gradient(ones({2}), ones({2}));
  const auto optimizer = GetParam().make({parameter}, 0.1);
  for (int i = 0; i < 3; ++i) optimizer->step();
  EXPECT_EQ(parameter.dtype(), DType::float32);
  EXPECT_TRUE(parameter.requires_grad());
  EXPECT_TRUE(parameter.is_leaf());
}

TEST_P(EveryOptimizer, FollowsAModelThatChangesItsDtype) {
  nn::Linear model(2, 1);
  const auto optimizer = GetParam().make(model.parameters(), 0.1);
  const Tensor x = Tensor{{1.0, 2.0}};
  for (const DType dtype : {DType::float32, DType::float64, DType::float32}) {
    model.to(dtype);
    sum(model(x.to(dtype))).backward();
    const Tensor before = model.weight.detach();
    optimizer->step();
    EXPECT_EQ(model.weight.dtype(), dtype);
    EXPECT_FALSE(near(model.weight, before));
  }
}

TEST_P(EveryOptimizer, ARecordingMadeBeforeAStepKeepsItsValues) {
  const Tensor parameter = nn::parameter(full({1}, 3, DType::float64));
  const auto optimizer = GetParam().make({parameter}, 0.5);
  const Tensor loss = sum(square(parameter));
  square(parameter).backward();
  optimizer->step();
  EXPECT_NE(parameter.item(), 3);
  optimizer->zero_grad();
  loss.backward();
  EXPECT_EQ(parameter.grad().item(), 6);
}

TEST_P(EveryOptimizer, ManyStepsHoldNoMoreMemory) {
  const Tensor parameter = with_gradient(ones({1000}), ones({1000}));
  const auto optimizer = GetParam().make({parameter}, 1e-3);
  for (int i = 0; i < 300; ++i) optimizer->step();  // the engine keeps a bounded store of small things
  const std::size_t before = memory_statistics().in_use;
  for (int i = 0; i < 1000; ++i) optimizer->step();
  EXPECT_LE(memory_statistics().in_use, before);
}

TEST_P(EveryOptimizer, ZeroGradAndLearningRate) {
  const Tensor parameter = with_gradient(ones({2}), ones({2}));
  const auto optimizer = GetParam().make({parameter}, 0.1);
  EXPECT_EQ(optimizer->learning_rate(), 0.1);
  EXPECT_EQ(optimizer->parameters().size(), 1u);
  optimizer->set_learning_rate(0);
  optimizer->step();
  EXPECT_TRUE(near(parameter, ones({2}), 0, 0));
  optimizer->zero_grad();
  EXPECT_FALSE(parameter.grad().defined());
}

TEST_P(EveryOptimizer, RefusesWrongParametersAndRates) {
  const std::string name = GetParam().name;
  const Tensor leaf = nn::parameter(ones({2, 3}));
  EXPECT_TRUE(throws<std::invalid_argument>([] { GetParam().make({}, 0.1); }, {name, "no parameters", "XGRAD_MODULE"}));
  EXPECT_TRUE(throws<std::invalid_argument>(
      [&] {
        GetParam().make({leaf, leaf}, 0.1);
      },
      {name, "parameter 1", "(2, 3)", "parameter 0"}));
  EXPECT_TRUE(
      throws<std::invalid_argument>([] { GetParam().make({ones({2}, DType::int64)}, 0.1); }, {name, "(2,)", "int64"}));
  EXPECT_TRUE(throws<std::logic_error>([&] { GetParam().make({leaf * 2}, 0.1); }, {name, "(2, 3)", "result of an op"}));
  EXPECT_TRUE(throws<std::logic_error>([] { GetParam().make({Tensor()}, 0.1); }, {name}));
  for (const double rate : {-0.1, infinity, std::nan("")}) {
    EXPECT_TRUE(throws<std::invalid_argument>([&] { GetParam().make({leaf}, rate); }, {name, "learning_rate"}));
    const auto optimizer = GetParam().make({leaf}, 0.1);
    EXPECT_TRUE(throws<std::invalid_argument>([&] { optimizer->set_learning_rate(rate); }, {name, "learning_rate"}));
    EXPECT_EQ(optimizer->learning_rate(), 0.1);
  }
}

INSTANTIATE_TEST_SUITE_P(Optimizers, EveryOptimizer,
                         testing::Values(Kind{"SGD",
                                              [](const auto& p, double rate) {
                                                return std::make_unique<nn::SGD>(
                                                    p, nn::SGDOptions{.learning_rate = rate, .momentum = 0.9});
                                              }},
                                         Kind{"Adam",
                                              [](const auto& p, double rate) {
                                                return std::make_unique<nn::Adam>(
                                                    p, nn::AdamOptions{.learning_rate = rate, .amsgrad = true});
                                              }},
                                         Kind{"AdamW",
                                              [](const auto& p, double rate) {
                                                return std::make_unique<nn::AdamW>(
                                                    p, nn::AdamWOptions{.learning_rate = rate});
                                              }}),
                         [](const auto& info) { return info.param.name; });

/// Steps of 1, 2, 3, … gradients by a counter as its state; the update of the second parameter throws when told to.
struct Counting : nn::Optimizer {
  explicit Counting(const std::vector<Tensor>& parameters) : Optimizer("Counting", parameters, 0.1) {}
  bool fail = false;
  mutable int asked = 0;

 protected:
  Update update(const Tensor& parameter, const Tensor& gradient, const State& state, std::span<const Tensor>) const override {
    if (++asked == 2 && fail) throw std::runtime_error("no update");
    const Tensor count = state.empty() ? ones({}) : state[0] + 1;
    return {parameter - count * gradient, {count}};
  }
};

TEST(Optimizer, AStepThatFailsChangesNothing) {
  const Tensor first = with_gradient(ones({2}), ones({2})), second = with_gradient(ones({3}), ones({3}));
  Counting optimizer({first, second});
  optimizer.fail = true;
  EXPECT_THROW(optimizer.step(), std::runtime_error);
  EXPECT_TRUE(near(first, ones({2}), 0, 0));
  optimizer.fail = false;
  optimizer.step();  // counts as the first
  EXPECT_TRUE(near(first, zeros({2}), 0, 0));
  EXPECT_TRUE(near(second, zeros({3}), 0, 0));
}

TEST(Optimizer, AsksForAnUpdateOnceForEachStructure) {
  const Tensor first = with_gradient(zeros({2}), ones({2})), second = with_gradient(zeros({1}), ones({1}));
  Counting optimizer({first, second});
  for (int i = 0; i < 4; ++i) optimizer.step();
  EXPECT_EQ(optimizer.asked, 4);  // of the first step, and of those with a state
  EXPECT_TRUE(near(first, full({2}, -10), 0, 0));
  EXPECT_TRUE(near(second, full({1}, -10), 0, 0));
  Tensor(second).zero_grad();
  optimizer.step();
  EXPECT_EQ(optimizer.asked, 5);
  EXPECT_TRUE(near(first, full({2}, -15), 0, 0));
  EXPECT_TRUE(near(second, full({1}, -10), 0, 0));
}

/// Uses the learning rate as a number, and a value of the gradient.
struct Reading : nn::Optimizer {
  explicit Reading(const std::vector<Tensor>& parameters, bool normalise)
      : Optimizer("Reading", parameters, 0.5), normalise(normalise) {}
  bool normalise;

 protected:
  Update update(const Tensor& parameter, const Tensor& gradient, const State&, std::span<const Tensor>) const override {
    return {parameter - learning_rate() * gradient / (normalise ? sum(gradient).item() : 1.0), {}};
  }
};

TEST(Optimizer, FollowsNumbersThatAnUpdateReads) {
  Tensor parameter = with_gradient(zeros({2}), ones({2}));
  Reading rate({parameter}, false);
  rate.step();
  rate.set_learning_rate(0.25);
  rate.step();
  EXPECT_TRUE(near(parameter, full({2}, -0.75), 0, 0));
  Reading norm({parameter}, true);
  norm.step();
  parameter.set_grad(full({2}, 3));
  norm.step();
  EXPECT_TRUE(near(parameter, full({2}, -1.25), 0, 0));
}

/// Steps at random, whatever the gradient.
struct Wandering : nn::Optimizer {
  explicit Wandering(const std::vector<Tensor>& parameters) : Optimizer("Wandering", parameters, 0.1) {}
  mutable Generator generator{1};

 protected:
  Update update(const Tensor& parameter, const Tensor& gradient, const State&, std::span<const Tensor>) const override {
    return {parameter + generator.uniform(gradient.shape()), {}};
  }
};

TEST(Optimizer, DrawsAnewInEachStep) {
  const Tensor parameter = with_gradient(zeros({1}), ones({1}));
  Wandering optimizer({parameter});
  std::vector<double> changes;
  for (int i = 0; i < 3; ++i) {
    const double before = parameter.item();
    optimizer.step();
    changes.push_back(parameter.item() - before);
  }
  EXPECT_GT(std::abs(changes[1] - changes[0]), 1e-4);
  EXPECT_GT(std::abs(changes[2] - changes[1]), 1e-4);
}

TEST(Optimizer, WritesOverValuesThatNobodyElseHolds) {
  Tensor parameter = with_gradient(zeros({1000}), ones({1000}));
  nn::SGD optimizer({parameter}, {.learning_rate = 1, .momentum = 0.5});
  optimizer.step();
  optimizer.step();
  const float* before = parameter.data<float>();
  optimizer.step();
  EXPECT_EQ(parameter.data<float>(), before);

  const Tensor snapshot = parameter.detach(), pending = parameter * 1;
  const float value = snapshot.array<float>()(0);
  optimizer.step();
  EXPECT_TRUE(near(snapshot, full({1000}, value), 0, 0));
  EXPECT_TRUE(near(pending, full({1000}, value), 0, 0));
  EXPECT_LT(parameter.array<float>()(0), value);
}

/// Steps by the inverse of the gradient, which not every gradient has.
struct Inverting : nn::Optimizer {
  explicit Inverting(const std::vector<Tensor>& parameters) : Optimizer("Inverting", parameters, 0.1) {}

 protected:
  Update update(const Tensor& parameter, const Tensor& gradient, const State&, std::span<const Tensor>) const override {
    return {parameter - inv(gradient), {}};
  }
};

TEST(Optimizer, AComputationThatFailsChangesNothing) {
  Tensor first = with_gradient(zeros({2, 2}), eye(2)), second = with_gradient(zeros({3, 3}), eye(3));
  Inverting optimizer({first, second});
  optimizer.step();
  second.set_grad(zeros({3, 3}));
  EXPECT_THROW(optimizer.step(), std::domain_error);
  EXPECT_TRUE(near(first, -1 * eye(2), 0, 0));
  EXPECT_TRUE(near(second, -1 * eye(3), 0, 0));
  second.set_grad(eye(3));
  optimizer.step();
  EXPECT_TRUE(near(first, -2 * eye(2), 0, 0));
}

/// Steps by the inverse of a sum of gradients, which is its state.
struct InvertingSum : nn::Optimizer {
  explicit InvertingSum(const std::vector<Tensor>& parameters) : Optimizer("InvertingSum", parameters, 0.1) {}

 protected:
  Update update(const Tensor& parameter, const Tensor& gradient, const State& state, std::span<const Tensor>) const override {
    const Tensor all = state.empty() ? gradient : state[0] + gradient;
    return {parameter - inv(all), {all}};
  }
};

TEST(Optimizer, AStateThatAFailingComputationReadsIsKept) {
  Tensor parameter = with_gradient(zeros({2, 2}), eye(2));
  InvertingSum optimizer({parameter});
  optimizer.step();
  optimizer.step();  // the sum is 2
  parameter.set_grad(-2 * eye(2));
  EXPECT_THROW(optimizer.step(), std::domain_error);
  parameter.set_grad(2 * eye(2));
  optimizer.step();
  EXPECT_TRUE(near(parameter, -1.75 * eye(2), 0, 0));
}

TEST(Optimizer, KeepsAStateThatIsTheGradient) {
  // The first momentum is the gradient itself, which accumulates on.
  Tensor parameter = nn::parameter(zeros({100}));
  nn::SGD optimizer({parameter}, {.learning_rate = 1, .momentum = 0.5});
  const Tensor factor = full({100}, 2).evaluate();
  for (int i = 0; i < 3; ++i) {
    sum(parameter * factor).backward();  // 2, 4, 6; momenta 2, 5, 8.5
    optimizer.step();
  }
  EXPECT_TRUE(near(parameter, full({100}, -15.5), 0, 0));
  EXPECT_TRUE(near(parameter.grad(), full({100}, 6), 0, 0));
}

TEST(SGD, RefusesWrongOptions) {
  const std::vector<Tensor> p{nn::parameter(ones({1}))};
  EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::SGD(p, {.momentum = -1}); }, {"SGD", "momentum", "-1"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::SGD(p, {.dampening = infinity}); }, {"SGD", "dampening"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::SGD(p, {.weight_decay = -1}); }, {"SGD", "weight_decay"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::SGD(p, {.nesterov = true}); }, {"SGD", "momentum", "Nesterov"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::SGD(p, {.momentum = 0.9, .dampening = 0.1, .nesterov = true}); },
                                            {"SGD", "dampening"}));
}

template <class Optimizer>
void refuses_wrong_options(const std::string& name) {
  const std::vector<Tensor> p{nn::parameter(ones({1}))};
  for (const double beta : {-0.1, 1.0, std::nan("")}) {
    EXPECT_TRUE(throws<std::invalid_argument>([&] { Optimizer(p, {.beta1 = beta}); }, {name + ":", "beta1"}));
    EXPECT_TRUE(throws<std::invalid_argument>([&] { Optimizer(p, {.beta2 = beta}); }, {name + ":", "beta2"}));
  }
  EXPECT_TRUE(throws<std::invalid_argument>([&] { Optimizer(p, {.epsilon = -1}); }, {name + ":", "epsilon"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { Optimizer(p, {.weight_decay = -1}); }, {name + ":", "weight_decay"}));
}

TEST(Adam, RefusesWrongOptions) { refuses_wrong_options<nn::Adam>("Adam"); }
TEST(AdamW, RefusesWrongOptions) { refuses_wrong_options<nn::AdamW>("AdamW"); }

TEST(Adam, CorrectsItsBiasFromTheStepOfEachParameter) {
  // The first step of a parameter has the size of the learning rate, whenever that step is.
  Tensor early = with_gradient(zeros({1}, DType::float64), ones({1})), late = nn::parameter(zeros({1}, DType::float64));
  nn::Adam optimizer({early, late}, {.learning_rate = 0.1});
  for (int i = 0; i < 5; ++i) optimizer.step();
  late.set_grad(full({1}, -3));
  optimizer.step();
  EXPECT_NEAR(late.item(), 0.1, 1e-8);
}

TEST(Schedules, RefuseWrongOptions) {
  nn::SGD optimizer({nn::parameter(ones({1}))}, {.learning_rate = 0.1});
  EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::StepLR(optimizer, 0); }, {"StepLR", "step_size"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::StepLR(optimizer, 1, -1); }, {"StepLR", "gamma"}));
  EXPECT_TRUE(
      throws<std::invalid_argument>([&] { nn::CosineAnnealingLR(optimizer, 0); }, {"CosineAnnealingLR", "t_max"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::CosineAnnealingLR(optimizer, 5, -1); },
                                            {"CosineAnnealingLR", "minimum"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::OneCycleLR(optimizer, 0, 5); }, {"OneCycleLR", "learning rate"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::OneCycleLR(optimizer, 1, 0); }, {"OneCycleLR", "total_steps"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::OneCycleLR(optimizer, 1, 5, {.warm_up = 2}); },
                                            {"OneCycleLR", "warm_up"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::OneCycleLR(optimizer, 1, 5, {.div_factor = 0}); },
                                            {"OneCycleLR", "div_factor"}));
  EXPECT_EQ(optimizer.learning_rate(), 0.1);
}

TEST(OneCycleLR, EndsWithItsCycle) {
  nn::SGD optimizer({nn::parameter(ones({1}))}, {.learning_rate = 0.1});
  nn::OneCycleLR schedule(optimizer, 1, 3);
  for (int i = 0; i < 3; ++i) schedule.step();
  EXPECT_TRUE(throws<std::logic_error>([&] { schedule.step(); }, {"OneCycleLR", "3 steps"}));
  EXPECT_NEAR(optimizer.learning_rate(), 1 / 25.0 / 1e4, 1e-15);
  EXPECT_EQ(schedule.steps(), 3);
}

TEST(ClipGradNorm, DoesNotOverflowInFloat32) {
  const Tensor parameter = with_gradient(ones({2}), full({2}, 3e30));
  EXPECT_NEAR(nn::clip_grad_norm({parameter}, 1) / (3e30 * std::sqrt(2.0)), 1, 1e-6);
  EXPECT_TRUE(near(parameter.grad(), full({2}, std::sqrt(0.5))));
  EXPECT_EQ(parameter.grad().dtype(), DType::float32);
}

TEST(ClipGradNorm, OfNoGradientsIsZero) {
  Tensor frozen = with_gradient(ones({2}), ones({2}));
  frozen.set_requires_grad(false);
  EXPECT_EQ(nn::clip_grad_norm({frozen}, 0.1), 0);
  EXPECT_EQ(nn::clip_grad_norm({nn::parameter(ones({2})), nn::parameter(ones({2}))}, 1), 0);
  EXPECT_EQ(nn::clip_grad_norm({}, 1), 0);
}

TEST(ClipGradNorm, RefusesWrongOptionsAndNormsThatAreNotFinite) {
  const Tensor parameter = with_gradient(ones({2}), Tensor{1.0, infinity});
  EXPECT_TRUE(
      throws<std::invalid_argument>([&] { nn::clip_grad_norm({parameter}, 0); }, {"clip_grad_norm", "max_norm"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::clip_grad_norm({parameter}, 1, {.norm = 0}); },
                                            {"clip_grad_norm", "order"}));
  EXPECT_TRUE(throws<std::runtime_error>([&] { nn::clip_grad_norm({parameter}, 1, {.error_if_not_finite = true}); },
                                         {"clip_grad_norm", "inf"}));
  EXPECT_TRUE(near(parameter.grad(), Tensor{1.0, infinity}, 0, 0));
  EXPECT_THROW(nn::clip_grad_norm({Tensor()}, 1), std::logic_error);
}

TEST(ClipGradValue, ClipsEveryEntry) {
  const Tensor parameter = with_gradient(ones({3}), Tensor{-3.0, 0.5, 2.0});
  nn::clip_grad_value({parameter}, 1);
  EXPECT_TRUE(near(parameter.grad(), Tensor{-1.0, 0.5, 1.0}, 0, 0));
  EXPECT_TRUE(
      throws<std::invalid_argument>([&] { nn::clip_grad_value({parameter}, 0); }, {"clip_grad_value", "positive"}));
}

}  // namespace
