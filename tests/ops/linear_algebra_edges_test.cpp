// Linear algebra where a rule could divide by what vanishes, or LAPACK could answer to what is no matrix: the right value, a NaN or an
// error.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <limits>
#include <map>
#include <tests/support/throws.hpp>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();

Tensor random(const Shape& shape, std::uint64_t seed, DType dtype = DType::float64) { return Generator(seed).normal(shape, 0, 1, dtype).evaluate(); }
Tensor identity(std::int64_t n) { return eye(n, DType::float64).evaluate(); }
Tensor turned(const Tensor& x) { return matrix_transpose(x); }
/// The derivative of `f` along each of `directions`, one after the other.
Tensor along(UnaryFunction f, const std::vector<Tensor>& directions, const Tensor& x) {
  for (const Tensor& direction : directions) f = [f, direction](const Tensor& at) { return sum(grad(f)(at) * direction); };
  return f(x);
}
bool all_nan(const Tensor& x) {
  const Values all = values(x);
  return std::all_of(all.begin(), all.end(), [](double v) { return std::isnan(v); });
}

// ---- what is not finite ----

const std::map<std::string, UnaryFunction> functions{
    {"cholesky", [](const Tensor& a) { return cholesky(a); }},
    {"qr", [](const Tensor& a) { return qr(a).first; }},
    {"eigh", [](const Tensor& a) { return eigh(a).first; }},
    {"svd", [](const Tensor& a) { return std::get<1>(svd(a)); }},
    {"triangular_solve", [](const Tensor& a) { return triangular_solve(a, ones({3, 2})); }},
    {"solve", [](const Tensor& a) { return solve(a, ones({3, 2})); }},
    {"inv", [](const Tensor& a) { return inv(a); }},
    {"pinv", [](const Tensor& a) { return pinv(a); }},
    {"lstsq", [](const Tensor& a) { return lstsq(a, ones({3, 1})); }},
    {"det", [](const Tensor& a) { return det(a); }},
    {"slogdet", [](const Tensor& a) { return slogdet(a).second; }},
    {"matrix_power", [](const Tensor& a) { return matrix_power(a, -1); }},
    {"expm", [](const Tensor& a) { return expm(a); }},
};

TEST(LinearAlgebra, RefusesWhatIsNotFiniteAndSaysWhereItIs) {
  for (const DType dtype : {DType::float64, DType::float32})
    for (const auto& [value, name] : std::vector<std::pair<double, std::string>>{{infinity, "inf"}, {-infinity, "-inf"}, {nan, "NaN"}}) {
      Tensor batch = stack({identity(3), identity(3), identity(3)}).to(dtype).evaluate();
      const Tensor bad = batch.at(1, 2, 0).set(value).evaluate();
      for (const auto& [function, f] : functions) {
        EXPECT_TRUE(throws<std::domain_error>([&, &f = f] { f(bad); }, {function + ":", "matrix 1 of 3", "not finite: it has " + name + " at (2, 0)"})) << function;
        EXPECT_TRUE(throws<std::domain_error>([&, &f = f] { f(turned(turned(bad.slice(1)).evaluate())); }, {function + ": the matrix is not finite"}));
      }
    }
}

TEST(LinearAlgebra, RefusesWhatIsNotFiniteInEachRunOfACapturedFunction) {
  const Tensor good = stack({identity(3), identity(3)}).evaluate(), bad = good.at(1, 1, 1).set(nan).evaluate();
  for (const auto& [function, f] : functions) {
    SCOPED_TRACE(function);
    const auto compiled = jit(f);
    expect_near(compiled(good), values(f(good)));
    EXPECT_TRUE(throws<std::domain_error>([&] { compiled(bad).evaluate(); }, {function + ":", "matrix 1 of 2", "(1, 1)"}));
    expect_near(compiled(2 * good), values(f(2 * good)));
    EXPECT_TRUE(throws<std::domain_error>([&, &f = f] { vmap(f, 0)(bad).evaluate(); }, {function + ":", "(1, 1)"}));
  }
}

