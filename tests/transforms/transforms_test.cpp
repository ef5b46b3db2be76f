// grad, vjp, jvp, jacobian, hessian, hvp, checkpoint, custom functions, hooks: against closed forms and against each other.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <tests/support/throws.hpp>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

Tensor cubic(const Tensor& x) { return sum(x * x * x); }
Tensor mixed(const Tensor& x) { return tanh(matmul(Tensor{{1.0, 2.0, -1.0}, {0.5, -1.0, 3.0}}, x)) * x.slice(xt::range(0, 2)); }
const Tensor point{0.3, -0.7, 1.1};

TEST(Grad, OfAFunctionIsAFunction) {
  expect_near(grad(cubic)(point), {0.27, 1.47, 3.63});
  const auto [value, gradient] = value_and_grad(cubic)(point);
  EXPECT_NEAR(value.item(), 0.027 - 0.343 + 1.331, 1e-12);
  expect_near(gradient, {0.27, 1.47, 3.63});
  EXPECT_FALSE(gradient.requires_grad());
  EXPECT_FALSE(point.requires_grad());
}

TEST(Grad, NestsToAnyOrder) {
  const auto f = [](const Tensor& x) { return sin(x) * x * x; };
  const auto third = grad(grad(grad(f)));
  const double x = 0.8;
  EXPECT_NEAR(third(Tensor(x)).item(), -x * x * std::cos(x) - 6 * x * std::sin(x) + 6 * std::cos(x), 1e-12);
}

TEST(Grad, CountsATensorGivenTwiceTwice) {
  const auto f = [](const std::vector<Tensor>& x) { return sum(x[0] * x[0] * x[1]); };
  const auto parts = grad(f)({point, point});
  expect_near(parts[0], {2 * 0.09, 2 * 0.49, 2 * 1.21});
  expect_near(parts[1], {0.09, 0.49, 1.21});
}

TEST(Grad, IsDifferentiableInWhatAFunctionCaptures) {
  Tensor w = Tensor{2.0, 3.0}.set_requires_grad();
  const Tensor slope = grad([&](const Tensor& x) { return sum(w * w * x * x); })(Tensor{1.0, 2.0});  // 2w²x
  sum(slope).backward();
  expect_near(w.grad(), {8, 24});
  EXPECT_FALSE(no_grad([&] { return grad([&](const Tensor& x) { return sum(w * x); })(Tensor{1.0, 2.0}); }).requires_grad());
}

TEST(Grad, LeavesRecordingsThatItReachesAlone) {
  Tensor w = Tensor{2.0, 3.0}.set_requires_grad();
  const Tensor h = w * w;
  const auto with_h = [&](const Tensor& x) { return sum(h * x * x); };
  NoGrad guard;
  expect_near(grad(with_h)(h), {32, 162});
  expect_near(grad([](const Tensor& x) { return sum(x * x); })(h), {8, 18});
  expect_near(hvp(with_h, h, Tensor{1.0, 1.0}), {8, 18});
  jacobian([&](const Tensor& x) { return h * x; }, h);
  GradMode tracking(true);
  sum(h).backward();
  expect_near(w.grad(), {4, 6});
}

TEST(Grad, PassesOnWhatComesWithTheValue) {
  const auto [both, gradient] = value_and_grad([](const Tensor& x) { return std::pair(cubic(x), std::string("seen")); })(point);
  EXPECT_EQ(both.second, "seen");
  expect_near(gradient, {0.27, 1.47, 3.63});

  const auto weighted = [](const std::vector<Tensor>& x) {
    const Tensor products = x[0] * x[1];
    return std::pair(sum(products), products);
  };
  const auto [value_and_products, gradients] = value_and_grad(weighted)({point, 2 * point});
  EXPECT_NEAR(value_and_products.first.item(), 2 * (0.09 + 0.49 + 1.21), 1e-12);
  expect_near(value_and_products.second, {0.18, 0.98, 2.42});
  expect_near(gradients[0], values(2 * point));
  expect_near(gradients[1], values(point));
}

