// The evaluator computes elementwise nodes in groups, tile by tile, and reuses buffers: none of it may show in a value.
#include <gtest/gtest.h>

#include <algorithm>
#include <autodiff/autodiff.hpp>
#include <autodiff/evaluate/fusion.hpp>
#include <autodiff/kernels/tiles.hpp>
#include <functional>
#include <numeric>
#include <random>
#include <set>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;
using namespace xt::placeholders;

namespace {

// ---- tiles ----

/// Inputs of one shape that lie in memory in every way there is, with the values they have.
std::vector<std::pair<Tensor, Values>> layouts(const Shape& shape, DType dtype) {
  const Values ascending = counted(size_of(shape));
  std::vector<std::pair<Tensor, Values>> result;
  result.emplace_back(numbered(shape, dtype), ascending);
  result.emplace_back(transpose(transpose(numbered(shape, dtype)).evaluate() * 1), ascending);
  result.emplace_back(full(shape, 3, dtype), Values(ascending.size(), 3));
  result.emplace_back(broadcast_to(Tensor(5.0).to(dtype), shape), Values(ascending.size(), 5));
  if (shape.empty()) return result;
  const Values descending(ascending.rbegin(), ascending.rend());
  std::vector<Slice> backwards(shape.size(), Slice(xt::range(_, _, -1)));
  result.emplace_back(numbered(shape, dtype).slice(backwards), descending);
  // Every second column of a wider array.
  Shape wide = shape;
  wide.back() *= 2;
  Values every_second(ascending.size());
  for (std::size_t i = 0; i < every_second.size(); ++i) every_second[i] = 2 * static_cast<double>(i) + 1;
  result.emplace_back(numbered(wide, dtype).slice(xt::ellipsis(), xt::range(0, wide.back(), 2)), every_second);
  // One row, repeated; one column, repeated.
  const std::int64_t row = shape.back();
  Values repeated_row(ascending.size()), repeated_column(ascending.size());
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    repeated_row[i] = static_cast<double>(static_cast<std::int64_t>(i) % row + 1);
    repeated_column[i] = static_cast<double>(static_cast<std::int64_t>(i) / row + 1);
  }
  result.emplace_back(broadcast_to(numbered({row}, dtype), shape), repeated_row);
  Shape column = shape;
  column.back() = 1;
  result.emplace_back(numbered(column, dtype), repeated_column);
  return result;
}

TEST(Evaluate, EveryLayoutGivesTheSameValuesAroundTheTileSize) {
  std::vector<Shape> shapes{{}, {1, 1, 1}, {2, 3, 4, 5}, {2, 2, 129}, {3, 1, 600}};
  for (const std::int64_t n : {1, 2, 127, 128, 129, 511, 512, 513, 1025}) {
    shapes.push_back({n});
    shapes.push_back({3, n});
    shapes.push_back({n, 3});
  }
  for (const Shape& shape : shapes)
    for (const DType dtype : {DType::float32, DType::float64, DType::int64})
      for (const auto& [a, a_values] : layouts(shape, dtype))
        for (const auto& [b, b_values] : layouts(shape, dtype)) {
          const Tensor y = broadcast_to(a, shape) - 2 * b + 1;
          ASSERT_EQ(y.dtype(), dtype);
          Values expected(a_values.size());
          for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = a_values[i] - 2 * b_values[i] + 1;
          ASSERT_EQ(values(y), expected) << to_string(shape) << ' ' << name_of(dtype);
        }
}

TEST(Evaluate, ConditionsAndCastsMixElementSizesInOneGroup) {
  for (const std::int64_t n : {1, 511, 512, 513, 1025}) {
    const Tensor x = numbered({n}, DType::float32), k = numbered({n}, DType::int64);
    const Tensor y = where((x > 10) == (k > 10), x.to(DType::float64) * 2, -1.0) + k.to(DType::bool_).to(DType::int64);
    EXPECT_EQ(y.dtype(), DType::float64);
    Values expected = counted(n);
    for (double& value : expected) value = 2 * value + 1;
    EXPECT_EQ(values(y), expected);
  }
}

TEST(Evaluate, EmptyTensorsPassThrough) {
  const Tensor x = zeros({0, 3});
  EXPECT_EQ(values(exp(x) + 1), Values());
  EXPECT_EQ((exp(x) + 1).shape(), (Shape{0, 3}));
  EXPECT_EQ(values(sum(exp(x) * 2, 0)), Values(3, 0));
}

