// What backward() and grad() do with a recording. The rules of single ops are tested with the ops.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <cmath>
#include <functional>
#include <string>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;
using namespace xt::placeholders;

namespace {

// ---- leaves ----

TEST(Backward, GradientsAccumulateInLeavesUntilZeroed) {
  Tensor x = leaf({1, 2, 3});
  EXPECT_FALSE(x.grad().defined());
  sum(x * x).backward();
  EXPECT_EQ(values(x.grad()), (Values{2, 4, 6}));
  sum(x * 10).backward();
  EXPECT_EQ(values(x.grad()), (Values{12, 14, 16}));
  x.zero_grad();
  EXPECT_FALSE(x.grad().defined());
  sum(x).backward();
  EXPECT_EQ(values(x.grad()), (Values{1, 1, 1}));
}

TEST(Backward, AGradientIsALeafOfTheLeafsShapeAndDtype) {
  Tensor x = ones({2, 3}).set_requires_grad();
  sum(x * Tensor(2.0)).backward();
  EXPECT_EQ(x.grad().shape(), (Shape{2, 3}));
  EXPECT_EQ(x.grad().dtype(), DType::float32);
  EXPECT_FALSE(x.grad().requires_grad());
  EXPECT_TRUE(x.grad().is_leaf());
}

TEST(Backward, AGradientReadBeforeStaysWhatItWas) {
  Tensor x = leaf({1, 2});
  sum(x * x).backward();
  const Tensor first = x.grad();
  sum(x * x).backward();
  EXPECT_EQ(values(first), (Values{2, 4}));
  EXPECT_EQ(values(x.grad()), (Values{4, 8}));
}

TEST(Backward, EveryHandleToALeafSeesItsGradient) {
  const Tensor x = leaf({1, 2}), same = x;
  sum(same * 3).backward();
  EXPECT_EQ(values(x.grad()), (Values{3, 3}));
}

TEST(Backward, OnlyLeavesThatRequireGradientsKeepThem) {
  Tensor x = leaf({1, 2});
  const Tensor constant{3.0, 4.0}, y = x * constant;
  sum(y).backward();
  EXPECT_EQ(values(x.grad()), (Values{3, 4}));
  EXPECT_FALSE(constant.grad().defined());
  EXPECT_FALSE(y.grad().defined());
}

TEST(Backward, ALeafIsItsOwnGradient) {
  Tensor x = scalar(5);
  x.backward();
  x.backward(Tensor(2.0));
  EXPECT_EQ(x.grad().item(), 3);
  EXPECT_EQ(grad(x, x).item(), 1);
}

// ---- cotangents ----

TEST(Backward, CotangentsWeighTheOutput) {
  Tensor x = leaf({1, 2, 3});
  (x * x).backward(Tensor{1.0, 10.0, 100.0});
  EXPECT_EQ(values(x.grad()), (Values{2, 40, 600}));
}

TEST(Backward, AnOutputOfOneElementNeedsNoCotangentWhateverItsShape) {
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{1, 1}}) {
    Tensor x = full(shape, 3).set_requires_grad();
    (x * x).backward();
    EXPECT_EQ(x.grad().item(), 6);
    EXPECT_EQ(x.grad().shape(), shape);
  }
}

TEST(Backward, CotangentsOfAnotherDtypeAreCast) {
  Tensor x = leaf({1, 2});
  (x * 3).backward(Tensor{1, 2});
  EXPECT_EQ(values(x.grad()), (Values{3, 6}));
  EXPECT_EQ(x.grad().dtype(), DType::float64);
}

TEST(Backward, CotangentsMayLieInMemoryAnyhow) {
  const Tensor matrix{{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}};
  Tensor x = zeros({3, 2}, DType::float64).set_requires_grad();
  (x * 2).backward(transpose(matrix));
  EXPECT_EQ(values(x.grad()), (Values{2, 8, 4, 10, 6, 12}));
  x.zero_grad();
  (x * 2).backward(transpose(matrix).slice(xt::range(_, _, -1), xt::all()));
  EXPECT_EQ(values(x.grad()), (Values{6, 12, 4, 10, 2, 8}));
  x.zero_grad();
  matmul(x, x.transpose()).backward(broadcast_to(Tensor(1.0), {3, 3}));
  EXPECT_EQ(values(x.grad()), Values(6, 0));
  x.zero_grad();
  x.backward(broadcast_to(Tensor{1.0, 2.0}, {3, 2}));
  x.backward(broadcast_to(Tensor{1.0, 2.0}, {3, 2}));
  EXPECT_EQ(values(x.grad()), (Values{2, 4, 2, 4, 2, 4}));
}

