// Random expression graphs and random strides: the evaluator gives the values of its nodes computed one by one, and
// copies follow any strides.
#include <gtest/gtest.h>

#include <algorithm>
#include <autodiff/autodiff.hpp>
#include <autodiff/kernels/tiles.hpp>
#include <cstring>
#include <numeric>
#include <random>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;
using namespace xt::placeholders;

namespace {

bool same_bits(const Values& a, const Values& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

// ---- random expression graphs ----

enum class Mode { grouped, node_by_node };

/// Records a random expression graph from a seed: elementwise ops with broadcasting, views, reductions, products.
/// Handles are kept or dropped along the way. Every choice depends on the seed and on shapes alone, so that two runs in
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
    static const Shape shapes[] = {{},       {1},       {7},       {600},    {4, 7},   {4, 1}, {1, 7},    {3, 600},
                                   {600, 3}, {2, 4, 7}, {2, 1, 7}, {5, 130}, {1, 513}, {0, 7}, {4, 1, 1}, {2, 4, 1}, {4, 3, 130}, {3, 150, 4},
                                   {3, 130}, {150, 4}};
    static const Shape large[] = {{40, 30, 64}, {150, 500}, {90000}};  // several parts
    return pick(20) == 0 ? large[pick(std::size(large))] : shapes[pick(std::size(shapes))];
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
        if (size_of(broadcast_shapes("", a.shape(), b.shape())) < 1000000) return b;
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
      case 1:
        if (!is_bool(a) && !is_bool(b)) add(a - b);
        break;
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
      case 12:
        if (a.dim() > 0) add(a.slice(xt::ellipsis(), xt::range(_, _, -1)));
        break;
      case 13:
        if (a.dim() > 0) add(a.slice(xt::range(0, 3)));
        break;
      case 14: add(flatten(a)); break;
      case 15: add(broadcast_to(expand_dims(a, 0), prepended(3, a.shape()))); break;
      case 16: {
        std::vector<std::int64_t> axes;
        for (std::size_t axis = 0; axis < a.dim(); ++axis)
          if (pick(2) == 0) axes.push_back(static_cast<std::int64_t>(axis));
        add(sum(a, axes, pick(2) == 0));
        break;
      }
      case 17:
        if (a.dim() > 1) add(mean(a, 0));
        break;
      case 18:
        if (a.dim() == 2 && a.shape()[0] < 1000) add(tanh(matmul(a, transpose(tanh(a)))));
        break;
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
    for (std::size_t i = 0; i < grouped.size(); ++i)
      ASSERT_TRUE(same_bits(grouped[i], single[i])) << "seed " << seed << ", value " << i;
  }
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
    for (std::size_t i = layout.shape.size(); i-- > 0; rest /= layout.shape[i])
      at += rest % layout.shape[i] * layout.strides[i];
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
    ASSERT_EQ(written, wanted) << to_string(from.shape) << " in steps " << to_string(from.strides) << " to "
                               << to_string(target.strides);
  }
}

TEST(Evaluate, CopiesFollowAnyStrides) {
  copies_agree<std::uint8_t>(DType::bool_);
  copies_agree<float>(DType::float32);
  copies_agree<double>(DType::float64);
  copies_agree<std::int64_t>(DType::int64);
}

}  // namespace
