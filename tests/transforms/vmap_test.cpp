// vmap: every row of the catalogue of ops as a loop would have it, values and gradients, and what functions may do inside.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <set>
#include <tests/catalogue/catalogue.hpp>
#include <tests/support/throws.hpp>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

using Tensors = std::vector<Tensor>;
using Mapping = std::vector<MappedAxis>;

/// What `vmap` stands for, with axes in front.
TensorFunction loop(const TensorFunction& f, const Mapping& axes) {
  return [=](const Tensors& inputs) {
    Tensors results;
    std::int64_t count = 0;
    for (std::size_t i = 0; i < axes.size(); ++i)
      if (axes[i]) count = inputs[i].shape(0);
    for (std::int64_t at = 0; at < count; ++at) {
      Tensors element;
      for (std::size_t i = 0; i < axes.size(); ++i) element.push_back(axes[i] ? inputs[i].slice(at) : inputs[i]);
      results.push_back(f(element));
    }
    return stack(results);
  };
}

void expect_same(const Tensor& actual, const Tensor& expected) {
  ASSERT_EQ(actual.shape(), expected.shape());
  EXPECT_EQ(actual.dtype(), expected.dtype());
  const Values a = values(actual), e = values(expected);
  for (std::size_t i = 0; i < e.size(); ++i)
    if (!(std::isnan(a[i]) && std::isnan(e[i])) && a[i] != e[i]) {
      ASSERT_NEAR(a[i], e[i], 1e-10 * std::max(1.0, std::abs(e[i]))) << "at " << i;
    }
}

void expect_as_loop(const TensorFunction& f, const Mapping& axes, Tensors inputs) {
  const TensorFunction batched = vmap(f, axes), one_by_one = loop(f, axes);
  expect_same(batched(inputs), one_by_one(inputs));
  for (Tensor& input : inputs) input = input.detach().set_requires_grad();
  const Tensor expected = one_by_one(inputs), actual = batched(inputs);
  ASSERT_EQ(actual.requires_grad(), expected.requires_grad());
  if (!expected.requires_grad()) return;
  const GradOptions options{.cotangents = {Generator(3).normal(expected.shape(), 0, 1, DType::float64).to(expected.dtype())}, .allow_unused = true};
  const Tensors a = grad({actual}, inputs, options), e = grad({expected}, inputs, options);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!e[i].defined()) continue;
    SCOPED_TRACE("gradient of input " + std::to_string(i));
    ASSERT_TRUE(a[i].defined());
    expect_same(a[i], e[i]);
  }
}

class EveryOp : public testing::TestWithParam<catalogue::Row> {};

/// Functions that choose what to do by values of their arguments.
const std::set<std::string> reading{"one_hot"};

