// Steps over the rows of large arrays run a few rows at a time: values are the same bits as one step after another gives.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <autodiff/evaluate/executable.hpp>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

/// Marks a value as computed before the next op is recorded, or leaves it to the evaluator.
using Step = std::function<Tensor(const Tensor&)>;

struct Expression {
  std::string name;
  std::function<std::vector<Tensor>(const std::vector<Tensor>& inputs, const Step& step)> of;
};

std::vector<Expression> expressions() {
  return {{"normalisation",
           [](const std::vector<Tensor>& in, const Step& step) {
             const Tensor d = step(in[0] - step(mean(in[0], -1, true)));
             const Tensor s = step(sqrt(step(mean(step(d * d), -1, true)) + 1e-5));
             const Tensor y = step(step(d / s) * in[1] + in[2]);
             return std::vector<Tensor>{y, step(sum(y)), step(sum(y, 0)), step(sum(y * in[3], 0)), step(sum(y * y, -1))};
           }},
          {"masks",
           [](const std::vector<Tensor>& in, const Step& step) {
             const Tensor low = step(mean(in[0], -1, true));
             const Tensor above = step(in[0] > low);
             const Tensor kept = step(where(above, in[0], in[3]));
             return std::vector<Tensor>{step(sum(kept, -1)), step(where(above, step(kept - step(mean(kept, -1, true))), 0.0)),
                                        step(sum(kept * in[3]))};
           }},
          {"vectors of rows",
           [](const std::vector<Tensor>& in, const Step& step) {
             const Tensor m = step(mean(in[0], -1));  // its axis comes back by a view
             const Tensor c = step(m * 2 + 1);
             return std::vector<Tensor>{step(step(in[0] * step(expand_dims(c, -1))) + in[3]), step(sum(c)), step(sum(in[0] * expand_dims(m, -1), 0))};
           }},
          {"turned input",
           [](const std::vector<Tensor>& in, const Step& step) {
             const Tensor turned = in[3].slice(xt::range(xt::placeholders::_, xt::placeholders::_, -1));
             const Tensor r = step(sum(turned * in[0], -1, true));
             const Tensor y = step(turned / step(r * r + 1));
             return std::vector<Tensor>{step(sum(y, -1, true) * turned), y};
           }},
          {"results turned",
           [](const std::vector<Tensor>& in, const Step& step) {
             const Tensor d = step(in[0] - step(mean(in[0], -1, true)));
             const Tensor turned = d.slice(xt::range(xt::placeholders::_, xt::placeholders::_, -1));
             return std::vector<Tensor>{step(step(d * turned) - step(mean(d, -1, true)))};
           }}};
}

std::vector<Tensor> inputs(const Shape& shape, DType dtype) {
  Generator generator(5);
  const Shape row(shape.begin() + 1, shape.end());
  return {generator.normal(shape, 0, 1, dtype), generator.normal(row, 0, 1, dtype), generator.normal(row, 0, 1, dtype),
          generator.normal(shape, 0, 1, dtype)};
}

TEST(Strips, GiveTheBitsOfOneStepAfterAnother) {
  const int threads = num_threads();
  for (const Shape& shape : std::vector<Shape>{{300, 700}, {64, 2048}, {1000, 130}, {2000, 60}, {40, 30, 64}, {3, 70000}})
    for (const DType dtype : {DType::float32, DType::float64}) {
      const std::vector<Tensor> in = inputs(shape, dtype);
      for (const Expression& expression : expressions()) {
        SCOPED_TRACE(expression.name + " of " + to_string(shape) + ' ' + std::string(name_of(dtype)));
        std::vector<Values> expected;
        for (const Tensor& result : expression.of(in, [](const Tensor& x) { return x.evaluate(); })) expected.push_back(values(result));
        for (const int n : {1, 2}) {
          set_num_threads(n);
          const std::vector<Tensor> results = expression.of(in, [](const Tensor& x) { return x; });
          evaluate(results);
          for (std::size_t i = 0; i < results.size(); ++i) EXPECT_EQ(values(results[i]), expected[i]) << "result " << i << ", threads " << n;
        }
      }
    }
  set_num_threads(threads);
}

std::size_t longest_strip(const std::vector<Tensor>& results) {
  std::vector<detail::Node*> roots;
  for (const Tensor& result : results) roots.push_back(detail::resolve(result.node()));
  detail::GraphSnapshot capture;
  capture.collect(roots);
  std::size_t longest = 0;
  const detail::Executable graph(capture);
  for (const detail::Unit& unit : graph.units()) longest = std::max(longest, unit.count);
  return longest;
}

TEST(Strips, AreFormedOfStepsThatReadRowByRow) {
  const std::vector<Tensor> in = inputs({512, 1024}, DType::float32);
  const Step later = [](const Tensor& x) { return x; };
  const auto all = expressions();
  EXPECT_GE(longest_strip(all[0].of(in, later)), 5u);
  EXPECT_GE(longest_strip({all[2].of(in, later)[0]}), 3u);
  // What fits into the cache gains nothing; nor does what reads other rows than its own.
  EXPECT_EQ(longest_strip(all[0].of(inputs({8, 1024}, DType::float32), later)), 1u);
  const Tensor y = exp(in[0]), total = sum(y);
  EXPECT_EQ(longest_strip({y / total}), 1u);
}

TEST(Strips, TakeNoMemoryForWhatStaysInThem) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "there is no pool under AddressSanitizer";
#endif
  const std::vector<Tensor> in = inputs({1024, 1024}, DType::float32);
  const auto normalised = [&] {
    const Tensor d = in[0] - mean(in[0], -1, true);
    return d / sqrt(mean(d * d, -1, true) + 1e-5);
  };
  const Tensor y = normalised() * in[1];
  reset_peak_memory_statistics();
  const std::size_t before = memory_statistics().in_use;
  EXPECT_EQ(memory_statistics().peak_in_use, before);
  y.evaluate();
  EXPECT_LT(memory_statistics().peak_in_use, before + (4 << 20) + (1 << 19));  // the result, and little else
}

TEST(Evaluate, AValueThatIsAlsoReadThroughAViewIsNotWrittenOver) {
  const auto turned = [](const Tensor& x) { return x.slice(xt::range(xt::placeholders::_, xt::placeholders::_, -1)); };
  for (const std::int64_t n : {100, 5000}) {
    const auto product = [&] {
      const Tensor y = exp(arange(0, static_cast<double>(n), 1, DType::float64) * 0.001);
      return y * turned(y);
    };
    const Tensor error = max(abs(product() - std::exp(static_cast<double>(n - 1) * 0.001)));
    EXPECT_LT(error.item(), 1e-11);
  }
}

}  // namespace
