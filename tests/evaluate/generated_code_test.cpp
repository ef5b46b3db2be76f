// Code made at run time computes what the kernels compute, to the last bit.
#include <autodiff/evaluate/codegen_x86.hpp>
#include <bit>
#include <cstring>
#include <limits>
#include <random>
#include <thread>
#include <xtensor/xarray.hpp>

#include <tests/support/throws.hpp>

using namespace xgrad;
using detail::GeneratedSteps;

namespace {

/// The values of what `f` returns, computed with or without code of its own; in a thread, which has no plans yet.
std::vector<std::vector<std::byte>> computed(GeneratedSteps::Use use, const std::function<std::vector<Tensor>()>& f) {
  const GeneratedSteps::Use before = GeneratedSteps::use().exchange(use);
  std::vector<std::vector<std::byte>> results;
  std::thread([&] {
    for (const Tensor& tensor : f()) {
      dispatch(tensor.dtype(), [&]<class T>(T) {
        const auto* data = reinterpret_cast<const std::byte*>(tensor.data<T>());
        results.emplace_back(data, data + static_cast<std::size_t>(tensor.size()) * sizeof(T));
      });
    }
  }).join();
  GeneratedSteps::use() = before;
  return results;
}

/// NaN as one: which of two NaNs an operation gives is not told.
template <class T>
testing::AssertionResult same(const std::vector<std::byte>& a, const std::vector<std::byte>& b) {
  for (std::size_t i = 0; i < a.size(); i += sizeof(T)) {
    T x, y;
    std::memcpy(&x, a.data() + i, sizeof(T));
    std::memcpy(&y, b.data() + i, sizeof(T));
    if (std::memcmp(&x, &y, sizeof(T)) != 0 && !(std::isnan(x) && std::isnan(y)))
      return testing::AssertionFailure() << "element " << i / sizeof(T) << " is " << x << ", by the kernels " << y;
  }
  return testing::AssertionSuccess();
}

void expect_same(DType dtype, const std::function<std::vector<Tensor>()>& f) {
  const auto with = computed(GeneratedSteps::Use::always, f), without = computed(GeneratedSteps::Use::off, f);
  ASSERT_EQ(with.size(), without.size());
  for (std::size_t i = 0; i < with.size(); ++i) {
    ASSERT_EQ(with[i].size(), without[i].size());
    ASSERT_TRUE(dtype == DType::float32 ? same<float>(with[i], without[i]) : same<double>(with[i], without[i])) << "result " << i;
  }
}

/// Numbers among which are all kinds of special ones.
Tensor special(const Shape& shape, std::uint64_t seed, DType dtype) {
  const Tensor ordinary = Generator(seed).uniform(shape, -2, 2, DType::float64);
  std::vector<double> values(ordinary.data<double>(), ordinary.data<double>() + ordinary.size());
  const double infinity = std::numeric_limits<double>::infinity();
  const double kinds[] = {0.0, -0.0, infinity, -infinity, std::nan(""), 1e-310, -1e-40, 3e38, 1.0};
  std::mt19937_64 engine(seed);
  for (double& value : values)
    if (engine() % 3 == 0) value = kinds[engine() % std::size(kinds)];
  return detail::make_leaf_copy(shape, DType::float64, values.data()).to(dtype).evaluate();
}

TEST(GeneratedCode, IsMadeForWhatRunsOftenOnLargeArrays) {
  if (!GeneratedSteps::available()) GTEST_SKIP() << "there is no code for these kernels: the tests here compare them with themselves";
  const auto made = [](std::int64_t elements, int runs) {
    const std::size_t before = GeneratedSteps::made();
    computed(GeneratedSteps::Use::where_worth, [&] {
      std::vector<Tensor> results;
      for (int i = 0; i < runs; ++i) {
        const Tensor x = full({elements}, 0.5).evaluate() * ones({elements}).evaluate();
        results.push_back((x * x + x).evaluate());
      }
      return results;
    });
    return GeneratedSteps::made() - before;
  };
  EXPECT_EQ(made(100, 6), 0u);
  EXPECT_EQ(made(20000, 3), 0u);
  EXPECT_GT(made(20000, 6), 0u);
}

TEST(GeneratedCode, EveryOpItKnowsForEveryKindOfOperand) {
  using Op = std::function<Tensor(const Tensor&, const Tensor&)>;
  const std::vector<Op> ops{[](const Tensor& a, const Tensor& b) { return a + b; },       [](const Tensor& a, const Tensor& b) { return a - b; },
                            [](const Tensor& a, const Tensor& b) { return a * b; },       [](const Tensor& a, const Tensor& b) { return a / b; },
                            [](const Tensor& a, const Tensor&) { return -a; },
                            [](const Tensor& a, const Tensor&) { return square(a); },     [](const Tensor& a, const Tensor&) { return sqrt(a); },
                            [](const Tensor& a, const Tensor&) { return relu(a); }};
  for (const DType dtype : {DType::float32, DType::float64})
    for (std::size_t first = 0; first < ops.size(); ++first)
      for (std::size_t second = 0; second < ops.size(); ++second) {
        SCOPED_TRACE(std::string(name_of(dtype)) + ": " + std::to_string(first) + " then " + std::to_string(second));
        ASSERT_NO_FATAL_FAILURE(expect_same(dtype, [&] {
          const Tensor a = special({5, 1100}, 1, dtype), b = special({5, 1100}, 2, dtype), row = special({1100}, 3, dtype),
                       column = special({5, 1}, 4, dtype), number = full({}, 1.5, dtype);
          std::vector<Tensor> results;
          for (const Tensor& x : {a, number, column})
            for (const Tensor& y : {b, row, column, number}) {
              const Tensor between = ops[first](x + a, y);
              results.push_back(ops[second](between, y));
              results.push_back(ops[second](y, between));
              results.push_back(ops[second](between, between));
            }
          return results;
        }));
      }
}

/// A graph of ops picked at random, with its gradients.
std::vector<Tensor> graph(std::uint64_t seed, DType dtype) {
  std::mt19937_64 engine(seed);
  const auto pick = [&](std::size_t n) { return static_cast<std::size_t>(engine() % n); };
  const Shape shapes[] = {{9000}, {7, 1300}, {70, 130}, {4, 5, 520}};
  const Shape& shape = shapes[pick(std::size(shapes))];
  Generator generator(seed);
  const auto leaf = [&](const Shape& of) { return generator.uniform(of, -1.5, 1.5, dtype).set_requires_grad(); };
  Shape column = shape;
  column.back() = 1;
  std::vector<Tensor> leaves{leaf(shape), leaf(shape), leaf({shape.back()}), leaf(column), leaf({})}, values = leaves;
  const std::size_t count = 5 + pick(30);
  for (std::size_t i = 0; i < count; ++i) {
    const Tensor a = values[pick(values.size())], b = values[pick(values.size())];
    switch (pick(16)) {
      case 0: case 1: values.push_back(a + b); break;
      case 2: values.push_back(a - b); break;
      case 3: case 4: case 5: values.push_back(a * b); break;
      case 6: values.push_back(a / (square(b) + 0.5)); break;
      case 7: values.push_back(sqrt(square(a) + 0.25)); break;
      case 8: values.push_back(0.5 * a + 0.1); break;
      case 9: values.push_back(-a); break;
      case 10: values.push_back(relu(a)); break;
      case 11: values.push_back(tanh(a)); break;
      case 12: values.push_back(a.dim() > 0 ? a - mean(a, -1, true) : 2 * a); break;
      case 13: values.push_back(a * a); break;
      case 14: values.push_back(where(a > b, a, b)); break;
      default: values.push_back(exp(-square(a))); break;
    }
  }
  Tensor loss = sum(values.back() * 0.1);
  std::vector<Tensor> kept;
  for (int i = 0; i < 4; ++i) {
    const Tensor& value = values[pick(values.size())];
    loss = loss + mean(value * value);
    if (pick(2)) kept.push_back(value);
    if (pick(2) && value.dim() > 0) kept.push_back(sum(value, -1));
    if (pick(2) && value.dim() > 0) kept.push_back(sum(value, 0));
  }
  loss.backward();
  kept.push_back(loss);
  for (const Tensor& of : leaves)
    if (of.grad().defined()) kept.push_back(of.grad());
  return kept;
}

TEST(GeneratedCode, RandomGraphsWithTheirGradients) {
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    SCOPED_TRACE(seed);
    const DType dtype = seed % 3 == 2 ? DType::float64 : DType::float32;
    ASSERT_NO_FATAL_FAILURE(expect_same(dtype, [&] { return graph(seed, dtype); }));
  }
}

TEST(GeneratedCode, LongSumsAndManyValuesAtOnce) {
  // More values than there are registers for, numbers of all kinds, and sums that go on for long.
  expect_same(DType::float32, [] {
    const Tensor x = Generator(1).uniform({3, 40000}, -1, 1);
    std::vector<Tensor> values;
    for (int i = 0; i < 7; ++i) values.push_back(x * (0.1 * i + 0.3) + 0.7 * i);
    Tensor all = values[0];
    for (int i = 1; i < 7; ++i) all = all * values[static_cast<std::size_t>(i)] - values[static_cast<std::size_t>(6 - i)];
    for (const Tensor& value : values) all = all + value * value;
    return std::vector<Tensor>{all, sum(all), sum(all, -1), sum(all, 0), sum(x * x), mean(all - x, 1)};
  });
}

}  // namespace
