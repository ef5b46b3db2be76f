// How long, how many, and how many at once: what a recording costs in stack and memory, and threads.
#include <gtest/gtest.h>
#include <pthread.h>

#include <autodiff/autodiff.hpp>
#include <exception>
#include <functional>
#include <optional>
#include <tests/support/values.hpp>
#include <thread>

using namespace xgrad;
using namespace xgrad::test;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int many = 100000;  // nothing is pooled, or everything is watched
constexpr std::size_t small_stack = std::size_t{1} << 20;
#else
constexpr int many = 1000000;
constexpr std::size_t small_stack = std::size_t{1} << 18;
#endif

/// A chain of `many` ops, forward, backward, destroyed.
void long_chain() {
  Tensor x = Tensor(1.0).set_requires_grad();
  {
    Tensor y = x;
    for (int i = 0; i < many; ++i) y = y + 1;
    EXPECT_EQ(y.item(), many + 1);
    y.backward();
    EXPECT_EQ(x.grad().item(), 1);
  }
  {
    Tensor y = x;
    for (int i = 0; i < many / 2; ++i) y = -y * 1;
    EXPECT_EQ(grad(y, x).item(), many / 2 % 2 == 0 ? 1 : -1);
  }
}

/// Runs `f` in a thread whose stack has `bytes`, and rethrows what it throws.
void with_stack(std::size_t bytes, const std::function<void()>& f) {
  struct Job {
    const std::function<void()>& f;
    std::exception_ptr error;
  } job{f, nullptr};
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, bytes), 0);
  pthread_t thread;
  const auto run = [](void* argument) -> void* {
    auto& given = *static_cast<Job*>(argument);
    try {
      given.f();
    } catch (...) {
      given.error = std::current_exception();
    }
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, run, &job), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  if (job.error) std::rethrow_exception(job.error);
}

// ---- long recordings ----

TEST(Tape, AChainOfAMillionOpsRunsBothWaysAndIsDestroyed) { long_chain(); }

TEST(Tape, AChainOfAMillionOpsNeedsNoStack) { with_stack(small_stack, long_chain); }

TEST(Tape, AChainThatIsNeverReadIsDestroyedWithoutStack) {
  with_stack(small_stack, [] {
    Tensor x = Tensor(1.0).set_requires_grad();
    Tensor y = x;
    for (int i = 0; i < many; ++i) y = y + 1;
  });
}

TEST(Tape, AChainOfViewsNeedsNoStack) {
  with_stack(small_stack, [] {
    Tensor x = ones({2, 3}, DType::float64).set_requires_grad();
    Tensor y = x;
    for (int i = 0; i < many / 10; ++i) y = transpose(y);
    sum(y).backward();
    EXPECT_EQ(values(x.grad()), Values(6, 1));
  });
}

TEST(Tape, AChainOfReductionsAndProductsNeedsNoStack) {
  with_stack(small_stack, [] {
    Tensor x = eye(2, DType::float64).set_requires_grad();
    Tensor y = x;
    for (int i = 0; i < many / 20; ++i) y = matmul(y, eye(2, DType::float64)) + 0 * sum(y);
    sum(y).backward();
    EXPECT_EQ(values(x.grad()), Values(4, 1));
  });
}

TEST(Tape, AWideRecordingNeedsNoStack) {
  with_stack(small_stack, [] {
    Tensor x = Tensor(1.0).set_requires_grad();
    std::vector<Tensor> parts;
    for (int i = 0; i < many / 10; ++i) parts.push_back(x * i);
    const Tensor y = sum(stack(parts));
    parts.clear();
    y.backward();
    EXPECT_EQ(x.grad().item(), 0.5 * (many / 10) * (many / 10 - 1.0));
  });
}

TEST(Tape, RecordedGradientsOfALongChainNeedNoStack) {
  with_stack(small_stack, [] {
    Tensor x = Tensor(1.0).set_requires_grad();
    Tensor y = x;
    for (int i = 0; i < many / 20; ++i) y = 1 * y;
    const Tensor g = grad(y * y, x, {.create_graph = true});
    EXPECT_EQ(grad(g, x).item(), 2);
  });
}

// ---- memory ----

TEST(Tape, AMillionDroppedForwardPassesTakeNoMemory) {
  Tensor w = ones({16}).set_requires_grad();
  const Tensor x = ones({16});
  const auto pass = [&] { return sum(tanh(x * w)); };
  for (int i = 0; i < 1000; ++i) pass();
  const MemoryStatistics before = memory_statistics();
  for (int i = 0; i < many / 2; ++i) pass();             // never read
  for (int i = 0; i < many / 2; ++i) pass().evaluate();  // computed, then dropped
  EXPECT_EQ(memory_statistics().in_use, before.in_use);
  EXPECT_LE(memory_statistics().peak_in_use, before.peak_in_use + (1 << 14));
}

