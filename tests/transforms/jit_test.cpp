// Functions that are captured: values, what is looked up anew in each call, what is refused, and what is left as it was.
#include <cmath>
#include <functional>
#include <limits>
#include <thread>
#include <nn/nn.hpp>

#include <tests/reference/reference.hpp>

using namespace xgrad;
using reference::near;
using reference::throws;

namespace {

Tensor row(std::initializer_list<float> values) { return xt::xarray<float>(values); }

TEST(Jit, CallsItsFunctionOnceForEachShapeAndDtype) {
  int calls = 0;
  const auto count = [&](const Tensor& x) {
    ++calls;
    return sum(x * x, 0);
  };
  const auto f = jit(count, {.verify = false});
  const Tensor a = row({1, 2, 3}), b = row({4, 5, 6});
  EXPECT_TRUE(near(f(a), full({}, 14), 0, 0));
  EXPECT_TRUE(near(f(b), full({}, 77), 0, 0));
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(near(f(row({1, 2})), full({}, 5), 0, 0));
  EXPECT_TRUE(near(f(a.to(DType::float64)), full({}, 14, DType::float64), 0, 0));
  EXPECT_EQ(calls, 3);
  EXPECT_TRUE(near(f(a), full({}, 14), 0, 0));
  EXPECT_EQ(calls, 3);
}

TEST(Jit, TakesAndReturnsTensorsVectorsAndPairs) {
  const auto both = jit([](const std::vector<Tensor>& x) { return std::vector<Tensor>{x[0] + x[1], x[0] - x[1], x[0]}; });
  const Tensor a = row({3, 4}), b = row({1, 2});
  for (int i = 0; i < 2; ++i) {
    const std::vector<Tensor> results = both({a, b});
    ASSERT_EQ(results.size(), 3u);
    EXPECT_TRUE(near(results[0], row({4, 6}), 0, 0));
    EXPECT_TRUE(near(results[1], row({2, 2}), 0, 0));
    EXPECT_TRUE(near(results[2], a, 0, 0));
  }
  const auto with_gradients = jit(value_and_grad([](const std::vector<Tensor>& x) { return sum(x[0] * x[0] * x[1]); }));
  for (int i = 0; i < 2; ++i) {
    const auto [value, gradients] = with_gradients({a, b});
    EXPECT_TRUE(near(value, full({}, 41), 0, 0));
    EXPECT_TRUE(near(gradients[0], row({6, 16}), 0, 0));
    EXPECT_TRUE(near(gradients[1], row({9, 16}), 0, 0));
  }
  const auto with_gradient = jit(value_and_grad([](const Tensor& x) { return sum(square(x)); }));
  EXPECT_TRUE(near(with_gradient(a).second, row({6, 8}), 0, 0));
}

TEST(Jit, TakesDerivativesOfAnyOrder) {
  const UnaryFunction f = [](const Tensor& x) { return sum(x * x * x + exp(x)); };
  const Tensor x = xt::xarray<double>{0.5, -1, 2}, v = xt::xarray<double>{1, 2, -1};
  const auto check = [](const auto& g, const std::vector<Tensor>& arguments, const std::vector<Tensor>& others) {
    const auto compiled = jit(g);
    EXPECT_TRUE(near(compiled(arguments), g(arguments), 1e-15, 1e-15));
    EXPECT_TRUE(near(compiled(others), g(others), 1e-15, 1e-15));
  };
  const std::vector<Tensor> at{x, v}, other{v, x};
  const auto custom_of_many = custom_function([](const std::vector<Tensor>& t) { return sin(t[0]); },
                                              [](const Tensor& g, const std::vector<Tensor>& t, const Tensor&) { return std::vector{3 * g * cos(t[0])}; });
  const auto custom = [&](const Tensor& t) { return custom_of_many({t}); };
  check([&](const std::vector<Tensor>& a) { return grad(f)(a[0]); }, at, other);
  check([&](const std::vector<Tensor>& a) { return grad([&](const Tensor& t) { return sum(grad(f)(t)); })(a[0]); }, at, other);
  check([&](const std::vector<Tensor>& a) { return hvp(f, a[0], a[1]); }, at, other);
  check([&](const std::vector<Tensor>& a) { return hessian(f, a[0]); }, at, other);
  check([&](const std::vector<Tensor>& a) { return jacobian([](const Tensor& t) { return tanh(t) * sum(t); }, a[0]); }, at, other);
  check([&](const std::vector<Tensor>& a) { return jvp([](const std::vector<Tensor>& t) { return sin(t[0]); }, {a[0]}, {a[1]}).second; }, at, other);
  check([&](const std::vector<Tensor>& a) { return vjp([](const std::vector<Tensor>& t) { return sin(t[0]); }, {a[0]}).pull(a[1])[0]; }, at, other);
  check([&](const std::vector<Tensor>& a) { return vmap([](const Tensor& t) { return t * t; })(a[0]); }, at, other);
  check([&](const std::vector<Tensor>& a) { return grad([&](const Tensor& t) { return sum(custom(t) * t); })(a[0]); }, at, other);
  check([&](const std::vector<Tensor>& a) { return grad([&](const Tensor& t) { return sum(with_hook(t * t, [](const Tensor& g) { return 2 * g; })); })(a[0]); }, at, other);
  check([&](const std::vector<Tensor>& a) { return grad([&](const Tensor& t) { return checkpoint([&](const std::vector<Tensor>& u) { return f(u[0]); }, {t}); })(a[0]); }, at, other);
}

TEST(Jit, LooksLeavesUpInEachCall) {
  Tensor parameter = nn::parameter(row({1, 2})), plain = row({10, 20}), scale = full({}, 1).evaluate(), assigned = row({0, 0});
  assigned.assign(row({5, 5}));
  int calls = 0;
  const auto count = [&](const Tensor& x) {
    ++calls;
    return x * parameter * scale + plain + assigned;
  };
  const auto f = jit(count, {.verify = false});
  NoGrad guard;
  const Tensor x = row({1, 1});
  EXPECT_TRUE(near(f(x), row({16, 27}), 0, 0));
  parameter.assign(row({3, 4}));
  plain.assign(row({0, 1}));
  assigned.assign(row({1, 1}));
  EXPECT_TRUE(near(f(x), row({4, 6}), 0, 0));
  EXPECT_EQ(calls, 1);
  scale.assign(full({}, 2));
  EXPECT_TRUE(near(f(x), row({7, 10}), 0, 0));

  // Numbers that are 1 are left out of gradients.
  Tensor factor = full({}, 1).evaluate();
  const auto slope = jit(grad([&](const Tensor& t) { return sum(t * factor); }));
  EXPECT_TRUE(near(slope(x), row({1, 1}), 0, 0));
  factor.assign(full({}, 2));
  EXPECT_TRUE(near(slope(x), row({2, 2}), 0, 0));
}

TEST(Jit, ALeafThatLayAnotherWayIsReadAsItLiesNow) {
  const Tensor rows = xt::xarray<float>{{1, 2}, {3, 4}, {5, 6}}, other = xt::xarray<float>{{1, 2, 3}, {4, 5, 6}};
  Tensor turned = transpose(rows);
  const auto f = jit([&](const Tensor& x) { return x + turned; });
  const Tensor x = zeros({2, 3});
  EXPECT_TRUE(near(f(x), transpose(rows), 0, 0));
  turned.assign(other);
  EXPECT_TRUE(near(f(x), other, 0, 0));
}

TEST(Jit, ResultsStayAsTheyAreWhenLeavesChange) {
  Tensor parameter = nn::parameter(row({1, 2}));
  const auto f = jit([&](const Tensor& x) { return std::vector<Tensor>{parameter, transpose(parameter), x + 0}; });
  NoGrad guard;
  const std::vector<Tensor> before = f(row({1, 1}));
  parameter.set_grad(row({1, 1}));
  nn::SGD optimizer({parameter}, {.learning_rate = 1});
  optimizer.step();
  EXPECT_TRUE(near(before[0], row({1, 2}), 0, 0));
  EXPECT_TRUE(near(before[1], row({1, 2}), 0, 0));
  EXPECT_TRUE(near(f(row({1, 1}))[0], row({0, 1}), 0, 0));
}

TEST(Jit, CallsItsFunctionWhereGradientsAreTracked) {
  Tensor parameter = nn::parameter(row({1, 2}));
  const auto f = jit([&](const Tensor& x) { return sum(parameter * x * x); });
  const Tensor constant = row({3, 4});
  Tensor tracked = row({3, 4}).set_requires_grad();
  f(constant).backward();
  EXPECT_TRUE(near(parameter.grad(), row({9, 16}), 0, 0));
  f(tracked).backward();
  EXPECT_TRUE(near(tracked.grad(), row({6, 16}), 0, 0));
  EXPECT_FALSE(no_grad([&] { return f(tracked); }).requires_grad());
  // Within a function that is recorded it is part of that.
  EXPECT_TRUE(near(grad([&](const Tensor& x) { return f(x); })(constant), row({6, 16}), 0, 0));
  const auto outer = jit([&](const Tensor& x) { return no_grad([&] { return f(x); }) * 2; });
  EXPECT_TRUE(near(no_grad([&] { return outer(constant); }), full({}, 82), 0, 0));
}

TEST(Jit, RefusesWhatWouldBeDoneOnce) {
  const Tensor x = row({1, 2});
  Tensor leaf = row({0, 0}), parameter = nn::parameter(row({1, 2}));
  parameter.set_grad(row({1, 1}));
  nn::SGD optimizer({parameter});
  Generator generator(1);
  const auto refused = [&](const auto& f, const std::string& what) {
    const auto compiled = jit(f);
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(throws<std::logic_error>([&] { no_grad([&] { return compiled(x); }); }, {"jit", what}));
  };
  refused([](const Tensor& t) { return t * t.array<float>()(0); }, "reads a value");
  refused([](const Tensor& t) { return sum(t).item() > 0 ? t : -t; }, "reads a value");
  refused([](const Tensor& t) { return nonzero(t); }, "nonzero: the shape");
  refused([](const Tensor& t) { return masked_select(t, t > 1); }, "masked_select: the shape");
  refused([](const Tensor& t) { return t.at(t > 1).set(Tensor(xt::xarray<float>{3})); }, "at: the shape");
  refused([&](const Tensor& t) { return t + generator.normal({2}); }, "random");
  refused([&](const Tensor& t) { leaf.assign(t); return t; }, "assign");
  refused([&](const Tensor& t) { sum(t * parameter).backward(); return t; }, "backward");
  refused([&](Tensor t) { return t.set_requires_grad() * 2; }, "set_requires_grad");
  refused([&](const Tensor& t) { parameter.set_grad(t); return t; }, "set_grad");
  refused([&](const Tensor& t) { parameter.zero_grad(); return t; }, "zero_grad");
  refused([&](const Tensor& t) { optimizer.step(); return t; }, "step");
  refused([&](const Tensor&) { return Tensor(); }, "undefined");
  EXPECT_TRUE(near(leaf, row({0, 0}), 0, 0));
  EXPECT_TRUE(near(parameter, row({1, 2}), 0, 0));
  EXPECT_TRUE(near(parameter.grad(), row({1, 1}), 0, 0));
  EXPECT_TRUE(throws<std::logic_error>([&] { jit([](const Tensor& t) { return t; })(Tensor()); }, {"jit", "undefined"}));
  // What was refused leaves nothing behind.
  EXPECT_EQ(sum(x).item(), 3);
}

TEST(Jit, ChecksTheValuesOfArgumentsInEachCall) {
  const Tensor values = row({10, 20, 30});
  const auto f = jit([&](const Tensor& index) { return take(values, index); });
  const auto g = jit([](const Tensor& divisor) { return remainder(7, divisor); });
  const auto of = [](std::initializer_list<std::int64_t> index) { return Tensor(xt::xarray<std::int64_t>(index)); };
  EXPECT_TRUE(near(f(of({0, 2})), row({10, 30}), 0, 0));
  EXPECT_TRUE(throws<std::out_of_range>([&] { f(of({0, 3})); }, {"take", "3", "(3,)"}));
  EXPECT_TRUE(near(f(of({-1, 1})), row({30, 20}), 0, 0));
  EXPECT_TRUE(throws<std::out_of_range>([&] { f(of({0, 1, 5})); }, {"take", "5"}));  // of a shape that is new
  EXPECT_TRUE(near(g(of({4})), of({3}), 0, 0));
  EXPECT_TRUE(throws<std::domain_error>([&] { g(of({0})); }, {"remainder", "0"}));
}

TEST(Jit, ReportsWhatOpsFindWrongWhenTheyRun) {
  const auto inverse = jit([](const Tensor& a) { return inv(a); });
  const Tensor regular = eye(2) * 2, singular = zeros({2, 2});
  EXPECT_TRUE(near(inverse(regular), eye(2) * 0.5, 0, 0));
  EXPECT_TRUE(throws<std::domain_error>([&] { inverse(singular); }, {"inv"}));
  EXPECT_TRUE(near(inverse(regular), eye(2) * 0.5, 0, 0));
}

/// f of each argument is what it is without jit, and so are its derivatives of x; what it refuses it refuses in each call.
template <class E>
void checks_computed_values(const std::function<Tensor(const Tensor&)>& f, const std::vector<Tensor>& good, const std::vector<Tensor>& bad,
                            std::initializer_list<std::string> texts) {
  int calls = 0;
  const auto compiled = jit(
      [&](const Tensor& x) {
        ++calls;
        return f(x);
      },
      {.verify = false});
  SCOPED_TRACE(*texts.begin());
  for (int round = 0; round < 2; ++round)
    for (std::size_t i = 0; i < good.size(); ++i) {
      EXPECT_TRUE(near(compiled(good[i]), f(good[i]), 1e-6, 1e-6));
      const Tensor& wrong = bad[i % bad.size()];
      EXPECT_TRUE(throws<E>([&] { f(wrong); }, texts));
      EXPECT_TRUE(throws<E>([&] { compiled(wrong); }, texts));
    }
  EXPECT_EQ(calls, 1);
}

TEST(Jit, ChecksValuesThatItComputesInEachCall) {
  const Tensor table = row({10, 20, 30});
  const auto whole = [](const Tensor& x) { return x.to(DType::int64); };
  const std::vector<Tensor> good{row({0, 1}), row({2, 0}), row({1, 1})}, bad{row({0, 3}), row({7, 3})};
  checks_computed_values<std::out_of_range>([&](const Tensor& x) { return take(table, whole(x)); }, good, bad, {"take", "(3,)"});
  checks_computed_values<std::out_of_range>([&](const Tensor& x) { return take_along_axis(table, whole(x), 0); }, good, bad, {"take_along_axis"});
  checks_computed_values<std::out_of_range>([&](const Tensor& x) { return index_add(table, whole(x), x, 0); }, good, bad, {"index_add"});
  checks_computed_values<std::out_of_range>([&](const Tensor& x) { return scatter_add(x, whole(x) - 1, x, 0); }, good, bad, {"scatter_add"});
  checks_computed_values<std::out_of_range>([&](const Tensor& x) { return one_hot(whole(x), 3); }, good, bad, {"one_hot", "3 classes"});
  checks_computed_values<std::out_of_range>([&](const Tensor& x) { return table.at(whole(x)).set(x); }, good, bad, {"at", "(3,)"});
  checks_computed_values<std::out_of_range>([&](const Tensor& x) { return table.at(whole(x)).add(x); }, good, bad, {"3"});
  checks_computed_values<std::domain_error>([&](const Tensor& x) { return power(2, whole(x)); }, good, {row({0, -1})}, {"power", "-1"});
  checks_computed_values<std::domain_error>([&](const Tensor& x) { return remainder(7, whole(x) + 1); }, good, {row({0, -1})}, {"remainder"});
  checks_computed_values<std::domain_error>([&](const Tensor& x) { return fmod(7, whole(x) + 1); }, good, {row({0, -1})}, {"fmod"});
  checks_computed_values<std::out_of_range>([&](const Tensor& x) { return nn::cross_entropy(outer(x, table), whole(x)); }, good, bad, {"cross_entropy", "element"});
  checks_computed_values<std::out_of_range>([&](const Tensor& x) { return nn::nll_loss(outer(x, table), whole(x) - 102 * (x == 2)); }, good, bad, {"nll_loss"});
  checks_computed_values<std::domain_error>([&](const Tensor& x) { return nn::binary_cross_entropy(0.5 * x, 1 - 0.5 * x); }, good, {row({0, 3}), row({0, NAN})},
                                            {"binary_cross_entropy", "(2,)", "element 1", "with_logits"});
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const Tensor a = xt::xarray<double>{{2, 1}, {1, 3}}, b = xt::xarray<double>{1, 2};
  checks_computed_values<std::domain_error>([&](const Tensor& x) { return expm(x * a); }, {0.5, 1.0}, {infinity, -infinity}, {"expm"});
  checks_computed_values<std::domain_error>([&](const Tensor& x) { return lstsq(x * a, b); }, {0.5, 1.0}, {0.0, infinity}, {"lstsq"});
}

TEST(Jit, WhatIsIgnoredMayBeComputed) {
  const Tensor x = xt::xarray<double>{{1, 2, 4}, {3, 0, 1}};
  const auto loss = [&](const Tensor& y) { return nn::cross_entropy(x, where(y > 5, -100, y)); };
  const auto f = jit(loss);
  for (const Tensor& y : {Tensor{0, 2}, Tensor{0, 6}, Tensor{9, 1}}) EXPECT_TRUE(near(f(y), loss(y), 1e-15, 1e-15));
}

TEST(Jit, ACheckIsMadeThoughNoResultDependsOnIt) {
  const Tensor table = row({10, 20, 30}), good = row({2, 1}), bad = row({2, 5});
  const auto f = jit([&](const Tensor& x) {
    take(table, x.to(DType::int64));
    return 2 * x;
  });
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(near(f(good), row({4, 2}), 0, 0));
    EXPECT_TRUE(throws<std::out_of_range>([&] { f(bad); }, {"take", "5"}));
  }
}

