// A tensor beside an xtensor expression: every operator and function takes one of any kind in any place, as the tensor of its values.
#define XGRAD_WITH_XT_VIEWS
#define XGRAD_WITH_XT_MATH
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <bit>
#include <nn/nn.hpp>
#include <string>
#include <tests/support/throws.hpp>
#include <vector>

using namespace xgrad;
using test::throws;

namespace {

using Results = std::vector<Tensor>;

/// Everything elementwise of two operands, by unqualified names as a user writes them.
template <class A, class B>
Results elementwise_of(const A& a, const B& b) {
  return {a + b,
          a - b,
          a * b,
          a / b,
          a < b,
          a <= b,
          a > b,
          a >= b,
          a == b,
          a != b,
          a && b,
          a || b,
          add(a, b),
          subtract(a, b),
          multiply(a, b),
          divide(a, b),
          power(a, b),
          maximum(a, b),
          minimum(a, b),
          equal(a, b),
          not_equal(a, b),
          less(a, b),
          less_equal(a, b),
          greater(a, b),
          greater_equal(a, b),
          arctan2(a, b),
          hypot(a, b),
          logaddexp(a, b),
          xlogy(a, b),
          fmod(a, b),
          remainder(a, b),
          copysign(a, b),
          logical_and(a, b),
          logical_or(a, b),
          logical_xor(a, b),
          lerp(a, b, 0.5),
          lerp(a, b, a),
          lerp(0.5, a, b),
          clip(a, 0.5, b),
          clip(a, b, b),
          where(a > 1.0, a, b),
          where(b > 1.0, 0.0, a),
          where(b > 1.0, a, 0.0),
          elementwise([](auto x, auto y) { return x * y * y; }, a, b),
          mean(square(a - b)),
          exp(a * b) - (b - a)};
}

/// Everything of two square matrices.
template <class A, class B>
Results matrices_of(const A& a, const B& b) {
  const Tensor rows{2, 0, 1}, places{{0, 1, 2}, {2, 1, 0}, {1, 1, 1}};
  const auto [sorted, order] = topk(Tensor(a) + b, 2);
  return {matmul(a, b),
          dot(a, b),
          inner(a, b),
          outer(a, b),
          tensordot(a, b, 1),
          kron(a, b),
          cross(a, b),
          einsum("ij,kj->ik", {a, b}),
          concatenate({a, b}),
          stack({a, b}, 1),
          solve(a, b),
          lstsq(a, b),
          triangular_solve(a, b),
          index_add(a, rows, b),
          scatter_add(a, places, b),
          masked_select(a, b > 1.0),
          masked_fill(a, b > 1.0, 7),
          Tensor(a).at(xt::all(), 1).set(b.shape()[0] == 3 ? Tensor(b).slice(0) : Tensor()),
          Tensor(a).at(xt::all()).add(b),
          sorted};
}

/// An argument alone, where xtensor's own functions are not meant.
template <class A>
Results alone(const A& a) {
  return {xgrad::exp(a),     xgrad::log(a),          xgrad::sqrt(a),       xgrad::square(a),     xgrad::abs(a),        xgrad::sign(a),
          xgrad::sin(a),     xgrad::cos(a),          xgrad::tan(a),        xgrad::tanh(a),       xgrad::sigmoid(a),    xgrad::erf(a),
          xgrad::relu(a),    xgrad::floor(a),        xgrad::round(a),      xgrad::negative(a),   xgrad::reciprocal(a), xgrad::rsqrt(a),
          xgrad::lgamma(a),  xgrad::isnan(a),        xgrad::logical_not(a), xgrad::sum(a),       xgrad::mean(a, 0),    xgrad::max(a, 1),
          xgrad::min(a),     xgrad::var(a),          xgrad::stddev(a, 0, 1), xgrad::norm(a),     xgrad::prod(a),       xgrad::any(a),
          xgrad::all(a),     xgrad::argmax(a, 1),    xgrad::softmax(a),    xgrad::logsumexp(a),  xgrad::cumsum(a, 0),  xgrad::sort(a),
          xgrad::argsort(a), xgrad::median(a),       xgrad::reshape(a, {9}), xgrad::transpose(a), xgrad::squeeze(a),   xgrad::flatten(a),
          xgrad::flip(a),    xgrad::roll(a, 1, 0),   xgrad::repeat(a, 2, 0), xgrad::tile(a, {2}), xgrad::pad(a, {{1, 1}}), xgrad::diag(a),
          xgrad::trace(a),   xgrad::tril(a),         xgrad::nonzero(a),    xgrad::det(a),        xgrad::inv(a),        xgrad::expm(a),
          xgrad::rfft(a),    xgrad::take(a, Tensor{1, 0}), xgrad::broadcast_to(a, {2, 3, 3}), nn::gelu(a), nn::leaky_relu(a), xgrad::zeros_like(a)};
}

template <class A, class B>
Results losses_of(const A& a, const B& b) {
  return {nn::mse_loss(a, b), nn::l1_loss(a, b), nn::huber_loss(a, b), nn::cross_entropy(a, b)};
}

void expect_same(const Results& actual, const Results& expected, const std::string& kind) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const Tensor &a = actual[i], &e = expected[i];
    ASSERT_EQ(a.dtype(), e.dtype()) << kind << ", result " << i;
    ASSERT_EQ(a.shape(), e.shape()) << kind << ", result " << i;
    dispatch(a.dtype(), [&](auto type) {
      using T = decltype(type);
      for (std::int64_t k = 0; k < a.size(); ++k)
        EXPECT_TRUE(a.data<T>()[k] == e.data<T>()[k] || a.data<T>()[k] != a.data<T>()[k]) << kind << ", result " << i << ", element " << k;
    });
  }
}

