// Decompositions: their factors and the gradients of each factor, equal values, and matrices that have none.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <tests/support/throws.hpp>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

Tensor random(const Shape& shape, std::uint64_t seed) { return Generator(seed).normal(shape, 0, 1, DType::float64).evaluate(); }
Tensor turned(const Tensor& x) { return matrix_transpose(x); }
void expect_same(const Tensor& a, const Tensor& b, double tolerance = 1e-12) {
  ASSERT_EQ(a.shape(), b.shape());
  expect_near(a, values(b), tolerance);
}

TEST(Qr, HasOrthonormalColumnsAndATriangle) {
  for (const Shape& shape : std::vector<Shape>{{5, 3}, {3, 3}, {2, 4, 2}, {2, 5}, {0, 0}, {3, 0}}) {
    const Tensor a = random(shape, 1);
    const auto [q, r] = qr(a);
    expect_same(matmul(q, r), a);
    const std::int64_t k = q.shape(-1);
    expect_same(matmul(turned(q), q), broadcast_to(eye(k, DType::float64), matmul(turned(q), q).shape()));
    expect_same(triu(r), r);
  }
  for (int part : {0, 1})
    for (const Shape& shape : std::vector<Shape>{{4, 3}, {2, 3, 2}, {2, 4}}) {
      const auto f = [part](const std::vector<Tensor>& x) { return part ? qr(x[0]).second : qr(x[0]).first; };
      EXPECT_TRUE(gradcheck(f, {random(shape, 2)}));
      EXPECT_TRUE(gradgradcheck(f, {random(shape, 2)}, {.rtol = 1e-5, .atol = 1e-6}));
    }
}

TEST(Svd, IsWhatItDecomposes) {
  for (const Shape& shape : std::vector<Shape>{{5, 3}, {3, 5}, {2, 3, 3}, {3, 0}}) {
    const Tensor a = random(shape, 3);
    const auto [u, s, vh] = svd(a);
    expect_same(matmul(u * expand_dims(s, -2), vh), a);
    EXPECT_EQ(values(sort(s, -1, true)), values(s));
  }
  for (int part : {0, 1, 2})
    for (const Shape& shape : std::vector<Shape>{{4, 2}, {2, 4}, {3, 3}}) {
      const auto f = [part](const std::vector<Tensor>& x) {
        const auto [u, s, vh] = svd(x[0]);
        return part == 0 ? u : part == 1 ? s : vh;
      };
      EXPECT_TRUE(gradcheck(f, {random(shape, 4)}, {.rtol = 1e-5})) << to_string(shape) << part;
      EXPECT_TRUE(gradgradcheck(f, {random(shape, 4)}, {.rtol = 1e-4, .atol = 1e-5})) << to_string(shape) << part;
    }
}

TEST(Eigh, IsWhatItDecomposes) {
  const Tensor x = random({2, 4, 4}, 5), a = x + turned(x);
  const auto [w, v] = eigh(a);
  expect_same(matmul(a, v), v * expand_dims(w, -2), 1e-11);
  EXPECT_EQ(values(sort(w)), values(w));
  for (int part : {0, 1}) {
    const auto f = [part](const std::vector<Tensor>& in) {
      const auto [values, vectors] = eigh(in[0] + turned(in[0]));
      return part ? vectors : values;
    };
    EXPECT_TRUE(gradcheck(f, {random({3, 3}, 6)}));
    EXPECT_TRUE(gradgradcheck(f, {random({3, 3}, 6)}, {.rtol = 1e-5, .atol = 1e-6}));
  }
}

/// An orthogonal matrix.
Tensor turning(std::uint64_t seed, std::int64_t n) { return qr(random({n, n}, seed)).first.evaluate(); }

TEST(Eigh, OfEqualValuesHasTheGradientOfWhatDoesNotDependOnTheChoice) {
  // Exactly equal, and equal up to rounding.
  for (const Tensor& q : {eye(3, DType::float64), turning(11, 3)}) {
    Tensor a = matmul(q * Tensor{1.0, 1.0, 2.0}, turned(q)).evaluate().detach().set_requires_grad();
    const auto [w, v] = eigh(a);
    sum(w * w).backward({}, true);  // Σ aᵢⱼ²
    expect_same(a.grad(), 2 * a.detach(), 1e-10);
    // The space of the two, as a projection P: of M it has the gradient P M (I - P) / (1 - 2), made symmetric.
    a.zero_grad();
    const Tensor m = random({3, 3}, 12), both = v.slice(xt::all(), xt::range(0, 2));
    sum(m * matmul(both, turned(both))).backward();
    const Tensor p = matmul(both, turned(both)).detach(), s = m + turned(m);
    const Tensor mixed = -matmul(matmul(p, s), eye(3, DType::float64) - p);
    expect_same(a.grad(), 0.5 * (mixed + turned(mixed)), 1e-10);
  }
}

TEST(Svd, OfEqualValuesHasTheGradientOfWhatTurnsWithBoth) {
  for (const Tensor& q : {eye(2, DType::float64), turning(13, 2)}) {
    // The nearest orthogonal matrix to A = Q near which it is A itself: of M the gradient is ½ (M - Q Mᵀ Q).
    Tensor a = q.detach().set_requires_grad();
    const auto [u, s, vh] = svd(a);
    const Tensor m{{0.0, 1.0}, {0.3, 0.0}};
    sum(m * matmul(u, vh)).backward();
    expect_same(a.grad(), 0.5 * (m - matmul(matmul(q, turned(m)), q)), 1e-10);
  }
}