TEST(Grad, OfWhatDoesNotDependIsZero) {
  expect_near(grad([](const Tensor&) { return Tensor(1.0); })(point), {0, 0, 0});
  expect_near(grad([](const std::vector<Tensor>& x) { return sum(x[1]); })({point, point})[0], {0, 0, 0});
}

TEST(Grad, RefusesWhatHasNoGradient) {
  EXPECT_TRUE(throws<std::invalid_argument>([] { grad([](const Tensor& x) { return x * 2; })(point); }, {"grad", "(3,)", "jacobian"}));
  EXPECT_TRUE(throws<std::invalid_argument>([] { grad([](const Tensor& x) { return sum(x); })(Tensor{1, 2}); }, {"grad", "int64"}));
}

TEST(Vjp, PullsBackAsOftenAsOneLikes) {
  const Pullback pullback = vjp([](const std::vector<Tensor>& x) { return mixed(x[0]); }, {point});
  const Tensor j = jacobian(mixed, point);
  for (const Tensor& g : {Tensor{1.0, 0.0}, Tensor{0.5, -2.0}})
    expect_near(pullback.pull(g)[0], values(matmul(g, j)));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { pullback.pull(ones({3})); }, {"vjp", "(3,)", "(2,)"}));
}

TEST(Jvp, IsTheJacobianTimesTheTangent) {
  const Tensor tangent{0.2, -1.0, 0.6};
  const auto [value, along] = jvp([](const std::vector<Tensor>& x) { return mixed(x[0]); }, {point}, {tangent});
  expect_near(value, values(mixed(point)));
  expect_near(along, values(matmul(jacobian(mixed, point), tangent)));
  expect_near(jvp([](const std::vector<Tensor>& x) { return x[0] * 3; }, {point}, {tangent}).second, values(tangent * 3));
  expect_near(jvp([](const std::vector<Tensor>&) { return ones({2}, DType::float64); }, {point}, {tangent}).second, {0, 0});
  EXPECT_TRUE(throws<std::invalid_argument>([&] { jvp([](const std::vector<Tensor>& x) { return x[0]; }, {point}, {ones({2})}); }, {"jvp", "(2,)"}));
}

TEST(Jvp, IsDifferentiable) {
  const auto along = [](const std::vector<Tensor>& x) { return jvp([](const std::vector<Tensor>& t) { return mixed(t[0]); }, {x[0]}, {Tensor{0.2, -1.0, 0.6}}).second; };
  EXPECT_TRUE(gradcheck(along, {point}));
}

TEST(Jacobian, IsTheSameByRowsAndByColumns) {
  const auto wide = [](const Tensor& x) { return concatenate({sin(x), exp(x) * sum(x)}); };  // by columns
  const Tensor j = jacobian(wide, point);
  EXPECT_EQ(j.shape(), (Shape{6, 3}));
  for (std::int64_t row = 0; row < 6; ++row) {
    const Tensor by_row = grad([&](const Tensor& x) { return wide(x).slice(row); })(point);
    expect_near(j.slice(row), values(by_row));
  }
  EXPECT_EQ(jacobian(mixed, point).shape(), (Shape{2, 3}));
  EXPECT_EQ(jacobian([](const Tensor& x) { return matmul(x, x); }, ones({2, 2}, DType::float64)).shape(), (Shape{2, 2, 2, 2}));
  expect_near(jacobian([](const Tensor&) { return ones({2}, DType::float64); }, point), Values(6, 0));
}

TEST(Jacobian, GoesOneByOneThroughRulesThatReadCotangents) {
  std::vector<Values> seen;
  const auto watched = [&](const Tensor& x) {
    return with_hook(sin(x) * sum(x), [&](const Tensor& g) {
      seen.push_back(values(g));
      return g;
    });
  };
  expect_near(jacobian(watched, point), values(jacobian([](const Tensor& x) { return sin(x) * sum(x); }, point)));
  EXPECT_EQ((std::vector<Values>(seen.end() - 3, seen.end())), (std::vector<Values>{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}));
}

