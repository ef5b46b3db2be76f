// What a captured function froze: with `verify`, a run that would compute something else than a call throws.
#include <gtest/gtest.h>

#include <nn/nn.hpp>
#include <tests/support/throws.hpp>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

constexpr JitOptions verified{.verify = true};

TEST(Verify, NamesANumberThatChanged) {
  double rate = 0.5;
  const auto f = jit([&](const Tensor& x) { return x * rate; }, verified);
  const Tensor x{1.0, 2.0, 3.0};
  expect_near(f(x), {0.5, 1, 1.5});
  expect_near(f(Tensor{4.0, 2.0, 3.0}), {2, 1, 1.5});
  rate = 0.25;
  EXPECT_TRUE(throws<std::logic_error>([&] { f(x); }, {"jit", "(3,) float64", "was 0.5 and is 0.25 now", "argument"}));
  rate = 0.5;
  expect_near(f(x), {0.5, 1, 1.5});
}

TEST(Verify, NamesAnOpThatIsAnother) {
  bool squared = false;
  std::int64_t row = 0, axis = 0;
  const auto f = jit([&](const Tensor& x) { return sum(squared ? square(x) : abs(x)); }, verified);
  const auto g = jit([&](const Tensor& x) { return x.slice(row) * 2; }, verified);
  const auto h = jit([&](const Tensor& x) { return sum(x, axis); }, verified);
  const Tensor x = numbered({2, 2});
  f(x), g(x), h(x);
  f(x), g(x), h(x);
  squared = true, row = 1, axis = 1;
  EXPECT_TRUE(throws<std::logic_error>([&] { f(x); }, {"jit", "'abs' of shape (2, 2) is 'square' of shape (2, 2) now"}));
  EXPECT_TRUE(throws<std::logic_error>([&] { g(x); }, {"jit", "'slice'", "parameter"}));
  EXPECT_TRUE(throws<std::logic_error>([&] { h(x); }, {"jit", "'sum'", "parameter"}));
}

TEST(Verify, NamesATensorThatIsAnother) {
  Tensor shift{1.0, 2.0};
  bool swapped = false, more = false;
  const auto f = jit([&](const Tensor& x) { return x + shift; }, verified);
  const auto g = jit([&](const std::vector<Tensor>& x) { return swapped ? x[1] / x[0] : x[0] / x[1]; }, verified);
  const auto h = jit([&](const Tensor& x) { return more ? exp(x + 1) : x + 1; }, verified);
  const Tensor x{1.0, 1.0};
  f(x), g({x, shift}), h(x);
  f(x), g({x, shift}), h(x);
  shift = Tensor{1.0, 5.0};
  swapped = true, more = true;
  EXPECT_TRUE(throws<std::logic_error>([&] { f(x); }, {"at element 1, was 2 and is 5 now"}));
  EXPECT_TRUE(throws<std::logic_error>([&] { g({x, shift}); }, {"'divide'", "other operands"}));
  EXPECT_TRUE(throws<std::logic_error>([&] { h(x); }, {"'exp' of shape (2,) was not there"}));
}

TEST(Verify, LeavesWhatIsAssignedAndWhatIsGivenAlone) {
  Tensor assigned{1.0, 2.0}, plain{0.0, 0.0}, w = Tensor{3.0, 1.0}.set_requires_grad();
  assigned.assign(Tensor{2.0, 2.0});
  const auto f = jit([&](const std::vector<Tensor>& x) { return no_grad([&] { return x[0] * assigned + x[1] * w + plain; }); }, verified);
  expect_near(f({Tensor{1.0, 1.0}, Tensor(2.0)}), {8, 4});
  assigned.assign(Tensor{5.0, 6.0});
  w.assign(Tensor{0.0, 1.0});
  plain.assign(Tensor{1.0, 1.0});
  expect_near(f({Tensor{1.0, 2.0}, Tensor(3.0)}), {6, 16});
  const auto itself = jit([&](const Tensor&) { return assigned; }, verified);
  expect_near(itself(plain), {5, 6});
  assigned.assign(Tensor{7.0, 8.0});
  expect_near(itself(plain), {7, 8});
}

TEST(Verify, HoldsForGradientsAndRulesOfOnesOwn) {
  double scale = 2;
  const auto custom = custom_function([](const std::vector<Tensor>& t) { return sin(t[0]); },
                                      [](const Tensor& g, const std::vector<Tensor>& t, const Tensor&) { return std::vector{3 * g * cos(t[0])}; });
  const auto f = jit(value_and_grad([&](const Tensor& x) {
                       return sum(tanh(x) * scale + custom({x}) + checkpoint([](const std::vector<Tensor>& u) { return exp(u[0]); }, {x}) +
                                  x.at(xt::range(0, 2)).add(1));
                     }),
                     verified);
  const Tensor x{0.5, -1.0, 2.0};
  const auto [value, gradient] = f(x);
  for (int i = 0; i < 3; ++i) expect_near(f(x).second, values(gradient));
  scale = 3;
  EXPECT_TRUE(throws<std::logic_error>([&] { f(x); }, {"was 2 and is 3 now"}));
}

TEST(Verify, IsOffUnlessAskedForWithoutAssertions) {
  int calls = 0;
  const auto count = [&](const Tensor& x) { return ++calls, x * 2; };
  const auto f = jit(count, {.verify = false}), g = jit(count);
  f(Tensor(1.0)), f(Tensor(2.0));
  EXPECT_EQ(calls, 1);
  g(Tensor(1.0)), g(Tensor(2.0));
#ifdef NDEBUG
  EXPECT_EQ(calls, 2);
#else
  EXPECT_EQ(calls, 3);
#endif
}

struct Model : nn::Module {
  nn::Linear hidden{3, 4}, output{4, 1};
  XGRAD_MODULE(hidden, output)
  Tensor operator()(const Tensor& x) const { return output(tanh(hidden(x))); }
};

TEST(Verify, TrainStepNamesANumberThatChanged) {
  Model model;
  nn::Adam optimizer(model.parameters());
  double weight = 0.5;
  nn::TrainStep step(optimizer, [&](const Tensor& x, const Tensor& y) { return weight * nn::mse_loss(model(x), y); }, {.verify = true});
  const Tensor x = ones({5, 3}), y = zeros({5, 1});
  for (int i = 0; i < 4; ++i) step(x, y);
  optimizer.set_learning_rate(0.1);
  step(x, y);
  weight = 2;
  const Tensor before = model.hidden.weight.detach();
  EXPECT_TRUE(throws<std::logic_error>([&] { step(x, y); }, {"TrainStep", "(5, 3) float32, (5, 1) float32:", "was 0.5 and is 2 now"}));
  EXPECT_EQ(values(model.hidden.weight), values(before)) << "nothing changed";
  weight = 0.5;
  step(x, y);
  EXPECT_NE(values(model.hidden.weight), values(before));
}

}  // namespace