TEST_P(EveryOp, IsTheSameForABatchAsInALoop) {
  const catalogue::Row& row = GetParam();
  if (row.function == "nonzero" || row.function == "masked_select") return;  // shapes differ from element to element
  for (const auto& shapes : row.shapes) {
    if (size_of(shapes[0]) > 200) continue;
    SCOPED_TRACE("first shape " + to_string(shapes[0]));
    Tensors batch, single = catalogue::draw(row, shapes, 21);
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      Tensors elements;
      for (std::uint64_t seed = 1; seed <= 3; ++seed) elements.push_back(catalogue::draw(row, shapes, seed)[i]);
      batch.push_back(stack(elements).evaluate());
    }
    expect_as_loop(row.apply, Mapping(shapes.size(), 0), batch);
    int calls = 0;
    const auto counted = [&](const Tensors& inputs) {
      ++calls;
      return row.apply(inputs);
    };
    vmap(counted, Mapping(shapes.size(), 0))(batch);
    EXPECT_EQ(calls, reading.contains(row.function) && size_of(shapes[0]) > 0 ? 4 : 1);
    for (std::size_t only = 0; shapes.size() > 1 && only < shapes.size(); ++only) {
      SCOPED_TRACE("only argument " + std::to_string(only) + " mapped");
      Mapping axes(shapes.size());
      axes[only] = 0;
      Tensors inputs = single;
      inputs[only] = batch[only];
      expect_as_loop(row.apply, axes, inputs);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, EveryOp, testing::ValuesIn(catalogue::rows()), [](const auto& info) {
  std::string name = info.param.name;
  std::erase(name, '_');
  return name;
});

TEST(Vectorize, CallsTheFunctionOnce) {
  int calls = 0;
  const auto f = [&](const Tensor& x) {
    ++calls;
    return sum(softmax(matmul(x, transpose(x)) + 1).slice(xt::all(), 0) * exp(-square(x.slice(xt::all(), 1))));
  };
  const Tensor x = Generator(1).normal({5, 4, 3}, 0, 1, DType::float64);
  const Tensor y = vmap(f)(x);
  EXPECT_EQ(calls, 1);
  Tensors expected;
  for (std::int64_t i = 0; i < 5; ++i) expected.push_back(f(x.slice(i)));
  expect_near(y, values(stack(expected)));
  // No op of it but works on the batch: as many nodes as for one.
  std::size_t nodes = 0;
  const std::string graph = to_dot(vmap(f)(x.detach().set_requires_grad()));
  for (std::size_t at = 0; (at = graph.find("concatenate", at)) != std::string::npos; ++at) ++nodes;
  EXPECT_EQ(nodes, 0u);
}

TEST(Vectorize, MapsOverTheAxesGiven) {
  const Tensor x = numbered({2, 3, 4}), w = numbered({4, 5});
  const auto f = vmap([](const Tensors& in) { return matmul(in[0], in[1]) + in[2]; }, {1, std::nullopt, -1});
  const Tensor c = numbered({5, 3});
  Tensors expected;
  for (std::int64_t i = 0; i < 3; ++i) expected.push_back(matmul(x.slice(xt::all(), i), w) + c.slice(xt::all(), i));
  expect_near(f({x, w, c}), values(stack(expected)));
  EXPECT_TRUE(gradcheck(f, {x, w, c}, {.atol = 1e-5}));
  EXPECT_TRUE(gradgradcheck(f, {0.1 * x, 0.1 * w, c}, {.atol = 1e-6}));
}

TEST(Vectorize, GivesTheGradientOfEveryExample) {
  Generator generator(2);
  Tensor w = generator.normal({4, 3}, 0, 1, DType::float64).set_requires_grad();
  const Tensor x = generator.normal({6, 4}, 0, 1, DType::float64), y = generator.normal({6, 3}, 0, 1, DType::float64);
  int calls = 0;
  const auto loss = [&](const Tensors& in) {
    ++calls;
    return mean(square(tanh(matmul(in[1], in[0])) - in[2]));
  };
  const auto by_weights = [&](const Tensors& in) { return grad([&](const Tensor& at) { return loss({at, in[0], in[1]}); })(w); };
  const Tensor all = vmap(by_weights, {0, 0})({x, y});
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(all.shape(), (Shape{6, 4, 3}));
  for (std::int64_t i = 0; i < 6; ++i) expect_near(all.slice(i), values(by_weights({x.slice(i), y.slice(i)})));
  const Tensor untracked = no_grad([&] { return vmap(by_weights, {0, 0})({x, y}); });
  EXPECT_FALSE(untracked.requires_grad());
  expect_near(untracked, values(all));
  const Tensor constant = w.detach();
  calls = 0;
  const auto by_constant = [&](const Tensors& in) { return grad([&](const Tensor& at) { return loss({at, in[0], in[1]}); })(constant); };
  expect_near(vmap(by_constant, {0, 0})({x, y}), values(all));
  expect_near(vmap(by_constant, {0, std::nullopt})({x, y.slice(0)}).slice(0), values(all.slice(0)));
  EXPECT_EQ(calls, 2);
  sum(square(all)).backward();
  const Tensor through = w.grad();
  w.zero_grad();
  for (std::int64_t i = 0; i < 6; ++i) sum(square(by_weights({x.slice(i), y.slice(i)}))).backward();
  expect_near(through, values(w.grad()));
}

TEST(Vectorize, NestsAndTakesDerivativesInside) {
  const auto f = [](const Tensor& x) { return sum(sin(x) * x * x); };
  const Tensor x = numbered({2, 3, 4}) / 10;
  expect_near(vmap(vmap(f))(x), values(sum(sin(x) * x * x, -1)));
  const Tensor hessians = vmap([&](const Tensor& row) { return hessian(f, row); })(x.slice(0));
  for (std::int64_t i = 0; i < 3; ++i) expect_near(hessians.slice(i), values(hessian(f, x.slice(0, i))));
  const auto outer = vmap([](const Tensors& in) { return vmap([](const Tensors& t) { return t[0] * t[1]; }, {std::nullopt, 0})(in); }, {0, std::nullopt});
  expect_near(outer({numbered({3}), numbered({4})}), values(xgrad::outer(numbered({3}), numbered({4}))));
}

TEST(Vectorize, CallsAFunctionThatReadsValuesForEach) {
  int calls = 0;
  const auto absolute = [&](const Tensor& x) {
    ++calls;
    return x.item() < 0 ? -x : x * 1;
  };
  const auto f = vmap(absolute);
  const Tensor x{-1.0, 2.0, -3.0};
  expect_near(f(x), {1, 2, 3});
  EXPECT_EQ(calls, 4);  // once to see it
  expect_near(grad([&](const Tensor& at) { return sum(f(at)); })(x), {-1, 1, -1});
  EXPECT_EQ(calls, 7);  // it is known now
}

TEST(Vectorize, LetsFunctionsReadWhatIsTheSameForAll) {
  int calls = 0;
  const Tensor scale = Tensor(3.0) * 2;
  const auto f = [&](const Tensor& x) {
    ++calls;
    return x * scale.item() + take(x, Tensor{1, 0, 1});
  };
  expect_near(vmap(f)(Tensor{{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}}), {8, 13, 20, 29, 34, 41});
  EXPECT_EQ(calls, 1);
}

TEST(Vectorize, KeepsWhatIsNotDifferentiated) {
  Tensor w = Tensor(3.0).set_requires_grad();
  const auto f = [&](const Tensor& x) { return x * stop_gradient(x) * w + no_grad([&] { return w * x; }); };
  Tensor x = Tensor{1.0, 2.0}.set_requires_grad();
  sum(vmap(f)(x)).backward();
  expect_near(x.grad(), {3, 6});
  expect_near(w.grad(), {5});
  EXPECT_FALSE(vmap([](const Tensor& t) { return t.detach() * 2; })(x).requires_grad());
  expect_near(vmap([](const Tensor&) { return Tensor{1.0, 2.0}; })(x), {1, 2, 1, 2});
  EXPECT_FALSE(no_grad([&] { return vmap([&](const Tensor&) { return w * 2; })(x); }).requires_grad());
}

TEST(Vectorize, MapsFunctionsWithRulesOfTheirOwn) {
  std::vector<Values> seen;
  const auto cube = custom_function([](const Tensors& x) { return power(x[0], 3); },
                                    [](const Tensor& g, const Tensors& x, const Tensor&) { return Tensors{g * 3 * x[0] * x[0]}; });
  const auto f = [&](const Tensor& x) {
    const Tensor watched = with_hook(x, [&](const Tensor& g) {
      seen.push_back(values(g));
      return g;
    });
    return sum(cube({watched}) * checkpoint([](const Tensors& in) { return exp(in[0]); }, {x}));
  };
  const Tensor x{{0.1, 0.2}, {0.3, 0.4}, {0.5, 0.6}};
  const auto total = [](const UnaryFunction& g) { return [g](const Tensor& at) { return sum(square(g(at))); }; };
  const Tensor batched = grad(total(vmap(f)))(x);
  EXPECT_EQ(seen.size(), 3u);
  expect_near(batched, values(grad(total([](const Tensor& at) { return sum(power(at, 3) * exp(at), 1); }))(x)));
}

TEST(Vectorize, MapsElementwiseFunctionsOfOnesOwn) {
  int calls = 0;
  const auto f = [&](const Tensors& in) {
    ++calls;
    return elementwise([](auto a, auto b) { return a * a * b + a / (1 + b * b); }, in[0], in[1]);
  };
  expect_as_loop(f, {0, std::nullopt}, {numbered({3, 2, 4}), numbered({4}) / 5});
  calls = 0;
  vmap(f, {0, 0})({numbered({3, 2, 4}), numbered({3, 1})});
  EXPECT_EQ(calls, 1);
}

TEST(Vectorize, WorksInFloat32AndOnIntegers) {
  const Tensor x = Generator(4).normal({3, 5}), labels{1, 0, 4};
  const auto f = vmap([](const Tensors& in) { return sum(log_softmax(in[0]) * (arange(0, 5, 1, DType::int64) == in[1]).to(DType::float32)); }, {0, 0});
  const Tensor y = f({x, labels});
  EXPECT_EQ(y.dtype(), DType::float32);
  for (std::int64_t i = 0; i < 3; ++i) EXPECT_NEAR(y.slice(i).item(), log_softmax(x.slice(i)).slice(labels.slice(i).item<std::int64_t>()).item(), 1e-6);
}

TEST(Vectorize, ReportsErrorsOfValuesAtTheCall) {
  const Tensor matrices = stack({eye(2, DType::float64), zeros({2, 2}, DType::float64)});
  EXPECT_TRUE(throws<std::domain_error>([&] { vmap([](const Tensor& a) { return inv(a); })(matrices); }, {"inv", "1 of 2", "singular"}));
}

TEST(Vectorize, RefusesWhatItCannotMap) {
  const auto first = [](const Tensors& in) { return in[0]; };
  const Tensor x = zeros({3, 2}), y = zeros({4, 2});
  const auto refuses = [&](const Mapping& axes, const Tensors& inputs, std::initializer_list<std::string> parts) {
    return throws<std::invalid_argument>([&] { vmap(first, axes)(inputs); }, parts);
  };
  EXPECT_TRUE(refuses({0, 0}, {x, y}, {"vmap", "(3, 2) along 0", "(4, 2) along 0"}));
  EXPECT_TRUE(refuses({0}, {x, y}, {"vmap", "1 axes", "2 arguments"}));
  EXPECT_TRUE(refuses({std::nullopt}, {x}, {"vmap", "no argument is mapped"}));
  EXPECT_TRUE(refuses({2}, {x}, {"vmap", "(3, 2)"}));
  EXPECT_TRUE(refuses({0}, {zeros({0, 2})}, {"vmap", "(0, 2)", "empty"}));
  EXPECT_TRUE(throws<std::logic_error>([&] { vmap(first, {0})({Tensor()}); }, {"vmap"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { vmap([](const Tensor& t) { return matmul(t, t); })(zeros({3, 2, 4})); }, {"matmul", "(2, 4)"}));
  // What is selected has another shape for each.
  EXPECT_TRUE(throws<std::invalid_argument>([&] { vmap([](const Tensor& t) { return masked_select(t, t > 0); })(Tensor{{1.0, -1.0}, {2.0, 3.0}}); }, {"stack", "(1,)", "(2,)"}));
}

}  // namespace
