// Messages name the function that was called, with the caller's shapes, and the place of the call.
#include <gtest/gtest.h>

#include <functional>
#include <nn/nn.hpp>
#include <sstream>
#include <string>
#include <tests/support/throws.hpp>

using namespace xgrad;
using test::throws;

namespace {

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing thrown";
}

struct Case {
  std::string start;
  std::function<void()> call;
  std::vector<std::string> parts = {};
};

void expect_messages(const std::vector<Case>& cases) {
  for (const auto& [start, call, parts] : cases) {
    const std::string message = message_of(call);
    EXPECT_EQ(message.find(start + ": "), 0u) << start << ": " << message;
    for (const std::string& part : parts) EXPECT_NE(message.find(part), std::string::npos) << message << " lacks " << part;
  }
}

const Tensor a = ones({2, 3}), b = ones({4, 5}), v = ones({3}), none;

TEST(Messages, NameTheFunctionThatIsMadeOfOthers) {
  const Tensor mask = ones({4}, DType::bool_), yes = ones({2, 3}, DType::bool_);
  expect_messages({{"any", [&] { any(a, 2); }, {"(2, 3)"}},
                   {"all", [&] { all(a, 2); }, {"(2, 3)"}},
                   {"stddev", [&] { stddev(a, 2); }, {"(2, 3)"}},
                   {"norm", [&] { norm(a, 2, 2); }, {"(2, 3)"}},
                   {"median", [&] { median(a, 2); }, {"(2, 3)"}},
                   {"prod", [&] { prod(a, 2); }, {"(2, 3)"}},
                   {"copysign", [&] { copysign(a, b); }, {"(2, 3)", "(4, 5)"}},
                   {"logical_and", [&] { logical_and(a, b); }, {"(2, 3)", "(4, 5)"}},
                   {"logical_or", [&] { logical_or(a, b); }, {"(2, 3)", "(4, 5)"}},
                   {"logical_xor", [&] { logical_xor(a, b); }, {"(2, 3)", "(4, 5)"}},
                   {"lerp", [&] { lerp(a, b, 1); }, {"(2, 3)", "(4, 5)"}},
                   {"lerp", [&] { lerp(a, 1, b); }, {"(2, 3)", "(4, 5)"}},
                   {"masked_fill", [&] { masked_fill(a, mask, 1); }, {"(2, 3)", "(4,)"}},
                   {"masked_fill", [&] { masked_fill(a, yes, b); }, {"(2, 3)", "(4, 5)"}},
                   {"masked_select", [&] { masked_select(a, mask); }, {"(2, 3)", "(4,)"}}});
}

TEST(Messages, NameTheFunctionThatWasGivenAnUndefinedTensor) {
  expect_messages({{"argmax", [] { argmax(none); }},
                   {"argmin", [] { argmin(none); }},
                   {"array", [] { none.array<float>(); }},
                   {"data", [] { none.data<float>(); }},
                   {"hessian", [] { hessian([](const Tensor& t) { return sum(t); }, none); }},
                   {"jacobian", [] { jacobian([](const Tensor& t) { return t; }, none); }},
                   {"hvp", [] { hvp([](const Tensor& t) { return sum(t); }, none, v); }},
                   {"Linear", [] { nn::Linear(3, 2)(none); }},
                   {"leaky_relu", [] { nn::leaky_relu(none); }},
                   {"elu", [] { nn::elu(none); }},
                   {"gelu", [] { nn::gelu(none); }},
                   {"silu", [] { nn::silu(none); }},
                   {"softplus", [] { nn::softplus(none, {}); }},
                   {"mse_loss", [] { nn::mse_loss(none, v); }},
                   {"Scaling", [] { nn::Scaling(none, v); }},
                   {"Scaling", [] { nn::Scaling(v, v)(none); }},
                   {"Scaling::inverse", [] { nn::Scaling(v, v).inverse(none); }},
                   {"Standardize", [] { nn::Standardize{none}; }},
                   {"Normalize", [] { nn::Normalize{none}; }},
                   {"logical_and", [] { none && v; }},
                   {"add", [] { none + v; }}});
}