TEST(Backward, SeveralOutputsAddTheirGradients) {
  Tensor x = leaf({1, 2}), unused = leaf({1});
  const Tensor y = x * x, loss = sum(y);
  backward({loss, y}, {{}, Tensor{10.0, 100.0}});
  EXPECT_EQ(values(x.grad()), (Values{2 + 20, 4 + 400}));
  EXPECT_FALSE(unused.grad().defined());
  x.zero_grad();
  const Tensor twice = sum(3 * x);
  backward({twice, twice});
  EXPECT_EQ(values(x.grad()), (Values{6, 6}));
}

TEST(Backward, OutputsWithoutGradientAreAllowedBesideOthers) {
  Tensor x = scalar(3);
  backward({x * x, Tensor(1.0) * 2});
  EXPECT_EQ(x.grad().item(), 6);
}

// ---- the same tensor in several places ----

TEST(Backward, ATensorTimesItself) {
  Tensor x = scalar(3);
  (x * x).backward();
  EXPECT_EQ(x.grad().item(), 6);
}

TEST(Backward, ATensorMinusItselfHasGradientZero) {
  Tensor x = leaf({3, 4});
  sum(x - x).backward();
  EXPECT_EQ(values(x.grad()), (Values{0, 0}));
}

TEST(Backward, ATensorBehindItself) {
  Tensor x = leaf({1, 2});
  const Tensor y = concatenate({x, x});
  y.backward(Tensor{1.0, 10.0, 100.0, 1000.0});
  EXPECT_EQ(values(x.grad()), (Values{101, 1010}));
}

TEST(Backward, AMatrixTimesItsTranspose) {
  // d/dA Σ G∘(A·Aᵀ) = (G + Gᵀ)·A
  Tensor a = Tensor{{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}}.set_requires_grad();
  const Tensor g{{1.0, 10.0}, {100.0, 1000.0}};
  matmul(a, a.transpose()).backward(g);
  EXPECT_EQ(values(a.grad()), values(matmul(g + g.transpose(), a.detach())));
}

TEST(Backward, ATensorUsedAThousandTimes) {
  Tensor x = scalar(2);
  Tensor total(0.0);
  for (int i = 1; i <= 1000; ++i) total = total + x * i;
  total.backward();
  EXPECT_EQ(total.item(), 2.0 * 500500);
  EXPECT_EQ(x.grad().item(), 500500);

  x.zero_grad();
  sum(stack(std::vector<Tensor>(1000, x))).backward();
  EXPECT_EQ(x.grad().item(), 1000);
}

TEST(Backward, ADoublingDiamondSixtyLevelsDeep) {
  Tensor x = scalar(1);
  Tensor y = x;
  for (int i = 0; i < 60; ++i) y = y + y;
  y.backward();
  EXPECT_EQ(y.item(), 0x1p60);
  EXPECT_EQ(x.grad().item(), 0x1p60);

  Tensor z = x;
  for (int i = 0; i < 60; ++i) z = sin(z) + cos(z);
  const Tensor g = grad(z, x, {.create_graph = true});
  EXPECT_TRUE(std::isfinite(grad(g, x).item()));
}

TEST(Backward, ResultsThatNobodyReadsDoNotMatter) {
  Tensor x = leaf({1, 2});
  const Tensor h = exp(x), unused = log(h - 100), also = matmul(h, h);
  sum(h * 0 + x).backward();
  EXPECT_EQ(values(x.grad()), (Values{1, 1}));
}

// ---- broadcasting and dtypes ----

TEST(Backward, CotangentsAreSummedOverWhatWasBroadcast) {
  Tensor a = ones({4, 1}, DType::float64).set_requires_grad(), b = ones({3}, DType::float64).set_requires_grad();
  Tensor c = scalar(1);
  sum((a + b) * c).backward();
  EXPECT_EQ(values(a.grad()), Values(4, 3));
  EXPECT_EQ(a.grad().shape(), (Shape{4, 1}));
  EXPECT_EQ(values(b.grad()), Values(3, 4));
  EXPECT_EQ(c.grad().item(), 24);
  EXPECT_EQ(c.grad().shape(), Shape{});
}

