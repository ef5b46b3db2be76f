// Objects that are moved from, copied, destroyed in any order, in any thread and at the end of the program: an error or the right result.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <cstdlib>
#include <functional>
#include <memory>
#include <nn/nn.hpp>
#include <optional>
#include <stdexcept>
#include <tests/support/values.hpp>
#include <thread>

using namespace xgrad;
using namespace xgrad::test;

namespace {

struct Model : nn::Module {
  nn::Linear hidden{3, 4}, output{4, 1};
  XGRAD_MODULE(hidden, output)
  Tensor operator()(const Tensor& x) const { return output(tanh(hidden(x))); }
};

// Made before main() and before anything of the library's own, filled in main(), destroyed after all that main() made.
struct Remains {
  std::vector<Tensor> tensors;
  std::unique_ptr<Model> model;
  std::unique_ptr<nn::Adam> optimizer;
  std::unique_ptr<nn::TrainStep> step;
  std::function<Tensor(const std::vector<Tensor>&)> captured;
  ~Remains() {
    if (!model) return;
    // The library still works.
    const double loss = (*step)(tensors.front()).item(), value = captured({tensors[1]}).item();
    if (!(loss >= 0) || value != 14) std::abort();
    step.reset();
    optimizer.reset();
    model.reset();
  }
} remains;
const Tensor before_main = sum(square(Tensor{1.0, 2.0, 3.0}));

void at_exit() {
  if (sum(remains.tensors[1]).item() != 6) std::abort();
}

TEST(Lifetimes, StaticObjectsWorkUntilTheProgramEnds) {
  EXPECT_EQ(before_main.item(), 14);
  remains.model = std::make_unique<Model>();
  remains.optimizer = std::make_unique<nn::Adam>(remains.model->parameters());
  remains.step = std::make_unique<nn::TrainStep>(*remains.optimizer, [](const Tensor& x) { return mean(square((*remains.model)(x))); });
  remains.captured = jit([](const std::vector<Tensor>& x) { return sum(square(x[0])); });
  remains.tensors = {ones({2, 3}), Tensor{1.0, 2.0, 3.0}, exp(Tensor{1.0})};  // the last is not computed
  EXPECT_GE((*remains.step)(remains.tensors.front()).item(), 0);
  EXPECT_EQ(remains.captured({remains.tensors[1]}).item(), 14);
  EXPECT_EQ(std::atexit(at_exit), 0);
}

TEST(Lifetimes, ATensorMovedFromIsUndefined) {
  Tensor x{1.0, 2.0};
  const Tensor y = std::move(x);
  EXPECT_FALSE(x.defined());
  const std::vector<std::function<void()>> uses{
      [&] { x.shape(); }, [&] { x.dim(); }, [&] { x.size(); }, [&] { x.dtype(); }, [&] { x.is_leaf(); }, [&] { x.array<double>(); }, [&] { x.item(); },
      [&] { x.data<double>(); }, [&] { x.to(DType::float32); }, [&] { x.detach(); }, [&] { x.evaluate(); }, [&] { x.requires_grad(); },
      [&] { x.set_requires_grad(); }, [&] { x.grad(); }, [&] { x.set_grad({}); }, [&] { x.zero_grad(); }, [&] { x.assign(y); }, [&] { x.backward(); },
      [&] { x.slice(0); }, [&] { x.at(0).set(1.0); }, [&] { x.reshape({2}); }, [&] { x.transpose(); }, [&] { x.sum(); }, [&] { x.mean(); }, [&] { x + y; },
      [&] { matmul(y, x); }, [&] { grad(sum(y), x); }};
  for (std::size_t i = 0; i < uses.size(); ++i) EXPECT_THROW(uses[i](), std::logic_error) << i;
  x = y;
  EXPECT_EQ(values(x), (Values{1, 2}));
}

TEST(Lifetimes, AssigningATensorToItselfChangesNothing) {
  Tensor x = Tensor{1.0, 2.0} * 3;
  Tensor& same = x;
  x = same;
  EXPECT_EQ(values(x), (Values{3, 6}));
  x = std::move(same);
  EXPECT_TRUE(!x.defined() || values(x) == (Values{3, 6}));
  Tensor leaf = Tensor{1.0, 2.0}.set_requires_grad();
  leaf.assign(leaf);
  EXPECT_EQ(values(leaf), (Values{1, 2}));
}

TEST(Lifetimes, AModelMovesWithItsParameters) {
  Model first;
  nn::SGD optimizer(first.parameters(), {.learning_rate = 0.1});
  const Tensor x = ones({2, 3});
  const Values before = values(first(x));
  Model second = std::move(first);
  EXPECT_EQ(values(second(x)), before);
  EXPECT_THROW(first(x), std::logic_error);
  sum(second(x)).backward();
  optimizer.step();  // of the same tensors, wherever they are
  EXPECT_NE(values(second(x)), before);
  EXPECT_EQ(first.parameters().size(), 0u);
}

TEST(Lifetimes, AnOptimiserOutlivesItsModel) {
  auto model = std::make_unique<Model>();
  nn::Adam optimizer(model->parameters());
  sum((*model)(ones({2, 3}))).backward();
  model.reset();
  optimizer.step();
  optimizer.zero_grad();
  EXPECT_EQ(optimizer.parameters().size(), 4u);
}

TEST(Lifetimes, ARecordingKeepsWhatItNeeds) {
  Tensor loss;
  std::vector<Tensor> parameters;
  {
    Model model;
    const Tensor x = ones({2, 3});
    loss = mean(square(model(x)));
    parameters = model.parameters();
  }
  loss.backward();
  for (const Tensor& parameter : parameters) EXPECT_TRUE(parameter.grad().defined());
}

TEST(Lifetimes, ObjectsMadeInOneThreadDieInAnother) {
  auto model = std::make_unique<Model>();
  std::optional<Tensor> pending = exp(ones({1000})) * 2;
  auto captured = std::make_unique<std::function<Tensor(const std::vector<Tensor>&)>>(jit([](const std::vector<Tensor>& x) { return sum(exp(x[0])); }));
  const double here = (*captured)({ones({3}, DType::float64)}).item();
  std::thread([&] {
    EXPECT_EQ((*captured)({ones({3}, DType::float64)}).item(), here);
    sum((*model)(ones({2, 3}))).backward();
    captured.reset();
    model.reset();
    pending.reset();
  }).join();
  Tensor from_thread;
  std::thread([&] {
    Tensor x = ones({3}, DType::float64).set_requires_grad();
    from_thread = sum(square(x));  // not computed when the thread ends
  }).join();
  EXPECT_EQ(from_thread.item(), 3);
  from_thread.backward();
}

TEST(Lifetimes, ThreadLocalTensorsDieWithTheirThread) {
  for (int i = 0; i < 4; ++i)
    std::thread([] {
      thread_local std::vector<Tensor> kept;  // made before what the library keeps for the thread
      Tensor x = ones({10}).set_requires_grad();
      kept.push_back(tanh(x) * 2);
      kept.push_back(transpose(reshape(kept.front(), {2, 5})));
      sum(kept.back()).backward();
    }).join();
}

TEST(Lifetimes, AnExceptionOutOfACallbackLeavesEverythingAsItWas) {
  struct Stop : std::exception {};
  const Tensor x = Tensor{1.0, 2.0}.set_requires_grad();
  EXPECT_THROW(no_grad([]() -> int { throw Stop(); }), Stop);
  EXPECT_TRUE(grad_enabled());
  const Tensor hooked = with_hook(square(x), [](const Tensor&) -> Tensor { throw Stop(); });
  EXPECT_THROW(sum(hooked).backward({}, true), Stop);
  EXPECT_FALSE(x.grad().defined());
  EXPECT_TRUE(grad_enabled());
  EXPECT_THROW(grad([](const Tensor&) -> Tensor { throw Stop(); })(x), Stop);
  EXPECT_THROW(jit([](const std::vector<Tensor>&) -> Tensor { throw Stop(); })({x}), Stop);
  EXPECT_THROW(checkpoint([](const std::vector<Tensor>&) -> Tensor { throw Stop(); }, {x}), Stop);
  Model model;
  nn::SGD optimizer(model.parameters(), {.learning_rate = 0.1});
  nn::TrainStep step(optimizer, [](const Tensor&) -> Tensor { throw Stop(); });
  const Values before = values(model(ones({1, 3})));
  EXPECT_THROW(step(ones({1, 3})), Stop);
  EXPECT_EQ(values(model(ones({1, 3}))), before);
  // All of it works afterwards.
  sum(square(x)).backward();
  EXPECT_EQ(values(x.grad()), (Values{2, 4}));
}

TEST(Lifetimes, CallsWithinCallbacksAreCallsLikeOthers) {
  const Tensor x = Tensor{1.0, 2.0}.set_requires_grad();
  Values inner;
  const Tensor hooked = with_hook(square(x), [&](const Tensor& g) {
    const GradMode mode(true);  // a backward records nothing unless asked to
    const Tensor y = Tensor{3.0}.set_requires_grad();
    sum(square(y)).backward();
    inner = values(y.grad());
    return g * 2;
  });
  sum(hooked).backward();
  EXPECT_EQ(inner, (Values{6}));
  EXPECT_EQ(values(x.grad()), (Values{4, 8}));
  const auto square_sum = jit([](const std::vector<Tensor>& v) { return sum(square(v[0])); });
  const auto outer = jit([&](const std::vector<Tensor>& v) { return square_sum({v[0] + 1}) * 2; });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(outer({Tensor{1.0, 2.0}}).item(), 26);
}

}  // namespace