TEST(LinearAlgebra, LooksAtNoElementThatItDoesNotRead) {
  const Tensor lower{{2.0, nan}, {1.0, 2.0}}, upper = turned(lower), unit{{nan, infinity}, {3.0, nan}};
  expect_near(cholesky(lower), {std::sqrt(2.0), 0, std::sqrt(0.5), std::sqrt(1.5)});
  expect_near(eigh(lower).first, {1, 3});
  expect_near(triangular_solve(lower, ones({2, 1})), {0.5, 0.25});
  expect_near(triangular_solve(upper, ones({2, 1}), {.lower = false}), {0.25, 0.5});
  expect_near(triangular_solve(unit, ones({2, 1}), {.unit = true}), {1, -2});
  EXPECT_TRUE(throws<std::domain_error>([&] { triangular_solve(unit, ones({2, 1})); }, {"triangular_solve", "NaN at (0, 0)"}));
}

TEST(LinearAlgebra, HandsOnWhatIsNotFiniteInRightHandSides) {
  const Tensor a = identity(2) * 2, b{{nan, 1.0}, {infinity, 2.0}};
  for (const Tensor& x : {solve(a, b), triangular_solve(a, b), lstsq(a, b)}) {
    EXPECT_TRUE(std::isnan(values(x)[0]));
    EXPECT_FALSE(std::isfinite(values(x)[2]));
    EXPECT_NEAR(values(x)[1], 0.5, 1e-15);
    EXPECT_NEAR(values(x)[3], 1, 1e-15);
  }
}

TEST(LinearAlgebra, NamesTheFirstBadMatrixWhateverTheNumberOfThreads) {
  const Tensor batch = broadcast_to(identity(12), {300, 12, 12}).at(130, 0, 0).set(nan).at(131, 0, 0).set(nan).at(290, 0, 0).set(nan).evaluate();
  const int before = num_threads();
  for (int i = 0; i < 20; ++i) {
    set_num_threads(1 + i % 4);
    EXPECT_TRUE(throws<std::domain_error>([&] { svd(batch); }, {"svd", "matrix 130 of 300"}));
  }
  set_num_threads(before);
}

// ---- determinants ----

/// By Laplace's expansion, in products and sums alone.
Tensor expanded(const Tensor& a) {
  const std::int64_t n = a.shape(0);
  if (n == 0) return ones({}, a.dtype());
  Tensor total = zeros({}, a.dtype());
  for (std::int64_t j = 0; j < n; ++j) {
    const Tensor minor = concatenate({a.slice(xt::range(1, n), xt::range(std::int64_t{0}, j)), a.slice(xt::range(1, n), xt::range(j + 1, n))}, 1);
    total = total + (j % 2 ? -1.0 : 1.0) * a.slice(0, j) * expanded(minor);
  }
  return total;
}

TEST(Det, HasTheHessianOfCofactorsWhereAPivotIsARoundingError) {
  const Tensor a{{.1, .2, .3}, {.4, .5, .6}, {.7, .8, .9}};
  const Tensor h = hessian([](const Tensor& x) { return det(x); }, a);
  expect_near(h, values(hessian(expanded, a)), 1e-14);
  expect_near(h.slice(0, 0).reshape({9}), {0, 0, 0, 0, .9, -.8, 0, -.6, .5}, 1e-14);
}

