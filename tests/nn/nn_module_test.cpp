// Modules: names, modes, dtypes, state.
#include <array>
#include <memory>
#include <nn/nn.hpp>
#include <optional>

#include <tests/reference/reference.hpp>

using namespace xgrad;
using reference::near;
using reference::throws;

namespace {

struct Classifier : nn::Module {
  nn::Linear hidden{4, 3}, output{3, 2};
  XGRAD_MODULE(hidden, output)
  Tensor operator()(const Tensor& x) const { return output(relu(hidden(x))); }
};

struct Ensemble : nn::Module {
  Tensor scale = nn::parameter(ones({2}));
  std::vector<Classifier> members{2};
  std::array<nn::Linear, 2> heads{nn::Linear(2, 1), nn::Linear(2, 1, {.bias = false})};
  std::vector<Tensor> offsets{nn::parameter(zeros({1})), nn::parameter(zeros({1}))};
  std::unique_ptr<nn::Linear> owned = std::make_unique<nn::Linear>(1, 1);
  std::optional<nn::Linear> absent;
  nn::Sequential tail{nn::Linear(2, 2), nn::ReLU(), nn::Linear(2, 1)};
  XGRAD_MODULE(scale, members, heads, offsets, owned, absent, tail)
};

struct Empty : nn::Module {
  XGRAD_MODULE()
};

std::vector<std::string> names(const nn::NamedTensors& named) {
  std::vector<std::string> result;
  for (const auto& [name, tensor] : named) result.push_back(name);
  return result;
}

std::vector<Tensor> values(const nn::Module& module) {
  std::vector<Tensor> result;
  for (const auto& [name, tensor] : module.state_dict()) result.push_back(tensor);
  return result;
}

void expect_same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(near(a[i], b[i], 0, 0));
}

using Names = std::vector<std::string>;

TEST(Module, NamesItsParametersByPathInOrderOfDeclaration) {
  Classifier model;
  EXPECT_EQ(names(model.named_parameters()), (Names{"hidden.weight", "hidden.bias", "output.weight", "output.bias"}));
  EXPECT_EQ(model.parameters().size(), 4u);
  EXPECT_EQ(model.parameter_count(), 4 * 3 + 3 + 3 * 2 + 2);
  EXPECT_TRUE(model.parameters()[0].is(model.hidden.weight));
}

TEST(Module, TakesTensorsContainersAndPointersAsMembers) {
  const Ensemble model;
  EXPECT_EQ(names(model.named_parameters()), (Names{"scale",
                                                    "members.0.hidden.weight",
                                                    "members.0.hidden.bias",
                                                    "members.0.output.weight",
                                                    "members.0.output.bias",
                                                    "members.1.hidden.weight",
                                                    "members.1.hidden.bias",
                                                    "members.1.output.weight",
                                                    "members.1.output.bias",
                                                    "heads.0.weight",
                                                    "heads.0.bias",
                                                    "heads.1.weight",
                                                    "offsets.0",
                                                    "offsets.1",
                                                    "owned.weight",
                                                    "owned.bias",
                                                    "tail.0.weight",
                                                    "tail.0.bias",
                                                    "tail.2.weight",
                                                    "tail.2.bias"}));
}

TEST(Module, NamesItsDirectChildren) {
  Classifier model;
  const auto children = model.named_children();
  ASSERT_EQ(children.size(), 2u);
  EXPECT_EQ(children[0].first, "hidden");
  EXPECT_EQ(children[1].second, &model.output);
}

TEST(Module, MayHaveNoMembers) {
  EXPECT_TRUE(Empty().parameters().empty());
  EXPECT_TRUE(nn::ReLU().parameters().empty());
}

TEST(Module, ParametersAreFloat32LeavesThatRequireGradients) {
  for (const Tensor& parameter : Classifier().parameters()) {
    EXPECT_TRUE(parameter.is_leaf());
    EXPECT_TRUE(parameter.requires_grad());
    EXPECT_EQ(parameter.dtype(), DType::float32);
  }
}

TEST(Module, ListsASharedParameterOnceButSavesItUnderEachName) {
  Classifier model;
  nn::Sequential tied(nn::Linear(3, 3), nn::Linear(3, 3));
  tied.get<nn::Linear>(1).weight = tied.get<nn::Linear>(0).weight;
  EXPECT_EQ(names(tied.named_parameters()), (Names{"0.weight", "0.bias", "1.bias"}));
  EXPECT_EQ(names(tied.state_dict()), (Names{"0.weight", "0.bias", "1.weight", "1.bias"}));
}

TEST(Module, MovesWithItsParametersAndDoesNotCopy) {
  static_assert(!std::is_copy_constructible_v<Classifier> && !std::is_copy_assignable_v<Classifier>);
  static_assert(std::is_move_constructible_v<Classifier> && std::is_move_assignable_v<Classifier>);
  Classifier model;
  const std::vector<Tensor> before = model.parameters();
  Classifier moved = std::move(model);
  const std::vector<Tensor> after = moved.parameters();
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(before[i].is(after[i]));
}