TEST(Backward, EachLeafGetsItsGradientInItsOwnDtype) {
  Tensor narrow = Tensor{1.0f, 2.0f}.set_requires_grad(), wide = leaf({3, 4});
  const Tensor k{5, 6};
  const Tensor y = sum(narrow * wide * k);
  EXPECT_EQ(y.dtype(), DType::float64);
  y.backward();
  EXPECT_EQ(narrow.grad().dtype(), DType::float32);
  EXPECT_EQ(wide.grad().dtype(), DType::float64);
  EXPECT_EQ(values(narrow.grad()), (Values{15, 24}));
  EXPECT_EQ(values(wide.grad()), (Values{5, 12}));
  EXPECT_FALSE(k.grad().defined());
}

TEST(Backward, IntegersAndComparisonsStopGradients) {
  Tensor x = leaf({1.5, -2.5});
  const Tensor whole = x.to(DType::int64), positive = x > 0;
  EXPECT_FALSE(whole.requires_grad());
  EXPECT_FALSE(positive.requires_grad());
  sum(x * whole + where(positive, x, 0.0)).backward();
  EXPECT_EQ(values(x.grad()), (Values{2, -2}));
}

TEST(Backward, EmptyTensorsGetEmptyGradients) {
  Tensor x = zeros({0, 3}).set_requires_grad(), b = ones({3}).set_requires_grad();
  sum(x * b).backward();
  EXPECT_EQ(x.grad().shape(), (Shape{0, 3}));
  EXPECT_EQ(values(b.grad()), Values(3, 0));
}

// ---- what is recorded ----

TEST(Backward, NothingIsRecordedUnderNoGrad) {
  Tensor x = scalar(3);
  EXPECT_TRUE(grad_enabled());
  const Tensor y = no_grad([&] {
    EXPECT_FALSE(grad_enabled());
    return x * x;
  });
  EXPECT_TRUE(grad_enabled());
  EXPECT_FALSE(y.requires_grad());
  (x * y).backward();
  EXPECT_EQ(x.grad().item(), 9);
  {
    const NoGrad off;
    const GradMode on(true);
    EXPECT_TRUE((x * x).requires_grad());
  }
  EXPECT_THROW(no_grad([]() -> int { throw std::runtime_error("out"); }), std::runtime_error);
  EXPECT_TRUE(grad_enabled());
}

TEST(Backward, DetachCutsTheGradient) {
  Tensor x = scalar(3);
  const Tensor y = x * x;
  (y.detach() * x).backward();
  EXPECT_EQ(x.grad().item(), 9);
  EXPECT_FALSE(y.detach().requires_grad());
}

TEST(Backward, RecordingsKeepTheValueALeafHad) {
  Tensor w = scalar(3);
  const Tensor before = w * w;
  w.assign(Tensor(10.0));
  const Tensor after = w * w;
  before.backward();
  EXPECT_EQ(w.grad().item(), 6);
  after.backward();
  EXPECT_EQ(w.grad().item(), 26);
}

TEST(Backward, ALeafAssignedToWithinARecordingGathersFromBothValues) {
  Tensor w = scalar(3);
  Tensor y = w * w;
  w.assign(Tensor(10.0));
  y = y + w * w;
  EXPECT_EQ(grad(y, w, {.retain_graph = true}).item(), 26);
  y.backward();
  EXPECT_EQ(w.grad().item(), 26);
  EXPECT_EQ(y.item(), 109);
}

// ---- the recording's life ----

TEST(Backward, ASecondBackwardSaysThatTheRecordingWasFreed) {
  Tensor x = scalar(3);
  const Tensor h = x * x, y = h + 1, z = exp(h);
  y.backward();
  EXPECT_EQ(message_of<std::logic_error>([&] { y.backward(); }),
            "backward: this recording was freed by an earlier backward; set retain_graph in the earlier call to go "
            "through it again");
  EXPECT_THROW(z.backward(), std::logic_error);        // shares h
  EXPECT_THROW((h * 2).backward(), std::logic_error);  // recorded since
  EXPECT_THROW(grad(y, x), std::logic_error);
  EXPECT_EQ(x.grad().item(), 6);
  (x * x).backward();
  EXPECT_EQ(x.grad().item(), 12);
}

TEST(Backward, RetainGraphAllowsAnother) {
  Tensor x = scalar(3);
  const Tensor y = x * x * x;
  y.backward({}, true);
  y.backward({}, true);
  EXPECT_EQ(x.grad().item(), 54);
  y.backward();
  EXPECT_EQ(x.grad().item(), 81);
  EXPECT_THROW(y.backward(), std::logic_error);
}