TEST(Det, HasTheDerivativesOfItsExpansionForMatricesOfAnyRank) {
  const UnaryFunction of_op = [](const Tensor& x) { return det(x); };
  for (const std::int64_t n : {1, 2, 3, 4})
    for (std::int64_t rank = 0; rank <= n; ++rank) {
      const Tensor a = matmul(random({n, rank}, 1), random({rank, n}, 2)).evaluate();
      std::vector<Tensor> directions;
      for (std::uint64_t order = 1; order <= 4; ++order) {
        directions.push_back(random({n, n}, 10 + order));
        EXPECT_NEAR(along(of_op, directions, a).item(), along(expanded, directions, a).item(), 1e-12) << "n " << n << ", rank " << rank << ", order " << order;
      }
    }
  const Tensor batch = random({2, 3, 3}, 3) * Tensor(xt::xarray<double>{1, 0}).reshape({2, 1, 1});
  const Tensor both = hessian([](const Tensor& x) { return sum(det(x)); }, batch);
  for (std::int64_t i : {0, 1}) expect_near(both.slice(i, xt::all(), xt::all(), i), values(hessian(expanded, batch.slice(i))), 1e-13);
}

TEST(Det, NeitherOverflowsNorUnderflowsOnTheWay) {
  for (const Tensor& d : {Tensor{1e-200, 1e-200, 1e200, 1e200}, Tensor{1e200, 1e-200, 1e200, 1e-200}}) {
    EXPECT_NEAR(det(diag(d)).item(), 1, 1e-14);
    const Tensor g = grad([](const Tensor& x) { return det(diag(x)); })(d) * d;
    expect_near(g, {1, 1, 1, 1}, 1e-13);
  }
}

// ---- products ----

TEST(Prod, HasTheDerivativesOfAProductForAnyNumberOfZeros) {
  const Values x0{2, -3, 0.5, 4, -1.5};
  const UnaryFunction by_factors = [](const Tensor& x) {
    Tensor result = x.slice(0);
    for (std::int64_t i = 1; i < x.size(); ++i) result = result * x.slice(i);
    return result;
  };
  const UnaryFunction cumulative_by_factors = [](const Tensor& x) {
    Tensor product = x.slice(0), total = product;
    for (std::int64_t i = 1; i < x.size(); ++i) total = total + static_cast<double>(i) * (product = product * x.slice(i));
    return total;
  };
  const UnaryFunction of_prod = [](const Tensor& x) { return prod(x); };
  const UnaryFunction of_cumprod = [](const Tensor& x) { return sum(cumprod(x, 0) * Tensor{1.0, 1.0, 2.0, 3.0, 4.0}); };
  for (std::size_t zeros = 0; zeros <= 4; ++zeros) {
    Values x = x0;
    for (std::size_t i = 0; i < zeros; ++i) x[(3 * i + 1) % x.size()] = 0;
    const Tensor at = leaf(x).detach();
    std::vector<Tensor> directions;
    for (std::uint64_t order = 1; order <= 4; ++order) {
      directions.push_back(random({5}, order));
      EXPECT_NEAR(along(of_prod, directions, at).item(), along(by_factors, directions, at).item(), 1e-11) << zeros << " zeros, order " << order;
      EXPECT_NEAR(along(of_cumprod, directions, at).item(), along(cumulative_by_factors, directions, at).item(), 1e-11) << zeros << " zeros, order " << order;
    }
  }
}

// ---- singular up to rounding ----

TEST(LinearAlgebra, RefusesMatricesThatAreSingularUpToRounding) {
  for (const DType dtype : {DType::float64, DType::float32})
    for (const std::int64_t n : {2, 3, 5, 20, 70})
      for (std::uint64_t seed = 0; seed < 10; ++seed) {
        const std::int64_t rank = n - 1 - static_cast<std::int64_t>(seed) % std::min<std::int64_t>(n - 1, 3);
        const Tensor half = random({n, rank}, seed, dtype), a = matmul(half, random({rank, n}, 100 + seed, dtype)).evaluate();
        SCOPED_TRACE(to_string(a.shape()) + " of rank " + std::to_string(rank) + ", seed " + std::to_string(seed));
        EXPECT_TRUE(throws<std::domain_error>([&] { inv(a); }, {"inv", "singular"}));
        EXPECT_TRUE(throws<std::domain_error>([&] { solve(a, half); }, {"solve", "singular"}));
        EXPECT_TRUE(throws<std::domain_error>([&] { matrix_power(a, -3); }, {"matrix_power", "singular"}));
        EXPECT_TRUE(throws<std::domain_error>([&] { grad([](const Tensor& x) { return slogdet(x).second; })(a).evaluate(); }, {"slogdet", "singular"}));
        EXPECT_TRUE(throws<std::domain_error>([&] { cholesky(matmul(half, turned(half))); }, {"cholesky", "positive definite"}));
        EXPECT_TRUE(throws<std::domain_error>([&] { lstsq(a, half); }, {"lstsq", "full rank"}));
        EXPECT_TRUE(throws<std::domain_error>([&] { grad([](const Tensor& x) { return sum(qr(x).second); })(a).evaluate(); }, {"qr", "full rank"}));
      }
}