TEST(Jacobian, TakesManyCotangentsAtOnce) {
  int rules = 0;
  const auto f = [&](const Tensor& x) { return with_hook(tanh(matmul(ones({40, 3}, DType::float64), x)), [&](const Tensor& g) { return ++rules, 2 * g; }); };
  const Tensor j = jacobian(f, point);
  EXPECT_LE(rules, 2);  // the columns are those of one pass over another
  for (std::int64_t row = 0; row < 40; ++row) expect_near(j.slice(row), Values(3, 2 * (1 - std::pow(std::tanh(0.7), 2))));
}

TEST(Jacobian, IsDifferentiable) {
  const auto f = [](const std::vector<Tensor>& in) { return jacobian([&](const Tensor& x) { return mixed(x * in[1]); }, in[0]); };
  EXPECT_TRUE(gradcheck(f, {point, Tensor(1.3)}));
  EXPECT_TRUE(gradgradcheck(f, {point, Tensor(1.3)}, {.atol = 1e-7}));
}

TEST(Hessian, AgreesWithItsProducts) {
  const auto f = [](const Tensor& x) { return sum(tanh(x) * exp(x * sum(x))); };
  const Tensor h = hessian(f, point), v{1.0, -0.5, 2.0};
  EXPECT_EQ(h.shape(), (Shape{3, 3}));
  expect_near(h, values(transpose(h)), 1e-11);
  expect_near(hvp(f, point, v), values(matmul(h, v)), 1e-11);
  expect_near(hessian(cubic, point), {1.8, 0, 0, 0, -4.2, 0, 0, 0, 6.6});
  expect_near(hessian([](const Tensor& x) { return sum(x); }, point), Values(9, 0));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { hvp(cubic, point, ones({2})); }, {"hvp", "(2,)", "(3,)"}));
}

// ---- checkpoint ----

Tensor block(const std::vector<Tensor>& x) {
  Tensor h = x[0];
  for (int i = 0; i < 8; ++i) h = tanh(matmul(h, x[1]) + h);
  return h;
}

TEST(Checkpoint, HasTheGradientsOfTheFunction) {
  Generator generator(3);
  const Tensor x = generator.normal({4, 5}, 0, 1, DType::float64), w = generator.normal({5, 5}, 0, 0.3, DType::float64);
  const auto plain = grad([](const std::vector<Tensor>& in) { return sum(square(block(in))); })({x, w});
  const auto again = grad([](const std::vector<Tensor>& in) { return sum(square(checkpoint(block, in))); })({x, w});
  for (std::size_t i = 0; i < 2; ++i) expect_near(again[i], values(plain[i]), 1e-12);
  const auto f = [](const std::vector<Tensor>& in) { return checkpoint(block, in); };
  EXPECT_TRUE(gradcheck(f, {x, w}));
  EXPECT_TRUE(gradgradcheck(f, {x, w}, {.atol = 1e-6}));
}

TEST(Checkpoint, KeepsNoneOfTheIntermediates) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "there is no pool under AddressSanitizer";
#endif
  Tensor w = (0.01 * Generator(1).normal({256, 256})).evaluate().detach().set_requires_grad();
  const Tensor x = Generator(2).normal({256, 256});
  const auto peak = [&](bool checkpointed) {
    w.zero_grad();
    reset_peak_memory_statistics();
    const std::size_t before = memory_statistics().in_use;
    Tensor h = x;
    for (int i = 0; i < 6; ++i) h = checkpointed ? checkpoint(block, {h, w}) : block({h, w});
    h.evaluate();  // the forward pass by itself
    sum(h).backward();
    return memory_statistics().peak_in_use - before;
  };
  const std::size_t whole = peak(false), small = peak(true);
  EXPECT_LT(small, whole / 2);
}