TEST(Jit, DifferentiatesThroughWhatItChecks) {
  const auto loss = [](const Tensor& x) { return nn::binary_cross_entropy(sigmoid(x), Tensor(xt::xarray<double>{0, 1, 0.25})); };
  const Tensor x = xt::xarray<double>{0.5, -1, 2}, other = xt::xarray<double>{1, 2, 3};
  const auto gradient = jit(grad(loss), {.verify = true});
  const auto hessian_of = jit([&](const Tensor& t) { return hessian(loss, t); });
  const auto batch = jit(vmap([&](const Tensor& t) { return take(x, argmax(t, 0)) * t; }));
  for (const Tensor& at : {x, other}) {
    EXPECT_TRUE(near(gradient(at), grad(loss)(at), 1e-14, 1e-14));
    EXPECT_TRUE(near(hessian_of(at), hessian(loss, at), 1e-14, 1e-14));
    const Tensor rows = stack({at, flip(at)});
    EXPECT_TRUE(near(batch(rows), stack({take(x, argmax(at, 0)) * at, take(x, argmax(flip(at), 0)) * flip(at)}), 0, 0));
  }
}

TEST(Jit, TakesStridedAndPendingArguments) {
  const auto f = jit([](const Tensor& x) { return matmul(x, x) + sum(x, 0); });
  const Tensor x = xt::xarray<float>{{1, 2}, {3, 4}}, turned = transpose(x), pending = x * 2;
  const auto plain = [](const Tensor& t) { return matmul(t, t) + sum(t, 0); };
  EXPECT_TRUE(near(f(x), plain(x), 0, 0));
  EXPECT_TRUE(near(f(turned), plain(turned), 0, 0));
  EXPECT_TRUE(near(f(pending), plain(x * 2), 0, 0));
}

TEST(Jit, MayBeSharedByThreads) {
  const auto f = jit([](const Tensor& x) { return sum(x * x); });
  std::vector<double> results(4);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) results[static_cast<std::size_t>(t)] += f(full({3}, t)).item();
    });
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < 4; ++t) EXPECT_EQ(results[static_cast<std::size_t>(t)], 50 * 3 * t * t);
}

TEST(Jit, IsWhatItsFunctionIsInAnomalyMode) {
  int calls = 0;
  const auto f = jit([&](const Tensor& x) {
    ++calls;
    return log(x);
  });
  const Tensor x = row({-1, 1});
  f(x);
  const AnomalyMode watch;
  EXPECT_THROW(f(x), std::exception);
  EXPECT_EQ(calls, 2);
}

}  // namespace