TEST(LinearAlgebra, TakesRegularMatricesOfAnyScale) {
  const Tensor scales{1e-20, 1.0, 1e20, 1e-5}, a = random({4, 4}, 5);
  for (const Tensor& x : {diag(scales), a * scales, a * expand_dims(scales, 1), a * scales * expand_dims(scales, 1)}) {
    const Tensor inverse = inv(x), e = identity(4);
    expect_near(inv(inverse) / where(x == 0, 1, x), values(where(x == 0, 0, ones({4, 4}, DType::float64))), 1e-9);
    expect_near(solve(x, e) / where(inverse == 0, 1, inverse), values(inverse / where(inverse == 0, 1, inverse)), 1e-9);
  }
  // A matrix of condition 10^14 keeps its digits by that measure.
  Tensor hilbert = 1 / (expand_dims(arange(0, 10, 1, DType::float64), 1) + arange(0, 10, 1, DType::float64) + 1);
  expect_near(matmul(hilbert, solve(hilbert, ones({10, 1}, DType::float64))), Values(10, 1), 1e-8);
  EXPECT_NO_THROW(cholesky(hilbert));
}

TEST(LinearAlgebra, HasNoGradientThroughWhatIsMasked) {
  const Tensor singular{{1.0, 2.0}, {2.0, 4.0}}, regular{{2.0, 1.0}, {1.0, 3.0}}, batch = stack({singular, regular});
  const Tensor keep = Tensor(xt::xarray<bool>{false, true});
  const std::map<std::string, UnaryFunction> all{
      {"slogdet", [](const Tensor& x) { return slogdet(x).second; }},
      {"qr", [](const Tensor& x) { return sum(qr(x).first * qr(x).second, {-2, -1}); }},
      {"eigh", [](const Tensor& x) { const auto [w, v] = eigh(x * Tensor{{1.0, 0.0}, {0.0, 0.25}}); return sum(matmul(v * exp(expand_dims(w, -2)), turned(v)), {-2, -1}); }},
  };
  for (const auto& [name, f] : all) {
    SCOPED_TRACE(name);
    const auto masked = [&, &f = f](const Tensor& x) { return sum(where(keep, f(x), 0)); };
    const Tensor g = grad(masked)(batch), expected = grad([&, &f = f](const Tensor& x) { return sum(f(x)); })(regular);
    expect_near(g.slice(0), {0, 0, 0, 0});
    expect_near(g.slice(1), values(expected));
  }
}

// ---- equal values ----