/// Gradients of all floating results together with respect to t.
Results gradients(const Results& results, const Tensor& t) {
  Results all;
  for (const Tensor& result : results)
    if (const Tensor g = result.requires_grad() ? grad(sum(result), t, {.retain_graph = true, .allow_unused = true}) : Tensor(); g.defined())
      all.push_back(g);
  return all;
}

/// Calls `f` with the name of a kind of expression and one of that kind: all have the values of a positive definite matrix.
template <class F>
void each_kind_of_matrix(F f) {
  xt::xarray<double> x{{4, 1, 0.5}, {1, 3, 0.25}, {0.5, 0.25, 2}};
  const xt::xarray<double> constant = x;
  xt::xtensor<double, 2> ranked = x;
  xt::xtensor_fixed<double, xt::xshape<3, 3>> fixed = x;
  xt::xarray<double, xt::layout_type::column_major> columns = x;
  xt::xarray<double, xt::layout_type::dynamic> dynamic = x;
  xt::xarray<double> larger = xt::zeros<double>({5, 7, 3});
  xt::view(larger, xt::range(1, 4), 2, xt::all()) = x;
  xt::xarray<double> stepped = xt::zeros<double>({3, 6});
  xt::view(stepped, xt::all(), xt::range(0, 6, 2)) = x;
  xt::xarray<float> single = x;
  xt::xarray<int> whole{{4, 1, 1}, {1, 3, 2}, {1, 2, 5}};
  xt::xarray<bool> truth{{true, false, false}, {false, true, false}, {true, false, true}};
  std::vector<double> storage(x.begin(), x.end());
  f("xarray", x);
  f("const xarray", constant);
  f("xtensor", ranked);
  f("xtensor_fixed", fixed);
  f("column-major", columns);
  f("dynamic layout", dynamic);
  f("view", xt::view(larger, xt::range(1, 4), 2, xt::all()));
  f("strided view", xt::strided_view(stepped, {xt::all(), xt::range(0, 6, 2)}));
  f("lazy function", x + 0.0 * ranked);
  f("transpose", xt::transpose(x));
  f("adapted memory", xt::adapt(storage, std::vector<std::size_t>{3, 3}));
  f("broadcast", xt::broadcast(xt::xarray<double>{1, 2, 3}, {3, 3}) + xt::eye<double>(3));
  f("reducer", xt::sum(xt::view(larger, xt::range(1, 4), xt::all(), xt::all()), {1}));
  f("cast", xt::cast<float>(x));
  f("float", single);
  f("int", whole);
  f("bool", truth);
}

Tensor matrix() { return Tensor{{2.0, 1.0, 0.5}, {0.25, 4.0, 1.5}, {1.0, 0.75, 3.0}}.set_requires_grad(); }

TEST(XtensorOperands, AreWhatTensorsOfTheirValuesAre) {
  xt::xarray<double> x{1, 2, 3};
  const Tensor t = x;
  EXPECT_EQ(mean(square(t - x)).item(), 0);
  EXPECT_EQ(sum(t * x).item(), 14);
  EXPECT_EQ(sum(x * t).item(), 14);
  EXPECT_EQ(multiply(t, x).dtype(), DType::float64);
}

