// Leaves that change while a backward is pending: its gradient stays that of what was computed.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <nn/nn.hpp>
#include <string>
#include <tests/support/values.hpp>
#include <utility>

using namespace xgrad;
using namespace xgrad::test;

namespace {

const Values old_value{1, -2, 3, 0.5}, new_value{5, 6, -7, 8};

Tensor matrix(const Values& x) { return Tensor(xt::adapt(x, {2, 2})); }

const std::vector<std::pair<std::string, std::function<Tensor(const Tensor&)>>>& functions() {
  static const std::vector<std::pair<std::string, std::function<Tensor(const Tensor&)>>> all{
      {"elementwise", [](const Tensor& x) { return sum(exp(x) * x); }},
      {"square", [](const Tensor& x) { return sum(x * x); }},
      {"matmul", [](const Tensor& x) { return sum(matmul(x, transpose(x))); }},
      {"inv", [](const Tensor& x) { return sum(inv(x)); }},
      {"views", [](const Tensor& x) { return sum(square(transpose(x).slice(0)) * x.reshape({4}).slice(xt::range(1, 3))); }},
      {"max", [](const Tensor& x) { return sum(square(max(x, 1))); }},
      {"softmax", [](const Tensor& x) { return sum(square(softmax(x))); }},
      {"prod", [](const Tensor& x) { return prod(x); }},
      {"take", [](const Tensor& x) { return sum(power(take(x, Tensor{1, 1}), 3)); }},
      {"concatenate", [](const Tensor& x) { return sum(square(concatenate({x, x * x}))); }},
      {"checkpoint", [](const Tensor& x) { return checkpoint([](const std::vector<Tensor>& in) { return sum(exp(in[0])); }, {x}); }},
      {"where", [](const Tensor& x) { return sum(where(x > 0, x * x, -x)); }},
  };
  return all;
}

TEST(PendingBackward, IsOfTheValueBeforeAnAssignment) {
  for (const auto& [name, f] : functions()) {
    const Tensor before = matrix(old_value);
    const Values expected = values(grad(f)(before));
    const double value = f(before).item();
    Tensor x = matrix(old_value).set_requires_grad();
    const Tensor y = f(x);
    x.assign(matrix(new_value));
    y.backward();
    EXPECT_EQ(values(x.grad()), expected) << name;
    EXPECT_EQ(y.item(), value) << name;
    EXPECT_EQ(values(x), new_value) << name;
    x.zero_grad();
    f(x).backward();
    EXPECT_EQ(values(x.grad()), values(grad(f)(matrix(new_value)))) << name;
  }
}

TEST(PendingBackward, MayFollowAnother) {
  for (const auto& [name, f] : functions()) {
    Tensor x = matrix(old_value).set_requires_grad();
    const Tensor y = f(x);
    y.backward({}, true);
    const Values expected = values(x.grad());
    for (int i = 0; i < 3; ++i) {
      x.assign(x + 1);
      x.zero_grad();
      y.backward({}, true);
      EXPECT_EQ(values(x.grad()), expected) << name;
    }
  }
}

TEST(PendingBackward, OfSecondOrderIsOfTheValueBefore) {
  for (const auto& [name, f] : functions()) {
    Tensor x = matrix(old_value).set_requires_grad();
    const Tensor expected = hvp(f, matrix(old_value), ones({2, 2}, DType::float64));
    const Tensor slope = grad(f(x), x, {.create_graph = true});
    x.assign(matrix(new_value));
    if (!slope.requires_grad()) continue;
    expect_near(grad(sum(slope), x), values(expected), 1e-10);
  }
}

/// The optimisers, whose steps replace values in place where nobody needs the old ones.
std::unique_ptr<nn::Optimizer> make_optimizer(int kind, const std::vector<Tensor>& parameters) {
  if (kind == 0) return std::make_unique<nn::SGD>(parameters, nn::SGDOptions{.learning_rate = 0.1});
  if (kind == 1) return std::make_unique<nn::SGD>(parameters, nn::SGDOptions{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true});
  if (kind == 2) return std::make_unique<nn::Adam>(parameters, nn::AdamOptions{.learning_rate = 0.1});
  return std::make_unique<nn::AdamW>(parameters, nn::AdamWOptions{.learning_rate = 0.1});
}

std::vector<Values> gradients_of(const nn::Module& model) {
  std::vector<Values> result;
  for (const Tensor& parameter : model.parameters()) result.push_back(values(parameter.grad()));
  return result;
}

TEST(PendingBackward, IsOfTheParametersBeforeAStep) {
  const Tensor x = Generator(1).normal({6, 3}), y = Generator(2).normal({6, 2});
  for (int kind = 0; kind < 4; ++kind) {
    nn::Linear model(3, 2);
    const auto optimizer = make_optimizer(kind, model.parameters());
    for (int i = 0; i < 5; ++i) {  // the first step records, those after it run its plan
      const Tensor loss = nn::mse_loss(tanh(model(x)), y);
      optimizer->zero_grad();
      loss.backward({}, true);
      const std::vector<Values> expected = gradients_of(model);
      const Values parameters = values(model.weight), value = values(loss);
      optimizer->step();
      EXPECT_NE(values(model.weight), parameters) << kind;
      optimizer->zero_grad();
      loss.backward();
      EXPECT_EQ(gradients_of(model), expected) << kind << ", step " << i;
      EXPECT_EQ(values(loss), value);
    }
  }
}

TEST(PendingBackward, IsOfTheParametersBeforeAStepThatNothingWasReadBefore) {
  const Tensor x = Generator(1).normal({6, 3}), y = Generator(2).normal({6, 2});
  for (int kind = 0; kind < 4; ++kind) {
    nn::Linear model(3, 2);
    const auto optimizer = make_optimizer(kind, model.parameters());
    for (int i = 0; i < 5; ++i) {
      optimizer->zero_grad();
      nn::mse_loss(tanh(model(x)), y).backward();
      const std::vector<Values> expected = gradients_of(model);
      const Tensor loss = nn::mse_loss(tanh(model(x)), y);
      optimizer->step();
      optimizer->zero_grad();
      loss.backward();  // computes the forward pass, too
      EXPECT_EQ(gradients_of(model), expected) << kind << ", step " << i;
    }
  }
}

TEST(PendingBackward, IsOfTheParametersBeforeOthersAreLoaded) {
  const Tensor x = Generator(1).normal({6, 3});
  nn::Linear model(3, 2), other(3, 2);
  const Tensor loss = sum(square(model(x)));
  loss.backward({}, true);
  const std::vector<Values> expected = gradients_of(model);
  model.load_state_dict(other.state_dict());
  model.zero_grad();
  loss.backward();
  EXPECT_EQ(gradients_of(model), expected);
  EXPECT_EQ(values(model.weight), values(other.weight));
}

TEST(PendingBackward, SurvivesAssignmentsThatAreRefused) {
  Tensor x = matrix(old_value).set_requires_grad();
  const Tensor h = x * 2, y = sum(h * x);
  EXPECT_EQ(message_of<std::invalid_argument>([&] { x.assign(ones({4})); }), "assign: a value of shape (4,) for a leaf of shape (2, 2)");
  EXPECT_EQ(message_of<std::logic_error>([&] { Tensor(h).assign(x); }),
            "assign: the tensor of shape (2, 2) is the result of 'multiply'; only leaves can be changed, take detach() of it");
  y.backward();
  EXPECT_EQ(values(x.grad()), (Values{4, -8, 12, 2}));
}

TEST(PendingBackward, IsUntouchedByAnAssignmentOfAnotherDtype) {
  Tensor x = matrix(old_value).set_requires_grad();
  const Tensor y = sum(x * x);
  x.assign(Tensor{{1, 2}, {3, 4}});  // int64, cast to the leaf's dtype
  EXPECT_EQ(x.dtype(), DType::float64);
  EXPECT_EQ(values(x), (Values{1, 2, 3, 4}));
  y.backward();
  EXPECT_EQ(values(x.grad()), (Values{2, -4, 6, 1}));
}

}  // namespace