// ---- groups ----

TEST(Evaluate, GroupsLongerThanAnyBoundKeepValuesThatAreHeld) {
  for (const std::int64_t n : {1, 600}) {
    std::vector<Tensor> kept;
    Tensor x = zeros({n}, DType::float64);
    for (int i = 1; i <= 3000; ++i) {
      x = x + 1;
      if (i % 7 == 0) kept.push_back(x);
    }
    x.evaluate();
    for (std::size_t i = 0; i < kept.size(); ++i)
      ASSERT_EQ(values(kept[i]), Values(static_cast<std::size_t>(n), 7.0 * static_cast<double>(i + 1)));
    EXPECT_EQ(values(x), Values(static_cast<std::size_t>(n), 3000));
  }
}

TEST(Evaluate, AGroupMayHaveHundredsOfInputsAndOutputs) {
  std::vector<Tensor> inputs, outputs;
  Tensor total = zeros({100}, DType::float64);
  for (int i = 0; i < 700; ++i) {
    inputs.push_back(full({100}, i, DType::float64) * 1);
    total = total + inputs.back();
    outputs.push_back(total * 2);
  }
  evaluate(outputs);
  for (int i = 0; i < 700; ++i)
    ASSERT_EQ(values(outputs[static_cast<std::size_t>(i)]), Values(100, 2.0 * i * (i + 1) / 2));
}

std::vector<detail::Node*> nodes_of(const std::vector<Tensor>& tensors) {
  std::vector<detail::Node*> nodes;
  for (const Tensor& tensor : tensors) nodes.push_back(tensor.node());
  return nodes;
}

std::vector<detail::Pass> passes_of(const std::vector<detail::Node*>& nodes) {
  return detail::plan(nodes, std::vector<bool>(nodes.size(), false));
}

std::vector<std::size_t> sizes_of(const std::vector<detail::Pass>& passes) {
  std::vector<std::size_t> sizes;
  for (const detail::Pass& pass : passes) sizes.push_back(pass.nodes.size());
  return sizes;
}

TEST(Evaluate, ConnectedElementwiseNodesOfOneShapeAreOnePass) {
  const Tensor x = numbered({4, 5});
  const Tensor a = tanh(x), b = a * x, c = a + b;
  EXPECT_EQ(sizes_of(passes_of(nodes_of({a, b, c}))), (std::vector<std::size_t>{3}));
  const Tensor other = exp(numbered({3}));
  EXPECT_EQ(sizes_of(passes_of(nodes_of({a, other, b}))).size(), 2u);
}

TEST(Evaluate, APathNeverLeavesAPassAndComesBack) {
  const Tensor x = numbered({4, 5});
  const Tensor h = tanh(x), s = sum(h), y = h + s;
  EXPECT_EQ(sizes_of(passes_of(nodes_of({h, s, y}))), (std::vector<std::size_t>{2, 1}));  // the sum is taken on the way
  EXPECT_EQ(values(y).front(), values(h).front() + s.item());
}

TEST(Evaluate, SumsGoToThePassThatReadsOrMakesTheirTerms) {
  const Tensor x = numbered({200, 300}), w = numbered({200, 300});
  const Tensor y = x * w, t = y * x, s = sum(t), c = sum(w, 0), m = sum(y, -1, true), z = y / m;
  const std::vector<Tensor> all{y, t, s, c, m, z};
  std::vector<bool> kept(all.size(), true);
  kept[1] = false;
  EXPECT_EQ(sizes_of(detail::plan(nodes_of(all), kept)), (std::vector<std::size_t>{5, 1}));
  // Not where another sum tells rows of another length, by which its order would change.
  const Tensor deep = numbered({20, 3, 200}), u = deep * deep;
  const std::vector<Tensor> sums{u, sum(u, -1), sum(u, 0), sum(u)};
  EXPECT_EQ(sizes_of(detail::plan(nodes_of(sums), {true, true, true, true})), (std::vector<std::size_t>{3, 1}));
}

