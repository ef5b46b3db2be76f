// Recordings in several threads are independent, and share leaves and constants that none of them assigns to.
#include <gtest/gtest.h>

#include <atomic>
#include <autodiff/autodiff.hpp>
#include <stdexcept>
#include <string>
#include <tests/support/values.hpp>
#include <thread>

using namespace xgrad;
using namespace xgrad::test;

namespace {

/// The gradients of a small network's loss, summed over some steps of data that depend on `seed`.
Values work(const std::vector<Tensor>& parameters, std::uint64_t seed) {
  Generator generator(seed);
  Values total;
  for (int i = 0; i < 40; ++i) {
    const Tensor x = generator.normal({8, 5}, 0, 1, DType::float64);
    const Tensor h = tanh(sum(expand_dims(x, 2) * parameters[0], 1) + parameters[1]);
    const Tensor loss = mean(square(h - 1));
    const std::vector<Tensor> gradients = grad({loss}, parameters, {.create_graph = i % 2 == 0});
    for (std::size_t k = 0; k < gradients.size(); ++k) {
      const Values part = values(gradients[k]);
      total.insert(total.end(), part.begin(), part.end());
    }
    total.push_back(loss.item());
  }
  return total;
}

TEST(Threads, RecordingsInSeveralThreadsShareParameters) {
  Generator generator(3);
  const std::vector<Tensor> parameters{generator.normal({5, 4}, 0, 1, DType::float64).set_requires_grad(),
                                       zeros({4}, DType::float64).set_requires_grad()};
  constexpr std::size_t count = 4;
  std::vector<Values> expected, actual(count);
  for (std::size_t i = 0; i < count; ++i) expected.push_back(work(parameters, i));
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < count; ++i) threads.emplace_back([&, i] { actual[i] = work(parameters, i); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(actual, expected);
  for (const Tensor& parameter : parameters) EXPECT_FALSE(parameter.grad().defined());
}

/// The losses of a model of one's own, trained on data that all share.
Values train(const Tensor& x, const Tensor& y, std::uint64_t seed) {
  Tensor weight = Generator(seed).normal({5, 1}, 0, 1, DType::float64).set_requires_grad();
  Values losses;
  for (int i = 0; i < 40; ++i) {
    const Tensor loss = mean(square(tanh(matmul(x, weight)) - y));
    weight.zero_grad();
    loss.backward();
    weight.assign(weight - 0.1 * weight.grad());
    losses.push_back(loss.item());
  }
  return losses;
}

TEST(Threads, SeveralThreadsTrainOnTheSameData) {
  const Tensor x = Generator(1).normal({30, 5}, 0, 1, DType::float64), y = Generator(2).normal({30, 1}, 0, 1, DType::float64);
  std::vector<Values> expected, actual(4);
  for (std::size_t i = 0; i < actual.size(); ++i) expected.push_back(train(x, y, i));
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < actual.size(); ++i) threads.emplace_back([&, i] { actual[i] = train(x, y, i); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(actual, expected);
}

TEST(Threads, GradientsAreCheckedInSeveralThreads) {
  const Tensor shared = Generator(1).normal({5, 3}, 0, 1, DType::float64).set_requires_grad();
  std::vector<std::thread> threads;
  std::vector<std::string> reports(4);
  for (std::size_t i = 0; i < reports.size(); ++i)
    threads.emplace_back([&, i] {
      const auto f = [&](const std::vector<Tensor>& in) { return tanh(matmul(in[0], in[1])); };
      const std::vector<Tensor> inputs{Generator(i).normal({2, 5}, 0, 1, DType::float64), shared};
      reports[i] = gradcheck(f, inputs).report() + gradgradcheck(f, inputs, {.fast = true}).report();
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& report : reports) EXPECT_EQ(report, "");
}

TEST(Threads, ConstantsMayBeReadInSeveralThreads) {
  const Tensor x = arange(0, 3000, 1, DType::float64).reshape({3, 1000}).evaluate(), flipped = transpose(x).evaluate();
  std::vector<std::thread> threads;
  Values sums(4);
  for (std::size_t i = 0; i < sums.size(); ++i)
    threads.emplace_back([&, i] {
      for (int k = 0; k < 50; ++k) sums[i] += (sum(flipped * 2 - transpose(x)) / 50.0).item();
    });
  for (std::thread& thread : threads) thread.join();
  for (const double total : sums) EXPECT_NEAR(total, 3000.0 * 2999 / 2, 1e-6);
}

TEST(Threads, ConstantsOfAnyStridesMayBeReadInSeveralThreads) {
  const Tensor x = arange(0, 3000, 1, DType::float64).reshape({3, 1000}).evaluate();
  const Tensor constants[] = {zeros({1000, 3}, DType::float64), transpose(x).evaluate(), broadcast_to(x, {2, 3, 1000}).evaluate()};
  std::vector<std::thread> threads;
  std::vector<const double*> seen(12);
  Values last(4);
  for (std::size_t i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      for (std::size_t k = 0; k < 3; ++k) seen[3 * i + k] = constants[k].data<double>();
      last[i] = reshape(constants[1], {3000}).array<double>()(2999) + constants[1].array<double>()(999, 2);
    });
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < 12; ++i) EXPECT_EQ(seen[i], seen[i % 3]);
  EXPECT_EQ(last, Values(4, 2 * 2999));
}

TEST(Threads, GradientModeIsOfTheThread) {
  const NoGrad guard;
  bool enabled = false;
  std::thread([&] { enabled = grad_enabled(); }).join();
  EXPECT_TRUE(enabled);
  EXPECT_FALSE(grad_enabled());
}

TEST(Threads, TensorsMoveBetweenThreads) {
  Tensor x = ones({10}).set_requires_grad();
  Tensor y;
  std::thread([&] { y = sum(exp(x * 0)); }).join();
  std::thread([&] { y.backward(); }).join();
  EXPECT_EQ(y.item(), 10);
  EXPECT_EQ(values(x.grad()), Values(10, 0));
  std::optional<Tensor> last = Tensor(1.0) + 1;
  std::thread([&] { last.reset(); }).join();
}

/// Calls f(i) in `count` threads, which begin together.
template <class F>
void in_threads(int count, const F& f) {
  std::atomic<int> ready{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i)
    threads.emplace_back([&, i] {
      ++ready;
      while (ready < count) std::this_thread::yield();
      f(i);
    });
  for (std::thread& thread : threads) thread.join();
}

TEST(Threads, ATensorNotComputedYetIsComputedOnceForAllThatReadIt) {
  for (int round = 0; round < 100; ++round) {
    const Tensor shared = (exp(numbered({4, 8}) * 0.1) * 2).detach(), row = shared.slice(1), other = shared * 3;
    const double expected = 2 * values(sum(exp(numbered({4, 8}) * 0.1) * 2))[0];
    std::vector<double> sums(6);
    std::vector<const void*> data(6);
    in_threads(6, [&](int i) {
      if (i % 3 == 2) values(other);
      if (i % 3 == 1) values(row);
      sums[static_cast<std::size_t>(i)] = sum(shared * 2).item();
      data[static_cast<std::size_t>(i)] = shared.data<double>();
    });
    for (std::size_t i = 0; i < 6; ++i) {
      ASSERT_NEAR(sums[i], expected, 1e-10) << round;
      ASSERT_EQ(data[i], data[0]) << round;
    }
  }
}

TEST(Threads, BackwardInSeveralThreadsAddsToSharedParameters) {
  const std::vector<Tensor> parameters{Generator(3).normal({6, 5}, 0, 1, DType::float64).set_requires_grad(), zeros({5}, DType::float64).set_requires_grad()};
  const Tensor x = Generator(4).normal({64, 6}, 0, 1, DType::float64);
  const auto loss = [&](const Tensor& batch) { return sum(square(tanh(matmul(batch, parameters[0]) + parameters[1]))); };
  const std::vector<Tensor> expected = grad({loss(x)}, parameters);
  for (int round = 0; round < 200; ++round) {
    for (Tensor parameter : parameters) parameter.zero_grad();
    in_threads(4, [&](int i) { loss(x.slice(xt::range(16 * i, 16 * (i + 1)))).backward(); });
    for (std::size_t k = 0; k < parameters.size(); ++k)
      ASSERT_LT(max(abs(parameters[k].grad() - expected[k])).item(), 1e-12) << "round " << round;
  }
}

TEST(Threads, AnErrorInABackwardLeavesGradientsAsTheyWere) {
  Tensor x = numbered({3}).set_requires_grad();
  sum(x).backward();
  const Tensor y = with_hook(x * 2, [](const Tensor&) -> Tensor { throw std::runtime_error("no"); });
  EXPECT_THROW(sum(y).backward(), std::runtime_error);
  EXPECT_EQ(values(x.grad()), Values(3, 1));
}

TEST(Threads, TensorsOutliveTheThreadThatRecordedThem) {
  Tensor pending;
  std::thread([&] { pending = exp(numbered({3}) * 0) * 2; }).join();
  std::thread([&] { EXPECT_EQ(values(pending + 1), Values(3, 3)); }).join();
  EXPECT_EQ(values(pending), Values(3, 2));
}

// ---- recording ----

}  // namespace