TEST(Backward, PartsOfAFreedRecordingThatWereNotOnTheWayStayGood) {
  Tensor x = scalar(3), w = scalar(2);
  const Tensor a = x * x, b = w * w;
  a.backward();
  b.backward();
  EXPECT_EQ(w.grad().item(), 4);
}

TEST(Backward, ValuesThatHandlesHoldOutliveTheRecording) {
  for (const bool read_before : {false, true}) {
    Tensor x = leaf({1, 2});
    const Tensor h = exp(x), unread = h * 2, view = unread.slice(1), loss = sum(square(h));
    if (read_before) {
      EXPECT_EQ(values(h)[0], values(exp(x.detach()))[0]);
      EXPECT_NEAR(loss.item(), std::exp(2.0) + std::exp(4.0), 1e-12);
    }
    loss.backward();
    expect_near(h, {std::exp(1.0), std::exp(2.0)});
    expect_near(unread, {2 * std::exp(1.0), 2 * std::exp(2.0)});
    expect_near(view, {2 * std::exp(2.0)});
    expect_near(loss, {std::exp(2.0) + std::exp(4.0)});
    expect_near(x.grad(), {2 * std::exp(2.0), 2 * std::exp(4.0)});
    EXPECT_TRUE(h.requires_grad());
    EXPECT_FALSE(h.is_leaf());
  }
}

TEST(Backward, FreedRecordingsLetGoOfTheirMemory) {
  Tensor x = ones({100000}).set_requires_grad();
  const auto build = [&] {
    Tensor y = x;
    for (int i = 0; i < 20; ++i) y = tanh(y);
    return sum(y);
  };
  const Tensor loss = build();
  loss.evaluate();
  const std::size_t held = memory_statistics().in_use;
  loss.backward();
  EXPECT_LT(memory_statistics().in_use, held - 18 * 400000);
}

TEST(Backward, AnErrorLeavesGradientsAndRecordingAsTheyWere) {
  Tensor x = leaf({1, 2});
  const Tensor y = x * x;
  EXPECT_THROW(y.backward(), std::invalid_argument);
  EXPECT_THROW(y.backward(Tensor{1.0}), std::invalid_argument);
  EXPECT_FALSE(x.grad().defined());
  y.backward(Tensor{1.0, 1.0});
  EXPECT_EQ(values(x.grad()), (Values{2, 4}));
}

// ---- errors ----

TEST(Backward, SaysWhatIsWrong) {
  Tensor x = ones({2, 3}).set_requires_grad();
  const Tensor constant = ones({2, 3});
  EXPECT_EQ(message_of<std::invalid_argument>([&] { (x * 2).backward(); }),
            "backward: the output has shape (2, 3); give a cotangent of that shape, or reduce it to one element");
  EXPECT_EQ(message_of<std::invalid_argument>([&] {
              (x * 2).backward(ones({3, 2}));
            }),
            "backward: a cotangent of shape (3, 2) for an output of shape (2, 3)");
  EXPECT_EQ(message_of<std::logic_error>([&] { sum(constant).backward(); }),
            "backward: the output of shape () depends on nothing that requires gradients; call set_requires_grad() on "
            "a leaf before recording");
  EXPECT_EQ(message_of<std::invalid_argument>([&] { argmax(x, 0).backward(); }),
            "backward: the output of shape (3,) is int64; only float32 and float64 carry gradients");
  EXPECT_EQ(message_of<std::invalid_argument>([] { backward({}); }), "backward: there are no outputs");
  EXPECT_EQ(message_of<std::invalid_argument>([&] {
              backward({sum(x)}, {Tensor(1.0), Tensor(2.0)});
            }),
            "backward: 2 cotangents for 1 outputs");
  EXPECT_EQ(message_of<std::logic_error>([] { Tensor().backward(); }).find("backward: the tensor is undefined; give it a value first"), 0u);
  EXPECT_EQ(
      message_of<std::logic_error>([&] { grad(sum(x), constant); }),
      "grad: input 0 of shape (2, 3) does not require gradients; call set_requires_grad() on it before recording");
  EXPECT_EQ(message_of<std::invalid_argument>([&] { grad(x * 2, x); }),
            "grad: the output has shape (2, 3); give a cotangent of that shape, or reduce it to one element");
  EXPECT_THROW(grad(sum(x), Tensor()), std::logic_error);
  EXPECT_THROW(grad(Tensor(), x), std::logic_error);
}

// ---- recordings that come back ----