TEST(Evaluate, SumsOfLargeArraysAreThoseOfTheirRowsWhateverTheirAxes) {
  for (const Shape& shape : std::vector<Shape>{{40, 30, 64}, {1500, 3, 50}, {9, 100, 100}, {70, 10, 130}, {600, 130}}) {
    const Tensor x = Generator(1).normal(shape, 0, 1, DType::float64), w = Generator(2).normal(shape, 0, 1, DType::float64);
    const Values a = values(x), b = values(w);
    const std::size_t rows = static_cast<std::size_t>(shape[0]), columns = a.size() / rows;
    std::vector<double> of_columns(columns, 0), of_rows(rows, 0);
    for (std::size_t i = 0; i < a.size(); ++i) {
      of_columns[i % columns] += a[i] * b[i];
      of_rows[i / columns] += a[i] * b[i];
    }
    std::vector<std::int64_t> axes(shape.size() - 1);
    std::iota(axes.begin(), axes.end(), std::int64_t{1});
    const Tensor product = x * w;
    const std::vector<Tensor> sums{sum(product, 0), sum(product, axes)};
    evaluate(sums);
    const Values found_columns = values(sums[0]), found_rows = values(sums[1]);
    for (std::size_t j = 0; j < columns; ++j) ASSERT_NEAR(found_columns[j], of_columns[j], 1e-10) << to_string(shape) << ", column " << j;
    for (std::size_t i = 0; i < rows; ++i) ASSERT_NEAR(found_rows[i], of_rows[i], 1e-10) << to_string(shape) << ", row " << i;
  }
}

TEST(Evaluate, ArithmeticWithAConstantIsThatOfEachElement) {
  constexpr std::int64_t rows = 5, columns = 700;  // blocks, single vectors and a rest
  for (const DType dtype : {DType::float32, DType::float64}) {
    const Tensor x = (numbered({rows, columns}) * 0.25 - 300.5).to(dtype).evaluate(), r = (numbered({rows, 1}) * 1.5).to(dtype).evaluate();
    const Values a = values(x), b = values(r);
    const auto expect = [&](const Tensor& found, const std::function<double(double x, double r)>& f) {
      const Values at = values(found);
      for (std::size_t i = 0; i < a.size(); ++i)
        ASSERT_NEAR(at[i], f(a[i], b[i / columns]), (dtype == DType::float32 ? 1e-6 : 1e-14) * 1e4) << name_of(dtype) << ' ' << i;
    };
    for (const double c : {2.5, -0.5}) {
      expect(x + c, [c](double v, double) { return v + c; });
      expect(c + -x, [c](double v, double) { return c - v; });
      expect(x - c, [c](double v, double) { return v - c; });
      expect(c - x, [c](double v, double) { return c - v; });
      expect(-x - c, [c](double v, double) { return -v - c; });
      expect(c - -x, [c](double v, double) { return c + v; });
      expect(-x * c, [c](double v, double) { return -v * c; });
    }
    expect(x - r, [](double v, double w) { return v - w; });
    expect(r - x, [](double v, double w) { return w - v; });
    expect(-x - r, [](double v, double w) { return -v - w; });
    expect(r - -x, [](double v, double w) { return w + v; });
    expect(-x * r + x, [](double v, double w) { return -v * w + v; });
    expect((r - x) * x - r, [](double v, double w) { return (w - v) * v - w; });
    // A cotangent of zero absorbs whatever the slope is, on either side of a product.
    const Tensor zero = zeros({rows, columns}, dtype).set_requires_grad(), none = zeros({rows, 1}, dtype);
    expect(grad(std::vector<Tensor>{sqrt(zero)}, {zero}, {.cotangents = {broadcast_to(none, {rows, columns})}})[0],
           [](double, double) { return 0.0; });
    const Tensor y = x.detach().set_requires_grad();
    expect(grad(std::vector<Tensor>{square(y)}, {y}, {.cotangents = {broadcast_to(r, {rows, columns})}})[0],
           [](double v, double w) { return 2 * v * w; });
    expect(grad(std::vector<Tensor>{y / r}, {y}, {.cotangents = {x}})[0], [](double v, double w) { return v / w; });
  }
}