TEST(Det, HasAGradientAtSingularMatrices) {
  for (const std::int64_t rank : {1, 2, 3}) {
    const Tensor a = matmul(random({3, rank}, 14), random({rank, 3}, 15)).evaluate();
    EXPECT_TRUE(gradcheck([](const std::vector<Tensor>& x) { return det(x[0]); }, {a})) << "rank " << rank;
  }
}

TEST(Pinv, OfALowRankMatrixIsMooreAndPenroses) {
  const Tensor a = matmul(random({5, 2}, 7), random({2, 4}, 8)), p = pinv(a);
  expect_same(matmul(matmul(a, p), a), a, 1e-11);
  expect_same(matmul(matmul(p, a), p), p, 1e-11);
  expect_same(matmul(a, p), turned(matmul(a, p)), 1e-11);
  const auto f = [](const std::vector<Tensor>& x) { return pinv(matmul(x[0], x[1])); };
  EXPECT_TRUE(gradcheck(f, {random({4, 2}, 9), random({2, 3}, 10)}, {.rtol = 1e-5}));
}

TEST(Solve, NamesTheMatrixThatIsSingular) {
  const Tensor batch = stack({eye(2, DType::float64), Tensor{{1.0, 2.0}, {2.0, 4.0}}});
  EXPECT_TRUE(throws<std::domain_error>([&] { inv(batch); }, {"inv", "matrix 1 of 2", "singular"}));
  EXPECT_TRUE(throws<std::domain_error>([&] { solve(batch, ones({2, 1})); }, {"solve", "matrix 1 of 2", "singular"}));
  EXPECT_TRUE(throws<std::domain_error>([&] { cholesky(-eye(2, DType::float64)); }, {"cholesky", "positive definite"}));
  EXPECT_TRUE(throws<std::domain_error>([&] { triangular_solve(zeros({2, 2}), ones({2, 1})); }, {"triangular_solve", "singular"}));
  EXPECT_TRUE(throws<std::domain_error>([&] { matrix_power(zeros({2, 2}), -1); }, {"matrix_power", "singular"}));
  EXPECT_TRUE(throws<std::domain_error>([] { lstsq(zeros({3, 2}), ones({3, 1})); }, {"lstsq", "full rank"}));
  const Tensor wide = random({2, 4}, 21), dependent = stack({wide, matmul(ones({2, 1}, DType::float64), random({1, 4}, 22))});
  for (const Tensor& a : {dependent, turned(dependent)})
    EXPECT_TRUE(throws<std::domain_error>([&] { lstsq(a, ones({a.shape(-2), 1})); }, {"lstsq", "matrix 1 of 2", "full rank"}));
  EXPECT_TRUE(throws<std::domain_error>([&] { cholesky(stack({eye(2), eye(2), -eye(2)})); }, {"cholesky", "matrix 2 of 3", "positive definite"}));
  EXPECT_TRUE(throws<std::domain_error>([&] { triangular_solve(batch - eye(2), ones({2, 1})); }, {"triangular_solve", "matrix 0 of 2", "singular"}));
  EXPECT_TRUE(throws<std::domain_error>([&] { grad([](const Tensor& x) { return sum(slogdet(x).second); })(batch).evaluate(); }, {"slogdet", "matrix 1 of 2", "singular"}));
  EXPECT_TRUE(throws<std::domain_error>([&] { matrix_power(batch, -2); }, {"matrix_power", "matrix 1 of 2", "singular"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { inv(ones({2, 3})); }, {"inv", "(2, 3)", "square"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { solve(eye(2), ones({3, 1})); }, {"solve", "(2, 2)", "(3, 1)"}));
  EXPECT_EQ(det(Tensor{{1.0, 2.0}, {2.0, 4.0}}).item(), 0);
  const auto [sign, logarithm] = slogdet(-2 * eye(3, DType::float64));
  EXPECT_EQ(sign.item(), -1);
  EXPECT_NEAR(logarithm.item(), 3 * std::log(2.0), 1e-15);
}

TEST(Solve, TakesVectorsAndNothing) {
  expect_near(solve(Tensor{{2.0, 0.0}, {0.0, 4.0}}, Tensor{2.0, 4.0}), {1, 1});
  expect_near(lstsq(Tensor{{1.0}, {1.0}}, Tensor{1.0, 3.0}), {2});
  EXPECT_EQ(solve(zeros({0, 0}), zeros({0, 3})).shape(), (Shape{0, 3}));
  EXPECT_EQ(inv(zeros({2, 0, 0})).shape(), (Shape{2, 0, 0}));
  EXPECT_EQ(det(zeros({0, 0})).item(), 1);
  EXPECT_EQ(inv(Tensor{{2, 0}, {0, 4}}).dtype(), DType::float64);
  EXPECT_EQ(solve(eye(2), ones({2, 1})).dtype(), DType::float32);
}

TEST(Expm, OfLargeAndNilpotentMatrices) {
  expect_near(expm(Tensor{{0.0, 1.0}, {0.0, 0.0}}), {1, 1, 0, 1});
  expect_near(expm(Tensor{{0.0, -30.0}, {30.0, 0.0}}), {std::cos(30.0), -std::sin(30.0), std::sin(30.0), std::cos(30.0)}, 1e-11);
}

}  // namespace