TEST(Backward, RecordingsOfOneStructureDifferInTheirData) {
  Generator generator(7);
  for (int round = 0; round < 6; ++round) {
    const std::int64_t n = round < 4 ? 5 : 7;  // a new shape, after the structure is known
    Tensor x = generator.normal({n}, 0, 1, DType::float64).set_requires_grad();
    const double factor = round % 3 == 0 ? 1.0 : 0.5 + round;  // 1 is a number of rules, too
    const Tensor w = generator.normal({n}, 0, 1, DType::float64);
    const auto f = [&](const Tensor& t) { return sum(where(t > 0.1, factor * exp(t), t * w) + factor * t * t); };
    f(x).backward();
    const Values gradient = values(x.grad());
    for (std::int64_t i = 0; i < n; ++i) {
      const double v = values(x)[static_cast<std::size_t>(i)], weight = values(w)[static_cast<std::size_t>(i)];
      EXPECT_NEAR(gradient[static_cast<std::size_t>(i)], (v > 0.1 ? factor * std::exp(v) : weight) + 2 * factor * v, 1e-12) << round;
    }
  }
}

TEST(Backward, RecurringRecordingsKeepWhatIsHeldAndAddUp) {
  Tensor x = Tensor{1.0, 2.0}.set_requires_grad();
  for (int round = 1; round <= 4; ++round) {
    const Tensor h = exp(x), loss = sum(h * x);
    loss.backward();
    EXPECT_NEAR(x.grad().array<double>()(1), round * 3 * std::exp(2.0), 1e-12);
    EXPECT_NEAR(values(h)[0], std::exp(1.0), 1e-15);
    EXPECT_NEAR(loss.item(), std::exp(1.0) + 2 * std::exp(2.0), 1e-12);
    EXPECT_THROW(loss.backward(), std::logic_error);
  }
  for (int round = 0; round < 3; ++round) {  // a value only the recording holds is itself a gradient
    Tensor y = Tensor{3.0, 4.0}.set_requires_grad();
    const Tensor g = grad(sum(y * Tensor{5.0 + round, 6.0}), y);
    EXPECT_EQ(values(g), (Values{5.0 + round, 6}));
  }
}

TEST(Backward, OpsMadeForOneCallAreNotTakenForEachOther) {
  struct Times final : GeneralOp {
    explicit Times(double factor) : factor(factor) {}
    std::string_view name() const override { return "test_times"; }
    void evaluate(std::span<const detail::Array> inputs, const detail::Array& output) const override {
      *output.as<double>() = factor * *inputs[0].as<double>();
    }
    Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor>, const Tensor&) const override { return factor * g; }
    double factor;
  };
  for (int i = 1; i < 50; ++i) {
    Tensor x = Tensor(2.0).set_requires_grad();
    Tensor y = detail::record(std::make_shared<const Times>(i), {&x, 1}, x.shape(), x.dtype());
    if (i % 2 == 0) y.evaluate();
    y.backward();
    EXPECT_EQ(x.grad().item(), i);
    EXPECT_EQ(y.item(), 2 * i);
  }
}

TEST(Backward, ARuleThatReadsAValueIsAskedEveryTime) {
  struct Reading final : GeneralOp {
    std::string_view name() const override { return "test_reading"; }
    void evaluate(std::span<const detail::Array> inputs, const detail::Array& output) const override {
      detail::copy_contiguous(inputs[0], output.data);
    }
    Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor> inputs, const Tensor&) const override {
      return g * inputs[0].item();  // a number by now
    }
  };
  for (const double value : {2.0, 3.0, 5.0}) {
    Tensor x = Tensor(value).set_requires_grad();
    detail::record(detail::shared_op<Reading>(), {&x, 1}, x.shape(), x.dtype()).backward();
    EXPECT_EQ(x.grad().item(), value);
  }
}

TEST(Backward, TakesOptionsByName) {
  Tensor x = Tensor{1.0, 2.0}.set_requires_grad();
  const Tensor y = square(x);
  const Tensor loss = sum(y);
  loss.backward({.retain_graph = true});
  loss.backward({.retain_graph = false});
  EXPECT_EQ(values(x.grad()), (Values{4, 8}));
  x.zero_grad();
  square(x).backward({.cotangent = Tensor{1.0, 10.0}});
  EXPECT_EQ(values(x.grad()), (Values{2, 40}));
  EXPECT_THROW(loss.backward({}), std::logic_error);  // freed
}

}  // namespace