TEST(Evaluate, PlansRespectInputsHoweverNodesAreConnected) {
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    std::mt19937 choose(seed);
    std::vector<Tensor> tensors;
    std::vector<Tensor> all{numbered({4}), numbered({2, 4})};
    for (int i = 0; i < 300; ++i) {
      const Tensor &a = all[choose() % all.size()], &b = all[choose() % all.size()];
      const std::size_t kind = choose() % 12;
      tensors.push_back(kind == 0   ? sum(a, -1, true) + zeros({4})
                        : kind == 1 ? transpose(transpose(a).slice(xt::range(0, 4))) * 1
                                    : a + b);
      all.push_back(tensors.back());
    }
    // Every node that is not computed yet, inputs included.
    std::set<std::pair<std::uint64_t, detail::Node*>> pending;
    std::vector<detail::Node*> stack = nodes_of(tensors);
    while (!stack.empty()) {
      detail::Node* node = stack.back();
      stack.pop_back();
      if (node->evaluated || !pending.emplace(node->sequence, node).second) continue;
      for (const Tensor& input : node->inputs.span()) stack.push_back(input.node());
    }
    std::vector<detail::Node*> nodes;
    for (const auto& [sequence, node] : pending) nodes.push_back(node);

    std::set<const detail::Node*> done;
    for (const detail::Pass& pass : passes_of(nodes)) {
      for (const std::uint32_t index : pass.nodes) {
        detail::Node* node = nodes[index];
        const bool is_sum = node->op->kind() == Op::Kind::sum;
        const detail::Node* const first = nodes[pass.nodes.front()];
        if (pass.nodes.size() > 1) {
          const auto computed = [](const detail::Node& of) { return of.op->kind() == Op::Kind::sum ? of.inputs.span()[0].shape() : of.shape; };
          ASSERT_EQ(computed(*node), computed(*first));
        }
        ASSERT_TRUE(pass.nodes.size() == 1 || is_sum || node->op->kind() == Op::Kind::elementwise);
        for (const Tensor& input : node->inputs.span())
          ASSERT_TRUE(input.node()->evaluated || done.contains(input.node()));
        ASSERT_TRUE(done.insert(node).second);
      }
    }
    ASSERT_EQ(done.size(), nodes.size());
  }
}

TEST(Evaluate, ResultsHaveTheSameBitsForAnyNumberOfThreads) {
  const int before = num_threads();
  Generator generator(5);
  const Tensor x = generator.normal({700, 1000}).set_requires_grad(), bias = generator.normal({1000}).set_requires_grad();
  const Tensor line = generator.normal({300001}).set_requires_grad(), deep = generator.normal({90, 30, 64}).set_requires_grad();
  const auto compute = [&](int threads) {
    set_num_threads(threads);
    const Tensor h = tanh(x * 2 + bias), rows = sum(h * h, 1), loss = sum(rows * 0.5) + sum(exp(h));
    const Tensor of_line = sum(line * line * line), of_deep = sum(deep * deep, 0);  // in several parts
    std::vector<Tensor> gradients = grad({loss, of_line, sum(of_deep)}, {x, bias, line, deep});
    std::vector<Values> result{values(loss), values(rows), values(of_line), values(of_deep)};
    for (const Tensor& gradient : gradients) result.push_back(values(gradient));
    return result;
  };
  const std::vector<Values> one = compute(1);
  for (const int threads : {2, 3, 8}) EXPECT_TRUE(compute(threads) == one) << threads;
  set_num_threads(before);
}

TEST(Evaluate, ProductsHaveTheSameBitsForAnyNumberOfThreads) {
  const int before = num_threads();
  Generator generator(6);
  const auto compute = [&](int threads, const Tensor& a, const Tensor& b) {
    set_num_threads(threads);
    const Tensor both = stack({matmul(a, b), matmul(matrix_transpose(b), matrix_transpose(a)).sum() + matmul(a, b)});
    EXPECT_EQ(num_threads(), threads);
    return values(both);
  };
  // Tall, wide, of a size that no part divides, of few rows, many small ones, one of several.
  const std::vector<std::pair<Shape, Shape>> shapes{{{700, 300}, {300, 33}},    {{33, 300}, {300, 700}},      {{257, 131}, {131, 259}},
                                                    {{2, 1500}, {1500, 1100}},  {{1025, 64}, {64, 17}},       {{6, 5, 64, 70}, {5, 70, 60}},
                                                    {{3, 200, 210}, {210, 200}}, {{31, 500}, {500, 129}},     {{64, 129}, {129, 1}},
                                                    {{3000, 1500}, {1500, 1}},   {{1, 1500}, {1500, 3001}},   {{128, 300}, {300, 256}}};
  for (const auto& [left, right] : shapes) {
    const Tensor a = generator.normal(left), b = generator.normal(right, 0, 1, DType::float32);
    const Values one = compute(1, a, b);
    for (const int threads : {2, 3, 8}) EXPECT_TRUE(compute(threads, a, b) == one) << to_string(left) << threads;
    const Tensor wide = matmul(a.to(DType::float64), b.to(DType::float64));
    for (const int threads : {1, 3}) {
      set_num_threads(threads);
      EXPECT_LT(max(abs(matmul(a, b) - wide)).item(), 1e-2) << to_string(left) << threads;
      EXPECT_EQ(values(matmul(a.to(DType::float64), b.to(DType::float64))), values(wide)) << to_string(left) << threads;
    }
  }
  set_num_threads(before);
}