TEST(Messages, NameTheFunctionThatWasGivenNoFunction) {
  const TensorFunction empty;
  const UnaryFunction unary;
  nn::Linear model(3, 2);
  nn::SGD optimizer(model.parameters());
  expect_messages({{"value_and_grad", [&] { value_and_grad(empty); }},
                   {"grad", [&] { grad(unary); }},
                   {"vjp", [&] { vjp(empty, {v}); }},
                   {"jvp", [&] { jvp(empty, {v}, {v}); }},
                   {"jacobian", [&] { jacobian(unary, v); }},
                   {"hessian", [&] { hessian(unary, v); }},
                   {"hvp", [&] { hvp(unary, v, v); }},
                   {"checkpoint", [&] { checkpoint(empty, {v}); }},
                   {"custom_function", [&] { custom_function(empty, {}); }},
                   {"with_hook", [&] { with_hook(v, unary); }},
                   {"custom_root", [&] { custom_root({}, empty); }},
                   {"fixed_point", [&] { fixed_point({}, empty); }},
                   {"vmap", [&] { vmap(unary); }},
                   {"jit", [&] { jit(unary); }},
                   {"gradcheck", [&] { gradcheck(empty, {v}); }},
                   {"gradgradcheck", [&] { gradgradcheck(empty, {v}); }},
                   {"TrainStep", [&] { nn::TrainStep(optimizer, unary); }},
                   {"nn::gradcheck", [&] { nn::gradcheck(model, {}); }}});
}

TEST(Messages, NameThePlaceOfTheCall) {
  const auto here = [](int line) { return "(" + std::string(__FILE__) + ":" + std::to_string(line) + ")"; };
  const std::vector<std::pair<int, std::function<void()>>> calls{
      {__LINE__, [] { a + b; }},
      {__LINE__, [] { exp(none); }},
      {__LINE__, [] { sum(a, 2); }},
      {__LINE__, [] { stddev(exp(a), 7); }},
      {__LINE__, [] { nn::Linear(3, 2)(ones({2, 5})); }},
      {__LINE__, [] { nn::mse_loss(none, a); }},
      {__LINE__, [] { log(a) * exp(b); }},
      {__LINE__, [] { where(a > 0, a, b); }},
  };
  for (const auto& [line, call] : calls) EXPECT_NE(message_of(call).find(here(line)), std::string::npos) << message_of(call) << " lacks " << here(line);
  sum(a);
  EXPECT_EQ(message_of([] { Tensor().evaluate(); }).find(__FILE__), std::string::npos) << "no call is under way";
}

TEST(Messages, SayWhatAnUndefinedGradientIs) {
  Tensor w = Tensor{1.0, 2.0}.set_requires_grad();
  const auto steps = [&] {
    for (int i = 0; i < 2; ++i) {
      sum(w * w).backward();
      w = w - 0.1 * w.grad();
    }
  };
  EXPECT_TRUE(throws<std::logic_error>(steps, {"multiply: the tensor is undefined", "grad()", "w.assign(w - g)", "optimiser"}));
}

TEST(Messages, SayHowFloatingLabelsBecomeIndices) {
  const Tensor labels{1.0f, 0.0f};
  EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::cross_entropy(a, labels); }, {"cross_entropy", "to(DType::int64)"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::nll_loss(a, labels); }, {"nll_loss", "to(DType::int64)"}));
}

TEST(Messages, OfALayerNameBothDtypesAndTheWaysOut) {
  nn::Linear layer(3, 2);
  EXPECT_TRUE(throws<std::invalid_argument>([&] { layer(ones({4, 3}, DType::float64)); },
                                            {"Linear", "(4, 3)", "float64", "float32", "to(DType::float32)", "model.to(DType::float64)"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { layer(ones({4, 3}, DType::int64)); }, {"Linear", "int64", "to(DType::float32)"}));
  layer.to(DType::float64);
  EXPECT_EQ(layer(ones({4, 3}, DType::float64)).dtype(), DType::float64);
  EXPECT_EQ(layer(ones({4, 3})).dtype(), DType::float64) << "nothing gets wider than the model";
  const nn::Linear moved = std::move(layer);
  EXPECT_TRUE(throws<std::logic_error>([&] { layer(ones({4, 3})); }, {"Linear", "moved from"}));
}

struct Pair : nn::Module {
  nn::Linear hidden{2, 16}, output{16, 2, {.bias = false}};
  XGRAD_MODULE(hidden, output)
};

TEST(Messages, AModuleIsPrintedAsATableOfItsParameters) {
  Pair model;
  model.output.weight.set_requires_grad(false);
  std::ostringstream text;
  text << model;
  EXPECT_EQ(text.str(),
            "hidden.weight  (16, 2)  float32\n"
            "hidden.bias    (16,)    float32\n"
            "output.weight  (2, 16)  float32  frozen\n"
            "80 parameters\n");
}

}  // namespace