TEST(Module, TrainAndEvalReachEveryChild) {
  Ensemble model;
  EXPECT_TRUE(model.training());
  model.eval();
  EXPECT_FALSE(model.training());
  EXPECT_FALSE(model.members[1].output.training());
  EXPECT_FALSE(model.owned->training());
  EXPECT_FALSE(model.tail.get<nn::Linear>(2).training());
  model.train();
  EXPECT_TRUE(model.members[1].output.training());
}

TEST(Module, ConvertsItsDtypeForEveryHandle) {
  Classifier model;
  const Tensor weight = model.hidden.weight;
  const Tensor before = weight.detach();
  sum(model(ones({2, 4}))).backward();
  const Tensor gradient = weight.grad();
  model.to(DType::float64);
  EXPECT_EQ(weight.dtype(), DType::float64);
  EXPECT_TRUE(weight.requires_grad());
  EXPECT_TRUE(near(weight, before, 0, 0));
  EXPECT_EQ(weight.grad().dtype(), DType::float64);
  EXPECT_TRUE(near(weight.grad(), gradient, 0, 0));
  EXPECT_EQ(model(ones({2, 4}, DType::float64)).dtype(), DType::float64);
  sum(model(ones({2, 4}))).backward();
  EXPECT_TRUE(near(weight.grad(), 2 * gradient));
  model.to(DType::float32);
  EXPECT_TRUE(near(weight, before, 0, 0));
  EXPECT_EQ(weight.dtype(), DType::float32);
}

TEST(Module, ConvertsFrozenParametersToo) {
  Classifier model;
  sum(model(ones({2, 4}))).backward();
  model.hidden.weight.set_requires_grad(false);
  model.to(DType::float64);
  EXPECT_EQ(model.hidden.weight.dtype(), DType::float64);
  EXPECT_EQ(model.hidden.bias.dtype(), DType::float64);
  EXPECT_FALSE(model.hidden.weight.requires_grad());
  EXPECT_FALSE(model.hidden.weight.grad().defined());
}

TEST(Module, DoesNotBecomeIntegral) {
  Classifier model;
  EXPECT_TRUE(throws<std::invalid_argument>([&] { model.to(DType::int64); }, {"to", "int64"}));
  EXPECT_EQ(model.hidden.weight.dtype(), DType::float32);
}

TEST(Module, ZeroGradDropsGradients) {
  Classifier model;
  sum(model(ones({1, 4}))).backward();
  EXPECT_TRUE(model.output.bias.grad().defined());
  model.zero_grad();
  for (const Tensor& parameter : model.parameters()) EXPECT_FALSE(parameter.grad().defined());
}

TEST(StateDict, IsASnapshot) {
  Classifier model;
  const nn::StateDict state = model.state_dict();
  const std::vector<Tensor> before = values(model);
  model.hidden.bias.assign(full({3}, 7));
  EXPECT_TRUE(near(state[1].second, before[1], 0, 0));
  EXPECT_FALSE(state[1].second.requires_grad());
  model.load_state_dict(state);
  expect_same(values(model), before);
}

TEST(StateDict, LoadsIntoAnotherModelAndCastsToItsDtype) {
  const Classifier from;
  Classifier to;
  const Tensor handle = to.hidden.weight;
  to.to(DType::float64);
  to.load_state_dict(from.state_dict());
  EXPECT_EQ(handle.dtype(), DType::float64);
  EXPECT_TRUE(handle.requires_grad());
  expect_same(values(to), values(from));
}

TEST(StateDict, OrderDoesNotMatter) {
  const Classifier from;
  Classifier to;
  nn::StateDict state = from.state_dict();
  std::reverse(state.begin(), state.end());
  to.load_state_dict(state);
  expect_same(values(to), values(from));
}

struct Refused {
  const char* what;
  std::function<void(nn::StateDict&)> spoil;
  std::vector<std::string> parts;
};

class RefusedState : public testing::TestWithParam<Refused> {};

TEST_P(RefusedState, LeavesTheModelUnchanged) {
  Classifier model;
  const std::vector<Tensor> before = values(model);
  nn::StateDict state = Classifier().state_dict();
  GetParam().spoil(state);
  try {
    model.load_state_dict(state);
    ADD_FAILURE() << "did not throw";
  } catch (const std::logic_error& error) {
    for (const std::string& part : GetParam().parts)
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what() << " lacks " << part;
  }
  expect_same(values(model), before);
}