/// What a fused sum should be, added up in float64.
TEST(Evaluate, SumsTakenOnTheWayAreThoseOfTheirTerms) {
  Generator generator(6);
  for (const DType dtype : {DType::float32, DType::float64})
    for (const Shape& shape : {Shape{3}, {127}, {128}, {129}, {1000}, {5, 130}, {40, 128}, {70, 200}, {130, 1}, {1, 300}, {3, 50, 60},
                               {2, 3, 257}, {200, 333}, {70000}, {300, 400}})
      for (const Axes& axes : {Axes(), Axes(-1), Axes(0)}) {
        const Tensor x = generator.uniform(shape, -1, 1, dtype), column = generator.uniform({shape[0]}, 0, 1, dtype);
        Shape along(shape.size(), 1);
        along[0] = shape[0];
        const Tensor terms = x * x + reshape(column, along), fused = sum(x * x + reshape(column, along), axes);
        const Tensor expected = sum(terms.evaluate().to(DType::float64), axes);
        const Values a = values(fused), b = values(expected);
        ASSERT_EQ(a.size(), b.size());
        for (std::size_t i = 0; i < a.size(); ++i)
          ASSERT_NEAR(a[i], b[i], (dtype == DType::float32 ? 1e-6 : 1e-14) * (1 + std::abs(b[i]))) << to_string(shape) << ' ' << i;
      }
}

TEST(Evaluate, SeveralTensorsAreComputedTogether) {
  const Tensor x = numbered({5}), h = exp(x), y = h * 2, z = h + 1, unused = h - 1;
  evaluate(std::vector<Tensor>{y, z});
  EXPECT_TRUE(y.node()->evaluated && z.node()->evaluated && !unused.node()->evaluated);
  EXPECT_EQ(values(unused)[0], values(h)[0] - 1);
  EXPECT_THROW(evaluate(std::vector<Tensor>{y, Tensor()}), std::logic_error);
  EXPECT_THROW(Tensor().evaluate(), std::logic_error);
  EXPECT_NO_THROW(evaluate(std::vector<Tensor>{}));
}

// ---- buffers ----

TEST(Evaluate, AValueNobodyHoldsGivesItsBufferToTheResult) {
  Tensor x = exp(numbered({1000}));
  const double* before = x.data<double>();
  x = x * 2 + 1;
  EXPECT_EQ(x.data<double>(), before);
}

TEST(Evaluate, AValueThatAHandleHoldsIsNotWrittenOver) {
  const Tensor x = numbered({1000}) * 1;
  const Values before = values(x);
  const Tensor copy = x;
  EXPECT_NE((x * 2).data<double>(), x.data<double>());
  EXPECT_EQ(values(copy), before);
}

TEST(Evaluate, AValueThatAnArrayHoldsIsNotWrittenOver) {
  Tensor x = numbered({1000}) * 1;
  const auto array = x.array<double>();
  x = x * 2;
  x.evaluate();
  EXPECT_EQ(Values(array.begin(), array.end()), counted(1000));
  EXPECT_EQ(values(x)[999], 2000);
}

TEST(Evaluate, AValueThatAViewShowsIsNotWrittenOver) {
  const std::pair<std::function<Tensor(const Tensor&)>, Values> views[] = {
      {[](const Tensor& x) { return x.slice(3); }, counted(100, 301)},
      {[](const Tensor& x) { return x.detach(); }, counted(1000)},
      {[](const Tensor& x) { return transpose(x).slice(0); }, {1, 101, 201, 301, 401, 501, 601, 701, 801, 901}}};
  for (const auto& [view, expected] : views) {
    Tensor x = (numbered({10, 100}) * 1).evaluate();
    const Tensor part = view(x).evaluate();
    x = x * 2;
    x.evaluate();
    EXPECT_EQ(values(part), expected);
  }
}

TEST(Evaluate, APartOfABufferIsReusedWhereItLies) {
  Tensor x = (numbered({10, 100}) * 1).slice(xt::range(4, 6));
  const double* before = x.data<double>();
  x = x + 0.5;
  EXPECT_EQ(values(x), counted(200, 401.5));
  EXPECT_EQ(x.data<double>(), before);
}

