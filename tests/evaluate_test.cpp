// The evaluator computes elementwise nodes in groups, tile by tile, and reuses buffers: none of it may show in a value.
#include <gtest/gtest.h>

#include <algorithm>
#include <autodiff/autodiff.hpp>
#include <autodiff/evaluate/plan.hpp>
#include <autodiff/evaluate/tiles.hpp>
#include <cstring>
#include <numeric>
#include <random>
#include <set>

using namespace xgrad;
using namespace xt::placeholders;

namespace {

using Values = std::vector<double>;

Values values(const Tensor& x) {
  const Tensor wide = x.to(DType::float64);
  const auto array = wide.array<double>();
  return {array.begin(), array.end()};
}

Values counted(std::int64_t n, double first = 1) {
  Values result(static_cast<std::size_t>(n));
  std::iota(result.begin(), result.end(), first);
  return result;
}

/// 1, 2, 3, … in a shape.
Tensor numbered(const Shape& shape, DType dtype = DType::float64) {
  return arange(1, static_cast<double>(size_of(shape)) + 1, 1, DType::float64).to(dtype).reshape(shape);
}

bool same_bits(const Values& a, const Values& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

// ---- random expression graphs ----

enum class Mode { grouped, node_by_node };

/// Records a random expression graph from a seed: elementwise ops with broadcasting, views, reductions, products. Handles
/// are kept or dropped along the way. Every choice depends on the seed and on shapes alone, so that two runs in
/// different modes record the same.
class RandomGraph {
 public:
  RandomGraph(std::uint32_t seed, Mode mode) : choose_(seed), mode_(mode) {}

  /// The values that were read, in order: some on the way, those of all living handles, the leaves' gradients.
  std::vector<Values> run() {
    for (int i = 0; i < 6; ++i) add_leaf();
    for (int i = 0; i < 120; ++i) step();
    for (const Tensor& tensor : live_) read(tensor);
    // What was read before is still what it was.
    for (const auto& [array, copy] : views_) EXPECT_TRUE(same_bits(Values(array.begin(), array.end()), copy));

    Tensor loss(0.0);
    for (const Tensor& tensor : live_)
      if (is_floating(tensor.dtype())) loss = loss + mean(tanh(tensor));
    if (!loss.requires_grad()) return results_;
    const Values before = values(live_.back());
    loss.backward();
    read(loss);
    EXPECT_TRUE(same_bits(values(live_.back()), before));
    for (const Tensor& leaf : leaves_) {
      results_.push_back(leaf.grad().defined() ? values(leaf.grad()) : Values());
    }
    return results_;
  }

 private:
  std::size_t pick(std::size_t n) { return choose_() % n; }
  const Tensor& any() { return live_[pick(live_.size())]; }

  Shape random_shape() {
    static const Shape shapes[] = {{},      {1},      {7},      {600},       {4, 7},    {4, 1},
                                   {1, 7},  {3, 600}, {600, 3}, {2, 4, 7},   {2, 1, 7}, {5, 130},
                                   {1, 513}, {0, 7},   {4, 1, 1}, {2, 4, 1}};
    return shapes[pick(std::size(shapes))];
  }

  void add_leaf() {
    const Shape shape = random_shape();
    Generator generator(choose_());
    Tensor leaf = generator.uniform(shape, -2, 2, pick(3) == 0 ? DType::float32 : DType::float64);
    if (pick(2) == 0) leaf.set_requires_grad();
    leaves_.push_back(leaf);
    add(leaf);
  }

  void add(const Tensor& tensor) {
    if (tensor.size() > 200000) return;
    if (mode_ == Mode::node_by_node) tensor.evaluate();
    live_.push_back(tensor);
  }

  void read(const Tensor& tensor) {
    results_.push_back(values(tensor));
    if (tensor.dtype() == DType::float64) views_.emplace_back(tensor.array<double>(), results_.back());
  }

  /// A living tensor that broadcasts with `a`: `a` itself when none is found soon.
  Tensor partner(const Tensor& a) {
    for (int i = 0; i < 8; ++i) {
      const Tensor b = any();
      try {
        broadcast_shapes("", a.shape(), b.shape());
        return b;
      } catch (const std::invalid_argument&) {
      }
    }
    return a;
  }

  void step() {
    const Tensor a = any(), b = partner(a);
    const auto is_bool = [](const Tensor& x) { return x.dtype() == DType::bool_; };
    switch (pick(22)) {
      case 0: add(a + b); break;
      case 1: if (!is_bool(a) && !is_bool(b)) add(a - b); break;
      case 2: add(tanh(a) * b); break;
      case 3: add(maximum(a, b)); break;
      case 4: add(where(a > b, a, 0.5 * tanh(b))); break;
      case 5: add(tanh(a)); break;
      case 6: add(exp(-square(tanh(a)))); break;
      case 7: add(sigmoid(a) + 1); break;
      case 8: add(clip(a, -1, 1)); break;
      case 9: add(a > b); break;
      case 10: add(a / (1 + square(tanh(b)))); break;
      case 11: add(transpose(a)); break;
      case 12: if (a.dim() > 0) add(a.slice(xt::ellipsis(), xt::range(_, _, -1))); break;
      case 13: if (a.dim() > 0) add(a.slice(xt::range(0, 3))); break;
      case 14: add(flatten(a)); break;
      case 15: add(broadcast_to(expand_dims(a, 0), prepended(3, a.shape()))); break;
      case 16: add(sum(a, a.dim() > 0 ? Axes(-1) : Axes(), true)); break;
      case 17: if (a.dim() > 1) add(mean(a, 0)); break;
      case 18: if (a.dim() == 2) add(tanh(matmul(a, transpose(tanh(a))))); break;
      case 19: add(a.to(pick(2) == 0 ? DType::float32 : DType::float64)); break;
      case 20: read(a); break;
      case 21: add(stack({tanh(a), tanh(a)})); break;
    }
    if (live_.size() > 12 || pick(4) == 0) live_.erase(live_.begin() + static_cast<std::ptrdiff_t>(pick(live_.size())));
    if (live_.size() < 4) add_leaf();
  }

  static Shape prepended(std::int64_t extent, const Shape& shape) {
    Shape result{extent};
    for (const std::int64_t other : shape) result.push_back(other);
    return result;
  }

  std::mt19937 choose_;
  Mode mode_;
  std::vector<Tensor> live_, leaves_;
  std::vector<Values> results_;
  std::vector<std::pair<ArrayView<double>, Values>> views_;
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint32_t graphs = 60;
#else
constexpr std::uint32_t graphs = 300;
#endif

TEST(Evaluate, RandomGraphsHaveTheValuesOfTheirNodesComputedOneByOne) {
  set_num_threads(1);
  for (std::uint32_t seed = 0; seed < graphs; ++seed) {
    const std::vector<Values> grouped = RandomGraph(seed, Mode::grouped).run();
    const std::vector<Values> single = RandomGraph(seed, Mode::node_by_node).run();
    ASSERT_EQ(grouped.size(), single.size());
    for (std::size_t i = 0; i < grouped.size(); ++i) ASSERT_TRUE(same_bits(grouped[i], single[i])) << "seed " << seed << ", value " << i;
  }
}

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
    for (std::size_t i = 0; i < kept.size(); ++i) ASSERT_EQ(values(kept[i]), Values(static_cast<std::size_t>(n), 7.0 * static_cast<double>(i + 1)));
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
  for (int i = 0; i < 700; ++i) ASSERT_EQ(values(outputs[static_cast<std::size_t>(i)]), Values(100, 2.0 * i * (i + 1) / 2));
}

std::vector<detail::Node*> nodes_of(const std::vector<Tensor>& tensors) {
  std::vector<detail::Node*> nodes;
  for (const Tensor& tensor : tensors) nodes.push_back(tensor.node());
  return nodes;
}

std::vector<std::size_t> sizes_of(const std::vector<detail::Pass>& passes) {
  std::vector<std::size_t> sizes;
  for (const detail::Pass& pass : passes) sizes.push_back(pass.nodes.size());
  return sizes;
}

TEST(Evaluate, ConnectedElementwiseNodesOfOneShapeAreOnePass) {
  const Tensor x = numbered({4, 5});
  const Tensor a = tanh(x), b = a * x, c = a + b;
  EXPECT_EQ(sizes_of(detail::plan(nodes_of({a, b, c}))), (std::vector<std::size_t>{3}));
  const Tensor other = exp(numbered({3}));
  EXPECT_EQ(sizes_of(detail::plan(nodes_of({a, other, b}))).size(), 2u);
}

TEST(Evaluate, APathNeverLeavesAPassAndComesBack) {
  const Tensor x = numbered({4, 5});
  const Tensor h = tanh(x), s = sum(h), y = h + s;
  EXPECT_EQ(sizes_of(detail::plan(nodes_of({h, s, y}))), (std::vector<std::size_t>{1, 1, 1}));
  EXPECT_EQ(values(y).front(), values(h).front() + s.item());
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
    for (const detail::Pass& pass : detail::plan(nodes)) {
      for (detail::Node* node : pass.nodes) {
        ASSERT_EQ(node->shape, pass.nodes.front()->shape);
        ASSERT_TRUE(pass.nodes.size() == 1 || node->op->kind() == Op::Kind::elementwise);
        for (const Tensor& input : node->inputs.span()) ASSERT_TRUE(input.node()->evaluated || done.contains(input.node()));
        ASSERT_TRUE(done.insert(node).second);
      }
    }
    ASSERT_EQ(done.size(), nodes.size());
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
  Tensor x = numbered({10, 100}) * 1;
  const Tensor row = x.slice(3), detached = x.detach(), transposed = transpose(x);
  row.evaluate();
  transposed.evaluate();
  x = x * 2;
  x.evaluate();
  EXPECT_EQ(values(row), counted(100, 301));
  EXPECT_EQ(values(detached), counted(1000));
  EXPECT_EQ(values(transposed)[1], 101);
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
  for (std::size_t i = 0; i < 600; ++i) ASSERT_NEAR(values(x.grad())[i], 0.002 * std::exp(0.002 * static_cast<double>(i + 1)), 1e-14);
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

// ---- copies ----

struct Layout {
  Shape shape;
  Strides strides;
  std::int64_t offset = 0, span = 0;  ///< where the first element lies; how many elements of memory are reached
};

Shape random_extents(std::mt19937& choose) {
  static constexpr std::int64_t extents[] = {1, 2, 3, 5, 31, 32, 33, 70};
  Shape shape(choose() % 5);
  std::int64_t total = 1;
  for (std::int64_t& extent : shape) {
    extent = extents[choose() % std::size(extents)];
    if (total * extent > 50000) extent = 1;
    total *= extent;
  }
  return shape;
}

/// Permuted axes, negative steps, gaps and, when `broadcast` is set, axes of stride 0.
Layout random_strides(std::mt19937& choose, const Shape& shape, bool broadcast) {
  Layout layout{shape, Strides(shape.size(), 0), 0, 1};
  std::vector<std::size_t> order(shape.size());
  std::iota(order.begin(), order.end(), 0u);
  std::shuffle(order.begin(), order.end(), choose);
  std::int64_t step = choose() % 4 == 0 ? 2 : 1;
  for (const std::size_t axis : order) {
    if (broadcast && choose() % 5 == 0) continue;
    const bool negative = choose() % 4 == 0;
    layout.strides[axis] = negative ? -step : step;
    if (negative) layout.offset += step * (shape[axis] - 1);
    layout.span += step * (shape[axis] - 1);
    step *= shape[axis] + (choose() % 4 == 0 ? 1 : 0);
  }
  return layout;
}

/// Calls f(row-major position, position in memory) for every element.
template <class F>
void for_each_element(const Layout& layout, F&& f) {
  for (std::int64_t flat = 0, n = size_of(layout.shape); flat < n; ++flat) {
    std::int64_t rest = flat, at = layout.offset;
    for (std::size_t i = layout.shape.size(); i-- > 0; rest /= layout.shape[i]) at += rest % layout.shape[i] * layout.strides[i];
    f(static_cast<std::size_t>(flat), static_cast<std::size_t>(at));
  }
}

template <class T>
void copies_agree(DType dtype) {
  std::mt19937 choose(7);
  for (int i = 0; i < 400; ++i) {
    const Layout from = random_strides(choose, random_extents(choose), true);
    std::vector<T> memory(static_cast<std::size_t>(from.span));
    for (std::size_t k = 0; k < memory.size(); ++k) memory[k] = static_cast<T>(k * 7 + 1);
    const std::int64_t size = size_of(from.shape);
    const detail::Array source{memory.data() + from.offset, dtype, &from.shape, &from.strides, false, size};
    std::vector<T> expected(static_cast<std::size_t>(size)), copied(expected.size());
    for_each_element(from, [&](std::size_t flat, std::size_t at) { expected[flat] = memory[at]; });
    detail::copy_contiguous(source, copied.data());
    ASSERT_EQ(copied, expected) << to_string(from.shape) << " in steps " << to_string(from.strides);

    const Layout target = random_strides(choose, from.shape, false);
    std::vector<T> wanted(static_cast<std::size_t>(target.span), T(3)), written = wanted;
    for_each_element(target, [&](std::size_t flat, std::size_t at) { wanted[at] = expected[flat]; });
    detail::copy_strided(source, written.data() + target.offset, target.strides);
    ASSERT_EQ(written, wanted) << to_string(from.shape) << " in steps " << to_string(from.strides) << " to " << to_string(target.strides);
  }
}

TEST(Evaluate, CopiesFollowAnyStrides) {
  copies_agree<std::uint8_t>(DType::bool_);
  copies_agree<float>(DType::float32);
  copies_agree<double>(DType::float64);
  copies_agree<std::int64_t>(DType::int64);
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
