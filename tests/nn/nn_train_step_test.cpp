// Steps that are captured against the loop they stand for.
#include <nn/nn.hpp>

#include <tests/reference/reference.hpp>

using namespace xgrad;
using reference::near;
using reference::throws;

namespace {

struct Network : nn::Module {
  nn::Linear hidden{5, 7}, output{7, 3};
  XGRAD_MODULE(hidden, output)
  Tensor operator()(const Tensor& x) const { return output(relu(hidden(x))); }
};

/// A model with an optimiser, trained by a loop or by captured steps.
struct Training {
  explicit Training(const std::string& name, double rate = 0.05) {
    manual_seed(11);
    network = std::make_unique<Network>();
    const std::vector<Tensor> parameters = network->parameters();
    if (name == "SGD") optimizer = std::make_unique<nn::SGD>(parameters, nn::SGDOptions{.learning_rate = rate});
    if (name == "momentum") optimizer = std::make_unique<nn::SGD>(parameters, nn::SGDOptions{.learning_rate = rate, .momentum = 0.9});
    if (name == "Adam") optimizer = std::make_unique<nn::Adam>(parameters, nn::AdamOptions{.learning_rate = rate, .amsgrad = true});
    if (name == "AdamW") optimizer = std::make_unique<nn::AdamW>(parameters, nn::AdamWOptions{.learning_rate = rate});
    captured = std::make_unique<nn::TrainStep>(*optimizer, [this](const Tensor& x, const Tensor& y) { return loss(x, y); },
                                               JitOptions{.verify = false});
  }
  Tensor loss(const Tensor& x, const Tensor& y) const {
    ++calls;
    return nn::cross_entropy((*network)(x), y);
  }
  Tensor by_loop(const Tensor& x, const Tensor& y) {
    optimizer->zero_grad();
    const Tensor value = loss(x, y);
    value.backward();
    optimizer->step();
    return value.detach();
  }
  mutable int calls = 0;
  std::unique_ptr<Network> network;
  std::unique_ptr<nn::Optimizer> optimizer;
  std::unique_ptr<nn::TrainStep> captured;
};

std::pair<Tensor, Tensor> batch(std::uint64_t seed, std::int64_t n = 4) {
  Generator generator(seed);
  return {generator.normal({n, 5}), generator.integers({n}, 0, 3)};
}

void expect_same(const Training& a, const Training& b, double tolerance = 1e-6) {
  const nn::NamedTensors of_a = a.network->named_parameters(), of_b = b.network->named_parameters();
  for (std::size_t i = 0; i < of_a.size(); ++i) EXPECT_TRUE(near(of_a[i].second, of_b[i].second, tolerance, tolerance)) << of_a[i].first;
}

TEST(TrainStep, DoesWhatTheLoopDoes) {
  for (const std::string name : {"SGD", "momentum", "Adam", "AdamW"}) {
    SCOPED_TRACE(name);
    Training loop(name), captured(name);
    for (std::uint64_t i = 0; i < 12; ++i) {
      const auto [x, y] = batch(i, i % 3 == 2 ? 2 : 4);  // two shapes
      EXPECT_TRUE(near((*captured.captured)(x, y), loop.by_loop(x, y), 1e-6, 1e-6)) << i;
    }
    expect_same(captured, loop);
    EXPECT_LE(captured.calls, 4);  // two shapes, without states and with them
    EXPECT_FALSE(captured.network->hidden.weight.grad().defined());
  }
}

TEST(TrainStep, MayTakeTurnsWithTheLoop) {
  Training loop("Adam"), mixed("Adam");
  for (std::uint64_t i = 0; i < 12; ++i) {
    const auto [x, y] = batch(i);
    loop.by_loop(x, y);
    if (i % 3 == 1) mixed.by_loop(x, y);
    else (*mixed.captured)(x, y);
  }
  expect_same(mixed, loop);
}

TEST(TrainStep, FollowsTheLearningRateAndAssignedParameters) {
  Training loop("momentum"), captured("momentum");
  for (std::uint64_t i = 0; i < 8; ++i) {
    const auto [x, y] = batch(i);
    for (Training* training : {&loop, &captured}) {
      if (i == 3) training->optimizer->set_learning_rate(0.01);
      if (i == 5) training->network->output.bias.assign(xt::xarray<float>{1, 0, -1});
    }
    loop.by_loop(x, y);
    (*captured.captured)(x, y);
  }
  expect_same(captured, loop);
  EXPECT_LE(captured.calls, 2);
}

TEST(TrainStep, LeavesFrozenAndUnusedParametersAlone) {
  Training loop("momentum"), captured("momentum");
  for (Training* training : {&loop, &captured}) training->network->hidden.weight.set_requires_grad(false);
  for (std::uint64_t i = 0; i < 4; ++i) {
    const auto [x, y] = batch(i);
    if (i == 2)
      for (Training* training : {&loop, &captured}) training->network->hidden.weight.set_requires_grad();
    loop.by_loop(x, y);
    (*captured.captured)(x, y);
  }
  expect_same(captured, loop);

  Tensor used = nn::parameter(ones({2})), unused = nn::parameter(ones({2}));
  nn::Adam optimizer({unused, used}, {.learning_rate = 0.5});
  nn::TrainStep step(optimizer, [&](const Tensor& x) { return sum(used * x); });
  for (int i = 0; i < 3; ++i) step(ones({2}));
  EXPECT_TRUE(near(unused, ones({2}), 0, 0));
  EXPECT_TRUE(near(used, full({2}, -0.5), 1e-5, 1e-5));
}

TEST(TrainStep, ALeafBesideTheParametersHasItsValueOfNow) {
  Tensor parameter = nn::parameter(ones({2})), other = nn::parameter(ones({2}));
  nn::SGD optimizer({parameter}, {.learning_rate = 1}), others({other});
  nn::TrainStep step(optimizer, [&](const Tensor& x) { return sum(parameter * x * other); });
  step(ones({2}));
  other.assign(full({2}, 3));
  step(ones({2}));
  EXPECT_TRUE(near(parameter, full({2}, -3), 0, 0));
  EXPECT_FALSE(other.grad().defined());
}

TEST(TrainStep, SeesTargetsToIgnore) {
  Training loop("SGD"), captured("SGD");
  const auto [x, y] = batch(1);
  const Tensor some = xt::xarray<std::int64_t>{0, -100, 2, -100}, one = xt::xarray<std::int64_t>{-100, 1, 2, 0};
  for (const Tensor& targets : {y, some, one, y, some}) EXPECT_TRUE(near((*captured.captured)(x, targets), loop.by_loop(x, targets), 1e-6, 1e-6));
  expect_same(captured, loop);
  EXPECT_EQ(captured.calls, 2);
}

TEST(TrainStep, AStepThatThrowsChangesNothing) {
  Training training("momentum");
  const auto [x, y] = batch(1);
  for (int i = 0; i < 3; ++i) (*training.captured)(x, y);
  const nn::StateDict before = training.network->state_dict();
  const Tensor wrong = xt::xarray<std::int64_t>{0, 1, 2, 3};
  EXPECT_TRUE(throws<std::out_of_range>([&] { (*training.captured)(x, wrong); }, {"cross_entropy", "target 3", "element 3"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { (*training.captured)(x); }, {"TrainStep", "1 tensors", "of 2"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { (*training.captured)(zeros({4, 6}), y); }, {"Linear", "(4, 6)"}));
  const nn::StateDict after = training.network->state_dict();
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(near(after[i].second, before[i].second, 0, 0)) << before[i].first;

  // An op that fails as it runs, behind which parameters are written over.
  const auto trained = [](bool fails) {
    const std::vector<Tensor> parameters{nn::parameter(eye(2)), nn::parameter(full({300}, 0.5))};
    nn::SGD optimizer(parameters, {.learning_rate = 0.1, .momentum = 0.5});
    nn::TrainStep step(optimizer, [&](const Tensor& a) { return sum(matmul(inv(a), parameters[0])) + sum(square(parameters[1])); });
    for (int i = 0; i < 6; ++i) {
      if (fails && i == 4) {
        EXPECT_TRUE(throws<std::domain_error>([&] { step(zeros({2, 2})); }, {"inv"}));
      }
      step(eye(2));
    }
    return parameters;
  };
  const std::vector<Tensor> with_failure = trained(true), without = trained(false);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_TRUE(near(with_failure[i], without[i], 0, 0));
}

TEST(TrainStep, AValueRefusedInOneStepChangesNothing) {
  // All later steps, and so the states that they go by, are what they are without the step that throws.
  const auto trained = [](const auto& loss, const Tensor& x, const Tensor& y, const Tensor& wrong, int failing) {
    manual_seed(5);
    nn::Linear layer(3, 3);
    nn::Adam optimizer(layer.parameters(), {.learning_rate = 0.05});
    nn::TrainStep step(optimizer, [&](const Tensor& a, const Tensor& b) { return loss(layer(a), b); });
    for (int i = 0; i < 8; ++i) {
      if (i == failing) {
        EXPECT_THROW(step(x, wrong), std::exception);
        EXPECT_THROW(step(wrong, y), std::exception);
      }
      step(x, y);
    }
    return layer.state_dict();
  };
  const auto same = [&](const auto& loss, const Tensor& x, const Tensor& y, const Tensor& wrong) {
    const nn::StateDict expected = trained(loss, x, y, wrong, -1);
    for (const int failing : {0, 1, 4}) {
      const nn::StateDict state = trained(loss, x, y, wrong, failing);
      ASSERT_EQ(state.size(), expected.size());
      for (std::size_t i = 0; i < state.size(); ++i) EXPECT_TRUE(near(state[i].second, expected[i].second, 0, 0)) << state[i].first << ", " << failing;
    }
  };
  Generator generator(3);
  const Tensor x = generator.normal({4, 3}), y = generator.uniform({4, 3});
  const Tensor wrong = full({4, 3}, NAN);
  same([](const Tensor& out, const Tensor& t) { return nn::binary_cross_entropy(sigmoid(out) + 0 * t, t); }, x, y, wrong);
  same([](const Tensor& out, const Tensor& t) { return sum(expm(matmul(transpose(out), out)) * 0.001) + sum(inv(eye(4) + 0 * matmul(t, transpose(t)))); }, x, y, wrong);
  same([](const Tensor& out, const Tensor& t) { return nn::cross_entropy(out, argmax(t, 1) + 5 * any(isnan(t + out.detach())).to(DType::int64)); }, x, y, wrong);
}

TEST(TrainStep, RefusesLossesThatCannotBeCaptured) {
  Tensor parameter = nn::parameter(ones({2}));
  nn::SGD optimizer({parameter}, {.learning_rate = 1});
  Generator generator(1);
  const auto refused = [&]<class E>(E, const auto& loss, std::initializer_list<std::string> texts) {
    nn::TrainStep step(optimizer, loss);
    EXPECT_TRUE(throws<E>([&] { step(ones({2})); }, texts));
    EXPECT_TRUE(near(parameter, ones({2}), 0, 0));
  };
  refused(std::logic_error(""), [&](const Tensor& x) { return sum(parameter * x) * sum(x).item(); }, {"TrainStep", "reads a value"});
  refused(std::logic_error(""), [&](const Tensor& x) { return sum(parameter * x * generator.uniform({2})); }, {"TrainStep", "random"});
  refused(std::logic_error(""), [&](const Tensor& x) { return sum(x); }, {"TrainStep", "no parameter"});
  refused(std::invalid_argument(""), [&](const Tensor& x) { return parameter * x; }, {"TrainStep", "(2,)", "one element"});
  refused(std::invalid_argument(""), [&](const Tensor& x) { return sum(x * parameter) > 0; }, {"TrainStep", "bool"});
  parameter.set_requires_grad(false);
  refused(std::logic_error(""), [&](const Tensor& x) { return sum(parameter * x); }, {"TrainStep", "requires gradients"});
}

TEST(TrainStep, TakesVectorsAndNothing) {
  Tensor parameter = nn::parameter(ones({2}));
  nn::SGD optimizer({parameter}, {.learning_rate = 1});
  nn::TrainStep of_many(optimizer, [&](const std::vector<Tensor>& x) { return sum(parameter * x[0] * x[1] * x[2] * x[3] * x[4]); });
  of_many(std::vector<Tensor>(5, full({2}, 1)));
  EXPECT_TRUE(near(parameter, zeros({2}), 0, 0));
  nn::TrainStep of_none(optimizer, [&](const std::vector<Tensor>&) { return sum(parameter); });
  of_none();
  EXPECT_TRUE(near(parameter, full({2}, -1), 0, 0));
}

TEST(TrainStep, WritesOverParametersAndHoldsNoMoreThanTheLoop) {
  const auto peak = [](bool captured) {
    manual_seed(1);
    nn::Linear wide(300, 300);
    nn::Adam optimizer(wide.parameters());
    nn::TrainStep step(optimizer, [&](const Tensor& x) { return sum(square(wide(x))); });
    const Tensor x = Generator(2).normal({8, 300});
    const auto run = [&] {
      if (captured) {
        step(x);
        return;
      }
      optimizer.zero_grad();
      const Tensor loss = sum(square(wide(x)));
      loss.backward();
      optimizer.step();
    };
    for (int i = 0; i < 3; ++i) run();
    const float* before = wide.weight.data<float>();
    reset_peak_memory_statistics();
    run();
    EXPECT_EQ(wide.weight.data<float>(), before);
    return memory_statistics().peak_in_use;
  };
  const std::size_t loop = peak(false), captured = peak(true);
  EXPECT_LE(captured, loop + 4096);
}

TEST(TrainStep, AsksTheSystemForNothingOnceItIsWarm) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "under AddressSanitizer there is no pool to count";
#endif
  Training training("Adam");
  const auto [x, y] = batch(1);
  for (int i = 0; i < 5; ++i) (*training.captured)(x, y);
  const std::size_t before = memory_statistics().system_allocations;
  for (int i = 0; i < 5; ++i) (*training.captured)(x, y);
  EXPECT_EQ(memory_statistics().system_allocations, before);
}

TEST(TrainStep, PlansOfManyBatchSizesAreKept) {
  nn::Linear layer(3, 2);
  nn::SGD optimizer(layer.parameters(), {.learning_rate = 1e-3});
  int calls = 0;
  nn::TrainStep step(
      optimizer,
      [&](const Tensor& x) {
        ++calls;
        return mean(square(layer(x)));
      },
      {.verify = false});
  const auto all_sizes = [&] {
    for (std::int64_t size = 1; size <= 100; ++size) step(ones({size, 3}));
    return std::exchange(calls, 0);
  };
  all_sizes();
  all_sizes();  // a second time what is recorded is compared, if at all
  EXPECT_EQ(all_sizes(), 0);
}

TEST(TrainStep, StepsOpByOpInAnomalyMode) {
  Training loop("momentum"), captured("momentum");
  const auto [x, y] = batch(1);
  for (int i = 0; i < 3; ++i) {
    loop.by_loop(x, y);
    (*captured.captured)(x, y);
  }
  {
    const AnomalyMode watch;
    loop.by_loop(x, y);
    (*captured.captured)(x, y);
  }
  expect_same(captured, loop);
  EXPECT_EQ(captured.calls, 3);
}

TEST(TrainStep, ARecordingMadeBeforeKeepsItsValues) {
  Tensor parameter = nn::parameter(ones({300}));
  nn::SGD optimizer({parameter}, {.learning_rate = 1});
  nn::TrainStep step(optimizer, [&](const Tensor& x) { return sum(parameter * x); });
  for (int i = 0; i < 2; ++i) step(ones({300}));
  const Tensor pending = parameter * 1, snapshot = parameter.detach();
  step(ones({300}));
  EXPECT_TRUE(near(pending, full({300}, -1), 0, 0));
  EXPECT_TRUE(near(snapshot, full({300}, -1), 0, 0));
  EXPECT_TRUE(near(parameter, full({300}, -2), 0, 0));
}

}  // namespace