TEST(Evaluate, AValueThatAPendingNodeNeedsIsNotWrittenOver) {
  Tensor x = numbered({1000}) * 1;
  x.evaluate();
  const Tensor later = x + 0.5, product = sum(x * x);
  x = x * 2;
  x.evaluate();
  EXPECT_EQ(values(later), counted(1000, 1.5));
  EXPECT_EQ(product.item(), 1000.0 * 1001 * 2001 / 6);
}

TEST(Evaluate, ABufferIsReusedOnlyAfterItsLastReader) {
  // In one pass y takes over a buffer that z, recorded behind y, reads too.
  for (int order = 0; order < 2; ++order) {
    Tensor x = numbered({1300}) * 1;
    x.evaluate();
    const Tensor y = x * 2, z = order == 0 ? y + x : x - y;
    x = Tensor();
    evaluate(std::vector<Tensor>{y, z});
    Values twice = counted(1300), other = twice;
    for (double& value : twice) value *= 2;
    for (double& value : other) value *= order == 0 ? 3 : -1;
    EXPECT_EQ(values(y), twice);
    EXPECT_EQ(values(z), other);
  }
}

TEST(Evaluate, WhatABackwardNeedsIsNotWrittenOver) {
  Tensor x = numbered({600}).set_requires_grad();
  Tensor h = exp(x * 0.001);
  h.evaluate();
  Tensor y = h * h;
  h = Tensor();
  y = y + 1;
  y.evaluate();
  sum(y).backward();
  for (std::size_t i = 0; i < 600; ++i)
    ASSERT_NEAR(values(x.grad())[i], 0.002 * std::exp(0.002 * static_cast<double>(i + 1)), 1e-14);
}

TEST(Evaluate, LeavesKeepTheirValues) {
  Tensor x = numbered({600}).set_requires_grad();
  const Tensor constant = numbered({600});
  no_grad([&] {
    Tensor y = x * 2;
    y = y + constant;
    y.evaluate();
  });
  EXPECT_EQ(values(x), counted(600));
  EXPECT_EQ(values(constant), counted(600));
}

// ---- memory ----

TEST(Evaluate, ATrainingStepAsksTheSystemForNoMemoryOnceWarm) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "there is no pool under AddressSanitizer";
#endif
  Generator generator(1);
  Tensor w = generator.normal({20, 30}).set_requires_grad(), b = zeros({30}).set_requires_grad();
  Tensor v = generator.normal({30, 5}).set_requires_grad();
  const Tensor x = generator.normal({64, 20}), target = generator.normal({64, 5});
  const auto step = [&] {
    const Tensor loss = mean(square(matmul(tanh(matmul(x, w) + b), v) - target));
    for (Tensor* p : {&w, &b, &v}) p->zero_grad();
    loss.backward();
    no_grad([&] {
      for (Tensor* p : {&w, &b, &v}) p->assign(*p - 0.01 * p->grad());
    });
    return loss.item<float>();
  };
  const float first = step();
  for (int i = 0; i < 10; ++i) step();
  const MemoryStatistics warm = memory_statistics();
  float last = 0;
  for (int i = 0; i < 50; ++i) last = step();
  EXPECT_EQ(memory_statistics().system_allocations, warm.system_allocations);
  EXPECT_EQ(memory_statistics().in_use, warm.in_use);
  EXPECT_LT(last, first);
}

TEST(Evaluate, IntermediatesOfAGroupTakeNoMemory) {
  constexpr std::size_t bytes = std::size_t{8} << 23;  // 64 MB, more than all other tests here take
  const Tensor x = numbered({1 << 23}, DType::float64).evaluate();
  const std::size_t before = memory_statistics().in_use;
  Tensor y = x;
  for (int i = 0; i < 10; ++i) y = maximum(y * 0.5, x) + x;
  y.evaluate();
  EXPECT_LT(memory_statistics().in_use, before + 2 * bytes);
  EXPECT_LT(memory_statistics().peak_in_use, 7 * bytes);  // of 31
}

TEST(Evaluate, CachedMemoryGoesBackToTheSystem) {
  Tensor x = numbered({100000}) * 1;
  x.evaluate();
  const std::size_t held = memory_statistics().in_use;
  x = Tensor();
  EXPECT_LE(memory_statistics().in_use + 800000, held);
  release_cached_memory();
  EXPECT_EQ(memory_statistics().cached, 0u);
  EXPECT_EQ(values(numbered({3}) * 2), (Values{2, 4, 6}));
}

}  // namespace