TEST(Checkpoint, RefusesToBeCalledAgainAsAnotherFunction) {
  const Tensor x = Tensor{1.0, 2.0}.set_requires_grad();
  double factor = 1;
  const Tensor y = checkpoint([&](const std::vector<Tensor>& in) { return in[0] * factor; }, {x});
  factor = 2;
  EXPECT_THROW(sum(y).backward(), std::logic_error);
  bool once = true;
  const Tensor z = checkpoint([&](const std::vector<Tensor>& in) { return std::exchange(once, false) ? exp(in[0]) : sin(in[0]); }, {x});
  EXPECT_THROW(sum(z).backward(), std::logic_error);
  const Tensor w = checkpoint([](const std::vector<Tensor>& in) { return jit([](const Tensor& t) { return t.slice(0) * sum(t) * 0.5; })(in[0] * 2.0); }, {x});
  w.backward();
  EXPECT_EQ(values(x.grad()), (Values{8, 2}));
}

TEST(Checkpoint, RefusesWhatItWouldMiss) {
  Tensor w = Tensor(2.0).set_requires_grad(), x = Tensor(3.0).set_requires_grad();
  const auto by_w = [&](const std::vector<Tensor>& in) { return in[0] * w; };
  EXPECT_TRUE(throws<std::invalid_argument>([&] { checkpoint(by_w, {x}); }, {"checkpoint", "not among its inputs"}));
  checkpoint([&](const std::vector<Tensor>& in) { return in[0] * no_grad([&] { return w * 1.0; }); }, {x}).backward();
  EXPECT_EQ(x.grad().item(), 2);
}

TEST(Checkpoint, OfConstantsRefusesWhatItWouldMissAtTheCall) {
  const Tensor w = Tensor(2.0).set_requires_grad(), data(3.0);
  const auto by_w = [&](const std::vector<Tensor>& in) { return in[0] * w; };
  EXPECT_TRUE(throws<std::invalid_argument>([&] { checkpoint(by_w, {data}); }, {"checkpoint", "not among its inputs"}));
  EXPECT_EQ(values(no_grad([&] { return checkpoint(by_w, {data}); })), Values{6});
  EXPECT_EQ(values(checkpoint([](const std::vector<Tensor>& in) { return in[0] * in[0]; }, {data})), Values{9});
}

// ---- custom functions and hooks ----

TEST(CustomFunction, TakesTheDerivativeGiven) {
  const auto cube = custom_function([](const std::vector<Tensor>& x) { return power(x[0], 3); },
                                    [](const Tensor& g, const std::vector<Tensor>& x, const Tensor&) { return std::vector<Tensor>{g * 3 * x[0] * x[0]}; });
  expect_near(grad([&](const Tensor& x) { return sum(cube({x})); })(point), {0.27, 1.47, 3.63});
  EXPECT_TRUE(gradcheck(cube, {point}));
  EXPECT_TRUE(gradgradcheck(cube, {point}));
  const auto wrong = custom_function([](const std::vector<Tensor>& x) { return power(x[0], 3); },
                                     [](const Tensor& g, const std::vector<Tensor>& x, const Tensor&) { return std::vector<Tensor>{g * x[0]}; });
  EXPECT_FALSE(gradcheck(wrong, {point}));
  const auto misshaped = custom_function([](const std::vector<Tensor>& x) { return sum(x[0]); },
                                         [](const Tensor&, const std::vector<Tensor>&, const Tensor&) { return std::vector<Tensor>{ones({2})}; });
  EXPECT_TRUE(throws<std::invalid_argument>([&] { grad([&](const Tensor& x) { return misshaped({x}); })(point); }, {"custom_function", "(2,)", "(3,)"}));
}