TEST(Tape, ASumThatIsNeverReadStaysBounded) {
  const Tensor x = ones({1000}, DType::float64);
  const std::size_t before = memory_statistics().in_use, peak = memory_statistics().peak_in_use;
  Tensor total = zeros({1000}, DType::float64);
  for (int i = 0; i < many; ++i) total = total + x;
  EXPECT_LT(memory_statistics().in_use, before + 100000);
  EXPECT_LT(memory_statistics().peak_in_use, std::max(peak, before) + 100000);
  EXPECT_EQ(values(total), Values(1000, many));
}

TEST(Tape, WhatNobodyReadsIsComputedOnceEnoughIsPending) {
  const Tensor x = ones({10}, DType::float64);
  Tensor total = zeros({10}, DType::float64);
  int computed = 0;
  for (int i = 0; i < 50000; ++i) {
    total = total + x;
    computed += total.node()->evaluated ? 1 : 0;
  }
  EXPECT_GE(computed, 5);
  EXPECT_LE(computed, 50);
}

TEST(Tape, PendingResultsAreBoundedInBytes) {
  // Each step makes a constant of 8 MB that waits with it.
  const std::size_t before = memory_statistics().in_use;
  Tensor total(0.0);
  std::size_t most = 0;
  for (int i = 0; i < 100; ++i) {
    total = total + sum(arange(0, 1 << 20, 1, DType::float64) * 0 + i);
    most = std::max(most, memory_statistics().in_use - before);
  }
  EXPECT_LT(most, std::size_t{300} << 20);
  EXPECT_EQ(total.item(), (1 << 20) * (100.0 * 99 / 2));
}

/// Bytes that values hold once a chain of `n` is recorded and computed, with gradients tracked.
std::size_t bytes_of_chain(int n) {
  Tensor x = ones({64}).set_requires_grad();
  const std::size_t before = memory_statistics().in_use;
  Tensor y = x;
  for (int i = 0; i < n; ++i) y = tanh(y);
  y.evaluate();
  return memory_statistics().in_use - before;
}

TEST(Tape, MemoryGrowsLinearlyWithTheRecording) {
  const std::size_t one = bytes_of_chain(2000), eight = bytes_of_chain(16000);
  EXPECT_GE(one, 2000u * 256);
  EXPECT_LE(one, 2000u * 256 + 10000);
  EXPECT_LE(eight, 8 * one + 10000);
}

/// Bytes of values at the end and at the peak of forward and backward through a chain of `n`, beyond what was held.
std::size_t peak_of_backward(int n) {
  Tensor x = ones({1000}).set_requires_grad();
  const std::size_t before = memory_statistics().in_use;
  Tensor y = x;
  for (int i = 0; i < n; ++i) y = tanh(y);
  sum(y).backward();
  const std::size_t peak = memory_statistics().peak_in_use - before;
  y = Tensor();
  x.zero_grad();
  EXPECT_LE(memory_statistics().in_use, before + 4096);
  return peak;
}

TEST(Tape, BackwardTakesAFewTimesTheMemoryOfForward) {
  // Larger than any peak before, so that it is a peak of its own.
  const std::size_t enough = memory_statistics().peak_in_use / 4096 + 10000;
  const std::size_t one = peak_of_backward(static_cast<int>(enough)),
                    two = peak_of_backward(static_cast<int>(2 * enough));
  EXPECT_LE(one, 3 * enough * 4096);
  EXPECT_LE(two, 2 * one + one / 4);
}

TEST(Tape, SmallResultsComputedTogetherAreIndependent) {
  std::vector<Tensor> parts;
  for (int i = 0; i < 200; ++i) parts.push_back(full({i % 5}, i, DType::float64) + 1);
  evaluate(parts);
  const Tensor before = parts[7] * 1;
  parts[7] = parts[7] * 0;  // may take the memory of what it is made of, and no more
  parts[9] = parts[9].to(DType::float32) - 10;
  evaluate(parts);
  EXPECT_EQ(values(before), Values(2, 8));
  for (int i = 0; i < 200; ++i) EXPECT_EQ(values(parts[i]), Values(i % 5, i == 7 || i == 9 ? 0 : i + 1));
  const Tensor last = parts.back();
  parts.clear();
  EXPECT_EQ(values(last), Values(4, 200));
}

TEST(Tape, NothingIsLeftWhenTheLastHandleGoes) {
  const std::size_t before = memory_statistics().in_use;
  {
    Tensor x = ones({1000}).set_requires_grad();
    const Tensor y = sum(exp(x) * matmul(reshape(x, {20, 50}), reshape(x, {50, 20})).slice(0).sum());
    y.backward({}, true);
    const Tensor g = grad(y, x, {.create_graph = true});
    g.evaluate();
    x.assign(g);
  }
  EXPECT_EQ(memory_statistics().in_use, before);
}