TEST(XtensorOperands, OfEveryKindGoWithEveryElementwiseFunctionOnEitherSide) {
  each_kind_of_matrix([](const std::string& kind, const auto& e) {
    const Tensor t = matrix(), same = e;
    Results left = elementwise_of(e, t), right = elementwise_of(t, e);
    expect_same(left, elementwise_of(same, t), kind);
    expect_same(right, elementwise_of(t, same), kind);
    expect_same(gradients(left, t), gradients(elementwise_of(same, t), t), kind + ", gradient");
    expect_same(gradients(right, t), gradients(elementwise_of(t, same), t), kind + ", gradient");
  });
}

TEST(XtensorOperands, OfEveryKindGoWithEveryFunctionOfMatricesOnEitherSide) {
  each_kind_of_matrix([](const std::string& kind, const auto& e) {
    using T = typename std::remove_cvref_t<decltype(e)>::value_type;
    if constexpr (!std::is_same_v<T, bool>) {
      const Tensor t = matrix(), same = e;
      Results left = matrices_of(e, t), right = matrices_of(t, e);
      expect_same(left, matrices_of(same, t), kind);
      expect_same(right, matrices_of(t, same), kind);
      expect_same(gradients(left, t), gradients(matrices_of(same, t), t), kind + ", gradient");
      expect_same(gradients(right, t), gradients(matrices_of(t, same), t), kind + ", gradient");
    }
  });
}

TEST(XtensorOperands, OfEveryKindAreArgumentsAlone) {
  each_kind_of_matrix([](const std::string& kind, const auto& e) {
    using T = typename std::remove_cvref_t<decltype(e)>::value_type;
    if constexpr (std::is_floating_point_v<T>) {
      expect_same(alone(e), alone(Tensor(e)), kind);
      const Tensor t = matrix();
      expect_same(losses_of(e, t), losses_of(Tensor(e), t), kind);
      expect_same(losses_of(t, e), losses_of(t, Tensor(e)), kind);
    }
  });
}

TEST(XtensorOperands, OfNoAxesBroadcast) {
  const auto check = [](const std::string& kind, const auto& e) {
    const Tensor t = matrix(), same = e;
    ASSERT_EQ(same.dim(), 0u);
    expect_same(elementwise_of(e, t), elementwise_of(same, t), kind);
    expect_same(elementwise_of(t, e), elementwise_of(t, same), kind);
  };
  xt::xarray<double> array = xt::ones<double>(std::vector<std::size_t>{});
  array() = 2.5;
  xt::xarray<double> x{1.0, 2.0};
  check("xscalar", xt::xscalar<double>(2.5));
  check("xarray", array);
  check("xtensor", xt::xtensor<float, 0>(array));
  check("reducer", xt::sum(x));
  check("function", xt::sum(x) * 2.0);
  check("view", xt::view(x, 1));
}

TEST(XtensorOperands, MayBeTemporaries) {
  const auto made = [](double first) { return xt::xarray<double>{first, 2, 3}; };
  const Tensor t{1.0, 1.0, 2.0};
  expect_same({t - made(1), made(1) - t, maximum(made(5), t), where(made(1) > 1.0, t, made(9)), t == made(1), matmul(made(1), t)},
              {Tensor{0.0, -1.0, -1.0}, Tensor{0.0, 1.0, 1.0}, Tensor{5.0, 2.0, 3.0}, Tensor{9.0, 1.0, 2.0}, Tensor{true, false, false}, Tensor(9.0)}, "temporary");
}

TEST(XtensorOperands, PromoteAsArrays) {
  const Tensor single{1.0f, 2.0f};
  EXPECT_EQ((single * xt::xarray<double>{1, 2}).dtype(), DType::float64);
  EXPECT_EQ((single * xt::xarray<float>{1, 2}).dtype(), DType::float32);
  EXPECT_EQ((xt::xarray<int>{1, 2} + Tensor{1, 2}).dtype(), DType::int64);
  EXPECT_EQ((xt::xarray<bool>{true, false} && Tensor{true, true}).dtype(), DType::bool_);
  EXPECT_EQ((single * 2.0).dtype(), DType::float32) << "numbers take the tensor's";
}

TEST(XtensorOperands, AreCopiedAtTheCall) {
  xt::xarray<double> x{1, 2};
  const Tensor y = Tensor{1.0, 1.0} + x;
  x(0) = 100;
  EXPECT_EQ(y.array<double>()(0), 2);
}