TEST(CustomFunction, MayTakeGradientsInItsRule) {
  // The rule's own pass goes over values that have a place in the pass that asks it.
  const auto inner = [](const Tensor& x) { return sum(power(x, 4)); };
  const auto sum_of_fourths = custom_function([&](const std::vector<Tensor>& x) { return inner(x[0]); },
                                              [&](const Tensor& g, const std::vector<Tensor>& x, const Tensor&) { return std::vector<Tensor>{g * grad(inner)(x[0])}; });
  const auto f = [&](const Tensor& x) { return sum_of_fourths({sin(x) * x}) * sum(x) + sum_of_fourths({x}); };
  const auto plain = [&](const Tensor& x) { return inner(sin(x) * x) * sum(x) + inner(x); };
  expect_near(hessian(f, point), values(hessian(plain, point)));
  expect_near(grad([&](const Tensor& x) { return sum(grad([&](const Tensor& t) { return sum(square(grad(f)(t))); })(x)); })(point),
              values(grad([&](const Tensor& x) { return sum(grad([&](const Tensor& t) { return sum(square(grad(plain)(t))); })(x)); })(point)));
}

TEST(CustomFunction, RefusesToLoseTheGradientOfWhatItCaptures) {
  const Tensor w = Tensor{2.0, 3.0, 4.0}.set_requires_grad(), x = Tensor{1.0, 1.0, 1.0}.set_requires_grad(), data = Tensor{1.0, 1.0, 1.0};
  const VjpFunction scaled = [&](const Tensor& g, const std::vector<Tensor>&, const Tensor&) { return std::vector<Tensor>{g * w}; };
  const auto refused = [&](const TensorFunction& forward) {
    const auto f = custom_function(forward, scaled);
    for (const Tensor& input : {x, data})
      EXPECT_TRUE(throws<std::invalid_argument>([&] { f({input}); }, {"custom_function", "not among its inputs", "detach()"}));
    EXPECT_EQ(values(no_grad([&] { return f({x}); })), values(no_grad([&] { return forward({x}); })));
    return f;
  };
  refused([&](const std::vector<Tensor>& in) { return in[0] * w; });
  refused([&](const std::vector<Tensor>& in) { return in[0] * flip(w); });  // a view, which is a value at once where nothing is tracked
  refused([&](const std::vector<Tensor>&) { return w; });
  refused([&](const std::vector<Tensor>& in) { return in[0] * sum(square(w)); });
  const Tensor pending = w * 2;
  refused([&](const std::vector<Tensor>& in) { return in[0] * pending; });
  // What an outer function is differentiated with respect to is no constant either.
  EXPECT_TRUE(throws<std::invalid_argument>(
      [&] { grad([&](const Tensor& t) { return sum(custom_function([&](const std::vector<Tensor>& in) { return in[0] * t; }, scaled)({data})); })(data); },
      {"custom_function", "not among its inputs"}));
  // As a constant, on purpose, or as an input, it may be used.
  const auto constant = custom_function([&](const std::vector<Tensor>& in) { return in[0] * w.detach() + no_grad([&] { return w * 1.0; }) + pending.detach(); }, scaled);
  expect_near(constant({x}), {8, 12, 16});
  sum(constant({x})).backward();
  expect_near(x.grad(), {2, 3, 4});
}

TEST(CustomFunction, KeepsNothingFromOnePassForTheNext) {
  const Tensor a = Tensor{2.0, 3.0}.set_requires_grad(), b = Tensor{5.0, 7.0}.set_requires_grad(), g = Tensor{1.0, 1.0};
  double factor = 1;
  int calls = 0;
  const auto product = custom_function([](const std::vector<Tensor>& in) { return in[0] * in[1]; },
                                       [&](const Tensor& g, const std::vector<Tensor>& in, const Tensor&) {
                                         ++calls;
                                         return std::vector<Tensor>{factor * g * in[1], factor * g * in[0]};
                                       });
  const Tensor y = product({a, b});
  const std::vector<Tensor> of_y{y};
  // A pass that asks for one of the inputs, and another for the other one with the same cotangent.
  expect_near(grad(of_y, {a}, {.cotangents = {g}, .retain_graph = true})[0], {5, 7});
  factor = 10;
  const Tensor slope = grad(of_y, {b}, {.cotangents = {g}, .create_graph = true, .retain_graph = true})[0];
  expect_near(slope, {20, 30});
  ASSERT_TRUE(slope.requires_grad());
  expect_near(grad(std::vector<Tensor>{slope}, {a}, {.cotangents = {g}, .retain_graph = true})[0], {10, 10});
  EXPECT_EQ(calls, 2);
  // Both in one pass are one call.
  const std::vector<Tensor> both = grad(of_y, {a, b}, {.cotangents = {g}, .retain_graph = true});
  expect_near(both[0], {50, 70});
  expect_near(both[1], {20, 30});
  EXPECT_EQ(calls, 3);
}