INSTANTIATE_TEST_SUITE_P(
    StateDict, RefusedState,
    testing::Values(Refused{"Missing", [](auto& s) { s.pop_back(); }, {"load_state_dict", "'output.bias' is missing"}},
                    Refused{"Unknown", [](auto& s) { s.emplace_back("more", ones({1})); }, {"'more' is unknown"}},
                    Refused{"Twice", [](auto& s) { s.push_back(s[0]); }, {"'hidden.weight' is given twice"}},
                    Refused{"Shape", [](auto& s) { s[3].second = ones({3}); }, {"'output.bias'", "(3,)", "(2,)"}},
                    Refused{
                        "Dtype", [](auto& s) { s[3].second = ones({2}, DType::int64); }, {"'output.bias'", "int64"}},
                    Refused{"Several",
                            [](auto& s) {
                              s[0].first = "x";
                              s[3].second = ones({3});
                            },
                            {"'hidden.weight' is missing", "'output.bias'", "'x' is unknown"}},
                    Refused{"Undefined", [](auto& s) { s[3].second = Tensor(); }, {"load_state_dict"}}),
    [](const auto& info) { return info.param.what; });

TEST(StateDict, NotStrictTakesWhatFits) {
  Classifier model;
  const std::vector<Tensor> before = values(model);
  model.load_state_dict({{"output.bias", ones({2})}, {"more", ones({1})}}, {.strict = false});
  EXPECT_TRUE(near(model.output.bias, ones({2}), 0, 0));
  EXPECT_TRUE(near(model.hidden.weight, before[0], 0, 0));
  EXPECT_TRUE(throws<std::invalid_argument>(
      [&] {
        model.load_state_dict({{"output.bias", ones({3})}}, {.strict = false});
      },
      {"'output.bias'"}));
}

TEST(Parameter, IsALeafOfItsOwn) {
  const Tensor start = ones({2});
  Tensor leaf = nn::parameter(start);
  EXPECT_TRUE(leaf.requires_grad());
  leaf.assign(zeros({2}));
  EXPECT_TRUE(near(start, ones({2}), 0, 0));
  EXPECT_FALSE(start.requires_grad());
}

TEST(Parameter, RefusesWhatCarriesNoGradients) {
  EXPECT_TRUE(throws<std::invalid_argument>(
      [] {
        nn::parameter(ones({2, 3}, DType::int64));
      },
      {"parameter", "(2, 3)", "int64"}));
  EXPECT_TRUE(throws<std::logic_error>([] { nn::parameter(Tensor()); }, {"parameter"}));
}

TEST(ParameterSwap, PutsEveryMemberBack) {
  Classifier model;
  const std::vector<Tensor> parameters = model.parameters();
  std::vector<Tensor> others;
  for (const Tensor& parameter : parameters) others.push_back(zeros(parameter.shape()));
  {
    const nn::detail::ParameterSwap swap(model, others);
    EXPECT_TRUE(model.output.bias.is(others[3]));
  }
  EXPECT_TRUE(model.output.bias.is(parameters[3]));
  EXPECT_TRUE(
      throws<std::invalid_argument>([&] { nn::detail::ParameterSwap(model, {}); }, {"0 tensors for 4 parameters"}));
  others[0] = zeros({4, 3});
  EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::detail::ParameterSwap(model, others); }, {"(4, 3)", "(3, 4)"}));
  EXPECT_TRUE(model.output.bias.is(parameters[3]));
}

TEST(Gradcheck, OfAModelPassesAndLeavesItAlone) {
  Classifier model;
  const std::vector<Tensor> parameters = model.parameters(), before = values(model);
  const Tensor x = Generator(1).normal({5, 4}, 0, 1, DType::float64), y = Tensor{0, 1, 1, 0, 1};
  EXPECT_TRUE(nn::gradcheck(model, [&] { return nn::cross_entropy(model(x), y); }));
  expect_same(values(model), before);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    EXPECT_TRUE(model.parameters()[i].is(parameters[i]));
    EXPECT_FALSE(parameters[i].grad().defined());
  }
}

TEST(Gradcheck, OfAModelFailsForAWrongGradient) {
  Classifier model;
  const Tensor x = Generator(1).normal({5, 4}, 0, 1, DType::float64);
  EXPECT_FALSE(nn::gradcheck(model, [&] { return model(x) * model.output.bias.detach(); }));
}

TEST(Gradcheck, OfAModelNamesTheParameter) {
  Classifier model;
  const Tensor x = Generator(1).normal({5, 4}, 0, 1, DType::float64);
  const auto wrong = [&] { return model(x) + 0.5 * sum(model.hidden.weight).detach(); };
  EXPECT_NE(nn::gradcheck(model, wrong).report().find("\n  hidden.weight of shape "), std::string::npos);
  EXPECT_NE(nn::gradcheck(model, wrong, {.fast = true}).report().find("\n  hidden.weight of shape "), std::string::npos);
}

TEST(Gradgradcheck, OfAModelChecksSecondDerivatives) {
  Classifier model;
  const Tensor x = Generator(1).normal({5, 4}, 0, 1, DType::float64);
  EXPECT_TRUE(nn::gradgradcheck(model, [&] { return mean(square(model(x))); }));
  const GradcheckResult result = nn::gradgradcheck(model, [&] { return mean(exp(model(x)) * (1 + model.output.bias.detach())); });
  EXPECT_FALSE(result);
  EXPECT_NE(result.report().find("gradient of output.bias, index ("), std::string::npos) << result;
}

}  // namespace