TEST(Eigh, OfEqualValuesHasNoGradientOfWhatMixesThem) {
  const Tensor a = diag(Tensor{1.0, 1.0, 2.0}), m = random({3, 3}, 7);
  const auto gradient = [&](const UnaryFunction& f, const Tensor& at) { return grad(f)(at); };
  // A function of the matrix, whose derivative the cotangents of V and w do not hold; what V alone has no derivative of; Hessians.
  EXPECT_TRUE(all_nan(gradient([&](const Tensor& x) { const auto [w, v] = eigh(x); return sum(m * matmul(v * exp(expand_dims(w, -2)), turned(v))); }, a)));
  EXPECT_TRUE(all_nan(gradient([&](const Tensor& x) { const auto [w, v] = eigh(x); return sum(m * matmul(v * expand_dims(w, -2), turned(v))); }, zeros({3, 3}, DType::float64))));
  EXPECT_TRUE(all_nan(gradient([&](const Tensor& x) { return sum(m * eigh(x).second); }, a)));
  EXPECT_TRUE(all_nan(grad([](const Tensor& x) { return sum(grad([](const Tensor& y) { return sum(square(eigh(y).first)); })(x)); })(a)));
  // Where the eigenvectors of equal values are not used, there is nothing to leave out.
  const auto of_last = [&](const Tensor& x) { const auto [w, v] = eigh(x); return w.slice(2) * sum(v.slice(xt::all(), 2) * v.slice(0, 2)); };
  const Tensor apart = a + diag(Tensor{0.0, 1e-3, 0.0});
  expect_near(gradient(of_last, a), values(gradient(of_last, apart)), 1e-2);
}

TEST(Svd, OfEqualValuesHasNoGradientOfWhatMixesThem) {
  const Tensor m = random({3, 3}, 8);
  const auto rebuilt = [&](const Tensor& x) { const auto [u, s, vh] = svd(x); return sum(m.slice(xt::range(std::int64_t{0}, x.shape(0))) * matmul(u * expand_dims(s, -2), vh)); };
  EXPECT_TRUE(all_nan(grad(rebuilt)(identity(3))));
  EXPECT_TRUE(all_nan(grad(rebuilt)(zeros({2, 3}, DType::float64))));
  EXPECT_TRUE(all_nan(grad(rebuilt)(matmul(random({3, 1}, 9), random({1, 3}, 10)))));
  EXPECT_TRUE(all_nan(grad([&](const Tensor& x) { return sum(m * std::get<0>(svd(x))); })(identity(3))));
  // Of the largest value and its vectors alone.
  const Tensor low = matmul(random({3, 1}, 9), random({1, 3}, 10)).evaluate();
  const auto first = [&](const Tensor& x) { const auto [u, s, vh] = svd(x); return sum(m * outer(u.slice(xt::all(), 0) * s.slice(0), vh.slice(0))); };
  EXPECT_TRUE(gradcheck([&](const std::vector<Tensor>& x) { return first(x[0]); }, {low}));
}

// ---- the exponential ----

TEST(Expm, HasDerivativesOfEveryOrderBesideAnyNorm) {
  for (const double scale : {1e-3, 1.0, 8.0}) {
    const Tensor a = random({3, 3}, 30) * scale, e = random({3, 3}, 31), f = random({3, 3}, 32), m = random({3, 3}, 33);
    // The derivatives along E and F are blocks of the exponential of a matrix of A, E and F.
    const Tensor none = zeros({3, 3}, DType::float64);
    const auto rows_of = [](std::initializer_list<Tensor> blocks) { return concatenate(std::vector<Tensor>(blocks), 1); };
    const Tensor all = expm(concatenate({rows_of({a, e, f, none}), rows_of({none, a, none, f}), rows_of({none, none, a, e}), rows_of({none, none, none, a})}, 0));
    const UnaryFunction function = [&](const Tensor& x) { return sum(m * expm(x)); };
    const auto block = [&](std::int64_t at) { return sum(m * all.slice(xt::range(0, 3), xt::range(3 * at, 3 * at + 3))).item(); };
    EXPECT_NEAR(along(function, {e}, a).item() / block(1), 1, 1e-11);
    EXPECT_NEAR(along(function, {e, f}, a).item() / block(3), 1, 1e-11);
    EXPECT_NEAR(along(function, {e * 1e12}, a).item() / block(1), 1e12, 10);
    EXPECT_NEAR(along(function, {e * 1e-300}, a).item() / block(1) * 1e300, 1, 1e-11);
  }
  expect_near(grad([](const Tensor& x) { return sum(expm(x)); })(zeros({2, 2}, DType::float64)), {1, 1, 1, 1});
}

}  // namespace