TEST(Transforms, WhatTheirFunctionsCaptureHasItsGradient) {
  // Derivatives with respect to x of w·x³ depend on w, whichever way they are taken.
  const Tensor w = Tensor(2.0).set_requires_grad(), x = Tensor(3.0), v = Tensor(1.0);
  const UnaryFunction f = [&](const Tensor& t) { return w * t * t * t; };
  const TensorFunction of_many = [&](const std::vector<Tensor>& t) { return f(t[0]); };
  const auto of_w = [&](const Tensor& y) { return xgrad::grad(y, w).item(); };
  EXPECT_NEAR(of_w(grad(f)(x)), 27, 1e-12);
  EXPECT_NEAR(of_w(value_and_grad(f)(x).first), 27, 1e-12);
  EXPECT_NEAR(of_w(vjp(of_many, {x}).pull(v)[0]), 27, 1e-12);
  EXPECT_NEAR(of_w(jvp(of_many, {x}, {v}).second), 27, 1e-12);
  EXPECT_NEAR(of_w(jacobian(f, x)), 27, 1e-12);
  EXPECT_NEAR(of_w(hessian(f, x)), 18, 1e-12);
  EXPECT_NEAR(of_w(hvp(f, x, v)), 18, 1e-12);
  EXPECT_NEAR(of_w(sum(vmap(f)(Tensor{1.0, 2.0}))), 9, 1e-12);
  EXPECT_NEAR(of_w(jit(f)(x)), 27, 1e-12);
  EXPECT_NEAR(of_w(with_hook(f(x), [](const Tensor& g) { return g; })), 27, 1e-12);
  EXPECT_NEAR(of_w(elementwise([](auto a, auto b) { return a * b * b * b; }, w, x)), 27, 1e-12);
}

TEST(WithHook, SeesAndChangesTheCotangent) {
  std::vector<Values> seen;
  Tensor x = Tensor{1.0, 2.0}.set_requires_grad();
  const Tensor y = with_hook(x * 1, [&](const Tensor& g) {
    seen.push_back(values(g));
    return g * 10;
  });
  sum(y * y).backward();
  EXPECT_EQ(seen, (std::vector<Values>{{2, 4}}));
  EXPECT_EQ(values(x.grad()), (Values{20, 40}));
}

TEST(WithHook, RefusesToDropTheGradient) {
  const Tensor x = Tensor(2.0).set_requires_grad();
  const Tensor y = with_hook(x * 3, [](const Tensor&) { return Tensor(); });
  EXPECT_TRUE(throws<std::invalid_argument>([&] { y.backward(); }, {"with_hook", "undefined"}));
  EXPECT_FALSE(x.grad().defined());
}

TEST(StopGradient, MakesAConstant) {
  expect_near(grad([](const Tensor& x) { return sum(x * stop_gradient(x)); })(point), values(point));
}

TEST(Vectorize, MapsOverAnAxis) {
  const Tensor x = numbered({3, 2});
  const auto f = vmap([](const Tensor& row) { return sum(row * row); });
  EXPECT_EQ(values(f(x)), (Values{5, 25, 61}));
  EXPECT_EQ(values(vmap([](const Tensor& column) { return sum(column); }, -1)(x)), (Values{9, 12}));
  EXPECT_TRUE(gradcheck([&](const std::vector<Tensor>& in) { return f(in[0]); }, {x}));
}

}  // namespace