TEST(XtensorOperands, OfOtherShapesAreRefusedAsTensorsAre) {
  const xt::xarray<double> x{1, 2};
  const Tensor t{1.0, 2.0, 3.0};
  EXPECT_TRUE(throws<std::invalid_argument>([&] { x - t; }, {"subtract", "(2,)", "(3,)", "xtensor_operands_test.cpp:"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { static_cast<void>(x == t); }, {"equal", "(2,)", "(3,)"}));
}

TEST(XtensorOperands, StandWithXtensorsOwnFunctions) {
  const xt::xarray<double> x{1, 2, 3}, edges{1, 2};
  const Tensor t{2.0, 2.0, 2.0};
  expect_same({searchsorted(x, t), searchsorted(t, x), searchsorted(Tensor(x), t)},
              {Tensor{1, 1, 1}, Tensor{0, 0, 3}, Tensor{1, 1, 1}}, "searchsorted");
  const xt::xarray<double> still_xtensors = maximum(x, 2 * x) + where(x > 1.0, x, 0 * x);
  EXPECT_EQ(still_xtensors(2), 9);
  EXPECT_EQ(sum(maximum(x, t)).item(), 7);
}

TEST(XtensorOperands, AmongThemselvesKeepXtensorsOperators) {
  xt::xarray<double> x{1, 2, 3};
  const xt::xarray<double> y{3, 2, 1};
  x += y;
  x -= y * 2.0;
  x *= y + x;
  x /= y;
  static_assert(xt::is_xexpression<decltype(x - y)>::value && xt::is_xexpression<decltype(-x)>::value && xt::is_xexpression<decltype(2.0 * x)>::value);
  static_assert(xt::is_xexpression<decltype(x < y)>::value && xt::is_xexpression<decltype(x > 1.0)>::value && xt::is_xexpression<decltype(x > 1.0 && y > 1.0)>::value);
  static_assert(std::is_same_v<decltype(x == y), bool> && std::is_same_v<decltype(x != y), bool>);
  EXPECT_FALSE(x == y);
  EXPECT_TRUE(x != y);
  EXPECT_EQ(x, x);
}

TEST(XtensorOperands, GoIntoFunctionsOfTensors) {
  const xt::xarray<double> x{1, 2, 3};
  const auto f = [](const Tensor& v) { return sum(v * v * v); };
  expect_same({grad(f)(x), jit(f)(x), hvp(f, x, x), hessian(f, x), vmap([](const Tensor& v) { return v * 2; })(x)},
              {Tensor{3.0, 12.0, 27.0}, Tensor(36.0), Tensor{6.0, 24.0, 54.0}, Tensor{{6.0, 0.0, 0.0}, {0.0, 12.0, 0.0}, {0.0, 0.0, 18.0}}, Tensor{2.0, 4.0, 6.0}},
              "function");
}

TEST(CompoundAssignment, GivesTheHandleTheResult) {
  const xt::xarray<double> x{1, 2};
  Tensor t{1.0, 1.0};
  const Tensor before = t;
  t += x;
  t *= 2;
  t -= Tensor{1.0, 1.0};
  t /= x;
  expect_same({t, before}, {Tensor{3.0, 2.5}, Tensor{1.0, 1.0}}, "compound");
  Tensor total = 0.0, w = Tensor{1.0, 2.0}.set_requires_grad();
  for (int i = 0; i < 3; ++i) total += sum(w * w);
  total.backward();
  expect_same({w.grad()}, {Tensor{6.0, 12.0}}, "gradient");
}

TEST(CompoundAssignment, IsRefusedForALeafInTraining) {
  Tensor w = Tensor{1.0, 2.0}.set_requires_grad();
  const Tensor before = w;
  EXPECT_TRUE(throws<std::logic_error>([&] { w -= 0.1 * w; }, {"-=", "(2,)", "assign"}));
  EXPECT_TRUE(w.is(before));
}

TEST(Logic, OfTensorsIsElementByElement) {
  const Tensor a{true, true, false}, b{true, false, false};
  expect_same({a && b, a || b, !a, a && true, false || b, !Tensor{0.0, 2.0}},
              {Tensor{true, false, false}, Tensor{true, true, false}, Tensor{false, false, true}, a, b, Tensor{true, false}}, "logic");
}

TEST(Comparisons, TakeTheTensorsDtypeForNumbersOnEitherSide) {
  const Tensor t{0.1f};
  expect_same({0.1 < t, t > 0.1, 0.1 == t, t == 0.1, 0.1 >= t, 0.1 <= t, 0.1 > t, 0.1 != t},
              {Tensor{false}, Tensor{false}, Tensor{true}, Tensor{true}, Tensor{true}, Tensor{true}, Tensor{false}, Tensor{false}}, "number");
}

}  // namespace