// ---- what is recorded ----

TEST(Tape, RecordingComputesNothingUntilAskedTo) {
  const Tensor x = ones({1000, 1000});
  const std::size_t before = memory_statistics().in_use;
  const Tensor y = exp(x) + matmul(x, x);
  EXPECT_FALSE(y.node()->evaluated);
  EXPECT_LT(memory_statistics().in_use, before + 4096);
  y.evaluate();
  EXPECT_TRUE(y.node()->evaluated);
  EXPECT_GE(memory_statistics().in_use, before + 4000000);
}

TEST(Tape, SequenceNumbersAreATopologicalOrder) {
  const Tensor x = ones({3}), a = exp(x), b = a + x, c = a * b;
  EXPECT_LT(a.node()->sequence, b.node()->sequence);
  EXPECT_LT(b.node()->sequence, c.node()->sequence);
}

TEST(Tape, SequenceNumbersAreATopologicalOrderInWhateverThreadARecordingGoesOn) {
  Tensor x = ones({3}, DType::float64).set_requires_grad();
  Tensor a = exp(x);
  for (int i = 0; i < 100; ++i) a = a * 1;
  Tensor b, c;
  std::thread([&] { b = x + a; }).join();  // the first op of its thread
  std::thread([&] { c = b.evaluate() * x; }).join();
  const Tensor d = c + a;
  EXPECT_LT(a.node()->sequence, b.node()->sequence);
  EXPECT_LT(b.node()->sequence, c.node()->sequence);
  EXPECT_LT(c.node()->sequence, d.node()->sequence);
  sum(d).backward();
  expect_near(x.grad(), Values(3, 1 + std::exp(1) * 3 + 1));
}

TEST(Tape, AlikeRecordingsHoldTheSameOps) {
  const Tensor x = numbered({3, 4}).set_requires_grad(), at(std::int64_t{1});
  using Function = std::function<Tensor()>;
  const std::vector<std::pair<Function, Function>> pairs{
      {[&] { return x + 1; }, [&] { return x - 1; }},
      {[&] { return transpose(x); }, [&] { return transpose(x.reshape({3, 2, 2})); }},
      {[&] { return sum(x, 0); }, [&] { return sum(x, 1); }},
      {[&] { return sum(x, 0); }, [&] { return sum(x, 0, true); }},
      {[&] { return max(x, -1); }, [&] { return max(x); }},
      {[&] { return max(x, -1); }, [&] { return min(x, -1); }},
      {[&] { return softmax(x, 0); }, [&] { return softmax(x, 1); }},
      {[&] { return logsumexp(x, 1); }, [&] { return logsumexp(x, 0); }},
      {[&] { return x.slice(1); }, [&] { return x.slice(2); }},
      {[&] { return concatenate({x, x}); }, [&] { return concatenate({x, x, x}); }},
      {[&] { return take(x, Tensor{0, 1}); }, [&] { return take(x, Tensor{0, 1}, 1); }},
  };
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto op = [](const Function& f) { return f().node()->op; };
    EXPECT_EQ(op(pairs[i].first), op(pairs[i].first)) << i;
    EXPECT_NE(op(pairs[i].first), op(pairs[i].second)) << i;
    EXPECT_EQ(op(pairs[i].first), op(pairs[i].first)) << i;
  }
  // However many there are, each one is the right one.
  const Tensor many = arange(0, 100, 1, DType::float64).set_requires_grad();
  for (int round = 0; round < 2; ++round)
    for (std::int64_t i = 0; i < 100; ++i) EXPECT_EQ(many.slice(i).item(), static_cast<double>(i));
}

TEST(Tape, AsManyOpsAreSharedAsALoopOverRowsTakes) {
  const Tensor x = ones({200, 2}).set_requires_grad();
  const auto ops_of_rows = [&] {
    std::vector<std::shared_ptr<const Op>> ops;
    for (std::int64_t row = 0; row < 200; ++row) ops.push_back(x.slice(row).node()->op);
    return ops;
  };
  const auto first = ops_of_rows();
  EXPECT_EQ(ops_of_rows(), first);
  EXPECT_NE(first.front(), first.back());
}

TEST(Tape, WhatNeedsNoGradientForgetsHowItCameAbout) {
  const Tensor y = exp(ones({3})) + 1;
  EXPECT_TRUE(y.node()->op);
  y.evaluate();
  EXPECT_FALSE(y.node()->op);
  EXPECT_TRUE(y.node()->inputs.span().empty());
}

}  // namespace
