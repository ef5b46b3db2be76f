#include <cmath>
#include <limits>
#include <numeric>
#include <tests/catalogue/shape_row.hpp>

namespace xgrad::catalogue {
namespace {

using Matrix = std::vector<std::vector<double>>;

/// The matrices of a batch.
std::vector<Matrix> matrices(const Plain& x) {
  const std::int64_t n = x.shape[x.shape.size() - 2], m = x.shape.back(), count = n * m == 0 ? 0 : static_cast<std::int64_t>(x.values.size()) / (n * m);
  std::vector<Matrix> result;
  for (std::int64_t b = 0; b < count; ++b) {
    Matrix matrix(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i)
      matrix[static_cast<std::size_t>(i)].assign(x.values.begin() + (b * n + i) * m, x.values.begin() + (b * n + i + 1) * m);
    result.push_back(matrix);
  }
  return result;
}
/// What `f` makes of each, in order.
Plain each_matrix(const Plain& x, const std::function<Matrix(const Matrix&)>& f, const std::function<Shape(Shape)>& shape) {
  Plain result{shape(x.shape), {}};
  for (const Matrix& matrix : matrices(x))
    for (const auto& row : f(matrix)) result.values.insert(result.values.end(), row.begin(), row.end());
  return result;
}
Matrix product(const Matrix& a, const Matrix& b) {
  Matrix result(a.size(), std::vector<double>(b[0].size()));
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t k = 0; k < b.size(); ++k)
      for (std::size_t j = 0; j < b[0].size(); ++j) result[i][j] += a[i][k] * b[k][j];
  return result;
}
Matrix turned(const Matrix& a) {
  Matrix result(a[0].size(), std::vector<double>(a.size()));
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t j = 0; j < a[0].size(); ++j) result[j][i] = a[i][j];
  return result;
}
Matrix plus_identity(Matrix a, double factor) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i][i] += factor;
  return a;
}
/// By Gauss and Jordan; also the determinant.
Matrix inverse(Matrix a, double& determinant) {
  const std::size_t n = a.size();
  Matrix result = plus_identity(Matrix(n, std::vector<double>(n)), 1);
  determinant = 1;
  for (std::size_t c = 0; c < n; ++c) {
    std::size_t pivot = c;
    for (std::size_t i = c; i < n; ++i)
      if (std::abs(a[i][c]) > std::abs(a[pivot][c])) pivot = i;
    if (pivot != c) std::swap(a[c], a[pivot]), std::swap(result[c], result[pivot]), determinant = -determinant;
    determinant *= a[c][c];
    const double d = a[c][c];
    for (std::size_t j = 0; j < n; ++j) a[c][j] /= d, result[c][j] /= d;
    for (std::size_t i = 0; i < n; ++i) {
      if (i == c) continue;
      const double factor = a[i][c];
      for (std::size_t j = 0; j < n; ++j) a[i][j] -= factor * a[c][j], result[i][j] -= factor * result[c][j];
    }
  }
  return result;
}
Matrix inverse(const Matrix& a) {
  double determinant = 0;
  return inverse(a, determinant);
}
Matrix lower_root(const Matrix& a) {
  const std::size_t n = a.size();
  Matrix l(n, std::vector<double>(n));
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t i = j; i < n; ++i) {
      double sum = a[i][j];
      for (std::size_t k = 0; k < j; ++k) sum -= l[i][k] * l[j][k];
      l[i][j] = i == j ? std::sqrt(sum) : sum / l[j][j];
    }
  return l;
}
Matrix exponential(const Matrix& a) {
  Matrix sum = plus_identity(Matrix(a.size(), std::vector<double>(a.size())), 1), term = sum;
  for (int k = 1; k < 60; ++k) {
    term = product(term, a);
    for (std::size_t i = 0; i < a.size(); ++i)
      for (std::size_t j = 0; j < a.size(); ++j) sum[i][j] += (term[i][j] /= k);
  }
  return sum;
}

// Well-conditioned matrices of any.
Tensor positive(const Tensor& x) { return matmul(x, matrix_transpose(x)) + eye(x.shape(-1), x.dtype()); }
Matrix positive(const Matrix& x) { return plus_identity(product(x, turned(x)), 1); }
Tensor regular(const Tensor& x) { return x + 4 * eye(x.shape(-1), x.dtype()); }
Matrix regular(const Matrix& x) { return plus_identity(x, 4); }

Shape same(Shape shape) { return shape; }
Shape without_matrix(Shape shape) { return Shape(shape.begin(), shape.end() - 2); }

}  // namespace

std::vector<Row> linear_algebra_rows() {
  using Inputs = const std::vector<Tensor>&;
  std::vector<Row> rows;
  const std::vector<std::vector<Shape>> square{{{3, 3}}, {{1, 1}}, {{2, 1, 4, 4}}, {{0, 2, 2}}};
  const auto add = [&](std::string name, std::string function, TensorFunction f, std::vector<std::vector<Shape>> shapes, Reference reference) {
    rows.push_back({.name = std::move(name), .function = std::move(function), .apply = std::move(f), .domains = {{-1, 1}}, .shapes = std::move(shapes),
                    .reference = std::move(reference), .ulps = 256});
  };
  const auto of_each = [&](std::string name, std::string function, Tensor (*f)(const Tensor&), std::function<Matrix(const Matrix&)> g, Shape (*shape)(Shape) = same) {
    add(std::move(name), std::move(function), [f](Inputs x) { return f(x[0]); }, square,
        [g, shape](const std::vector<Plain>& x) { return each_matrix(x[0], g, shape); });
    if (shape == same) rows.back().shapes.push_back({{0, 0}});
  };
  const auto determinant_of = [](const Matrix& x) {
    double d = 0;
    inverse(regular(x), d);
    return d;
  };
  of_each("cholesky", "cholesky", [](const Tensor& x) { return cholesky(positive(x)); }, [](const Matrix& x) { return lower_root(positive(x)); });
  of_each("inv", "inv", [](const Tensor& x) { return inv(regular(x)); }, [](const Matrix& x) { return inverse(regular(x)); });
  of_each("det", "det", [](const Tensor& x) { return det(regular(x)) / 64; }, [=](const Matrix& x) { return Matrix{{determinant_of(x) / 64}}; }, without_matrix);
  of_each("slogdet", "slogdet", [](const Tensor& x) { return slogdet(regular(x)).second; }, [=](const Matrix& x) { return Matrix{{std::log(std::abs(determinant_of(x)))}}; }, without_matrix);
  of_each("matrixPower", "matrix_power", [](const Tensor& x) { return matrix_power(x, 3); }, [](const Matrix& x) { return product(x, product(x, x)); });
  of_each("matrixPowerOfTheInverse", "matrix_power", [](const Tensor& x) { return 16 * matrix_power(regular(x), -2); },
          [](const Matrix& x) {
            Matrix result = product(inverse(regular(x)), inverse(regular(x)));
            for (auto& row : result)
              for (double& v : row) v *= 16;
            return result;
          });
  of_each("expm", "expm", [](const Tensor& x) { return expm(x); }, exponential);
  // Functions of a symmetric matrix by its eigenvectors and values, known otherwise.
  of_each("eigh", "eigh",
          [](const Tensor& x) {
            const auto [w, v] = eigh(positive(x));
            return matmul(v / expand_dims(w, -2), matrix_transpose(v));
          },
          [](const Matrix& x) { return inverse(positive(x)); });
  add("svd", "svd",
      [](Inputs x) {
        const std::int64_t m = x[0].shape(-2), n = x[0].shape(-1);
        const auto [u, s, vh] = svd(x[0] + 2 * eye(std::max(m, n), x[0].dtype()).slice(xt::range(0, m), xt::range(0, n)));
        return matmul(u / expand_dims(s, -2), vh);  // the inverse, turned
      },
      {{{3, 2}}, {{2, 3}}, {{2, 3, 3}}, {{0, 2, 3}}},
      [](const std::vector<Plain>& x) {
        return each_matrix(x[0],
                           [](Matrix a) {
                             for (std::size_t i = 0; i < std::min(a.size(), a[0].size()); ++i) a[i][i] += 2;
                             return a.size() >= a[0].size() ? product(a, inverse(product(turned(a), a))) : product(inverse(product(a, turned(a))), a);
                           },
                           same);
      });
  add("qr", "qr",
      [](Inputs x) {
        const auto [q, r] = qr(x[0]);
        return matmul(q, matmul(matrix_transpose(q), x[0] * x[0]));  // the part of the squares in A's columns
      },
      {{{3, 2}}, {{2, 4, 3}}, {{1, 1}}, {{0, 3, 2}}},
      [](const std::vector<Plain>& x) {
        return each_matrix(x[0],
                           [](const Matrix& a) {
                             Matrix squares = a;
                             for (auto& row : squares)
                               for (double& v : row) v *= v;
                             return product(a, product(inverse(product(turned(a), a)), product(turned(a), squares)));
                           },
                           same);
      });
  const Reference solved = [](const std::vector<Plain>& x) {
    Plain result = x[1];
    result.values.clear();
    const auto left = matrices(x[0]), right = matrices(x[1]);
    result.shape = x[1].shape.size() >= x[0].shape.size() ? x[1].shape : x[0].shape;
    result.shape.back() = x[1].shape.back();
    for (std::size_t i = 0; i < std::max(left.size(), right.size()); ++i)
      for (const auto& row : product(inverse(regular(left[i % left.size()])), right[i % right.size()])) result.values.insert(result.values.end(), row.begin(), row.end());
    return result;
  };
  add("solve", "solve", [](Inputs x) { return solve(regular(x[0]), x[1]); }, {{{3, 3}, {3, 2}}, {{0, 3, 3}, {0, 3, 2}}, {{1, 1}, {1, 3}}, {{2, 3, 3}, {3, 1}}, {{3, 3}, {2, 3, 4}}}, solved);
  const auto triangular = [&](std::string name, TriangularOptions options) {
    add(std::move(name), "triangular_solve", [options](Inputs x) { return triangular_solve(regular(x[0]), x[1], options); }, {{{3, 3}, {3, 2}}, {{0, 3, 3}, {0, 3, 2}}, {{1, 1}, {1, 3}}, {{2, 3, 3}, {3, 1}}},
        [options, solved](const std::vector<Plain>& x) {
          Plain a = x[0];
          const std::int64_t n = a.shape.back();
          for (std::int64_t b = 0; b < static_cast<std::int64_t>(a.values.size()); b += n * n)
            for (std::int64_t i = 0; i < n; ++i)
              for (std::int64_t j = 0; j < n; ++j) {
                double& v = a.values[static_cast<std::size_t>(b + i * n + j)];
                if (options.lower ? j > i : j < i) v = 0;
                if (options.unit && i == j) v = -3;  // plus 4
              }
          if (options.transposed) {
            const Plain before = a;
            for (std::int64_t b = 0; b < static_cast<std::int64_t>(a.values.size()); b += n * n)
              for (std::int64_t i = 0; i < n; ++i)
                for (std::int64_t j = 0; j < n; ++j) a.values[static_cast<std::size_t>(b + i * n + j)] = before.values[static_cast<std::size_t>(b + j * n + i)];
          }
          return solved({a, x[1]});
        });
  };
  triangular("triangularSolve", {});
  triangular("triangularSolveUpper", {.lower = false});
  triangular("triangularSolveTransposed", {.transposed = true});
  triangular("triangularSolveUnit", {.lower = false, .transposed = true, .unit = true});
  const auto least_squares = [](const Matrix& a) { return a.size() >= a[0].size() ? product(inverse(product(turned(a), a)), turned(a)) : product(turned(a), inverse(product(a, turned(a)))); };
  add("pinv", "pinv", [](Inputs x) { return pinv(x[0]); }, {{{4, 2}}, {{2, 4}}, {{0, 3, 2}}},
      [=](const std::vector<Plain>& x) {
        return each_matrix(x[0], least_squares, [](Shape shape) {
          std::swap(shape[shape.size() - 1], shape[shape.size() - 2]);
          return shape;
        });
      });
  add("lstsq", "lstsq", [](Inputs x) { return lstsq(x[0], x[1]); }, {{{4, 2}, {4, 3}}, {{2, 4}, {2, 1}}, {{0, 3, 2}, {0, 3, 1}}},
      [=](const std::vector<Plain>& x) {
        if (x[0].values.empty()) return Plain{{0, x[0].shape[2], x[1].shape[2]}, {}};
        Plain result{{x[0].shape[1], x[1].shape[1]}, {}};
        for (const auto& row : product(least_squares(matrices(x[0])[0]), matrices(x[1])[0])) result.values.insert(result.values.end(), row.begin(), row.end());
        return result;
      });
  const auto edge = [&](const char* name, Edge added) {
    for (Row& row : rows)
      if (row.name == name) row.edges.push_back(std::move(added));
  };
  const Plain identity{{2, 2}, {1, 0, 0, 1}}, of_rank_one{{2, 2}, {1, 2, 2, 4}};
  edge("eigh", {"of equal values: symmetric functions of them are right", ours, {identity}, {{}, {2}}, {{2, 0, 0, 2}}, {}, {},
                [](Inputs x) { return sum(xgrad::square(eigh(x[0]).first)); }});
  edge("eigh", {"of equal values: a loss on vectors that is blind to their choice has gradient 0", ours, {identity}, identity, {{0, 0, 0, 0}}, {}, {},
                [](Inputs x) { const Tensor v = eigh(x[0]).second; return matmul(v, matrix_transpose(v)); }});
  edge("svd", {"of equal values: what turns with both factors is right", ours, {identity}, identity, {{0, 0.35, -0.35, 0}}, {0, 1, 0.3, 0}, {},
               [](Inputs x) { const auto [u, s, vh] = svd(x[0]); return matmul(u, vh); }});
  edge("svd", {"of equal values: symmetric functions of them are right", ours, {identity}, {{}, {2}}, {{2, 0, 0, 2}}, {}, {},
               [](Inputs x) { return sum(xgrad::square(std::get<1>(svd(x[0])))); }});
  edge("det", {"of a singular matrix has the gradient of cofactors", jax, {of_rank_one}, {{}, {0}}, {{4, -2, -2, 1}}, {}, {}, [](Inputs x) { return det(x[0]); }});
  edge("slogdet", {"of a singular matrix is -inf", everyone, {of_rank_one}, {{}, {-std::numeric_limits<double>::infinity()}}, {}, {}, {},
                   [](Inputs x) { return slogdet(x[0]).second; }});
  edge("pinv", {"of zeros is zeros", numpy, {{{1, 2}, {0, 0}}}, {{2, 1}, {0, 0}}});
  edge("matrixPower", {"to the 0 is the identity", everyone, {of_rank_one}, identity, {{0, 0, 0, 0}}, {}, {}, [](Inputs x) { return matrix_power(x[0], 0); }});
  edge("det", {"of a singular matrix has the Hessian of cofactors", jax, {of_rank_one}, {{}, {0}}, {{4, -2, -2, 1}}, {}, {1, -1, -1, 1}, [](Inputs x) { return det(x[0]); }});
  edge("slogdet", {"of a singular matrix has no gradient, which is an error", ours, {of_rank_one}, {}, {}, {}, {},
                   [](Inputs x) { return grad([](const Tensor& a) { return slogdet(a).second; })(x[0]); }, "slogdet: the matrix is singular"});
  edge("qr", {"of columns that depend on each other has no gradient, which is an error", ours, {of_rank_one}, {}, {}, {}, {},
              [](Inputs x) { return grad([](const Tensor& a) { return sum(qr(a).second); })(x[0]); }, "qr: the matrix has not full rank"});
  const std::string of_both = "of equal values has no gradient where both vectors and values are used: NaN";
  edge("eigh", {of_both, everyone, {identity}, identity, {}, {}, {}, [](Inputs x) { const auto [w, v] = eigh(x[0]); return matmul(v * expand_dims(w, -2), matrix_transpose(v)); }});
  edge("svd", {of_both, everyone, {identity}, identity, {}, {}, {}, [](Inputs x) { const auto [u, s, vh] = svd(x[0]); return matmul(u * expand_dims(s, -2), vh); }});
  // What is left of a pivot of these are rounding errors.
  const Plain rounding{{3, 3}, {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}}, half_definite{{2, 2}, {0.01, 0.03, 0.03, 0.09}};
  const std::string singular = "a matrix that is singular up to rounding is singular";
  edge("inv", {singular, ours, {rounding}, {}, {}, {}, {}, [](Inputs x) { return inv(x[0]); }, "inv: the matrix is singular"});
  edge("solve", {singular, ours, {rounding, {{3, 1}, {1, 2, 3}}}, {}, {}, {}, {}, [](Inputs x) { return solve(x[0], x[1]); }, "solve: the matrix is singular"});
  edge("matrixPowerOfTheInverse", {singular, ours, {rounding}, {}, {}, {}, {}, [](Inputs x) { return matrix_power(x[0], -1); }, "matrix_power: the matrix is singular"});
  edge("cholesky", {"a matrix that is singular up to rounding is not positive definite", ours, {half_definite}, {}, {}, {}, {}, [](Inputs x) { return cholesky(x[0]); },
                    "cholesky: the matrix is not positive definite"});
  edge("lstsq", {"without full rank, up to rounding, is an error", ours, {{{3, 2}, {1, 2, 2, 4, 3, 6}}, {{3, 1}, {1, 2, 2}}}, {}, {}, {}, {}, {}, "lstsq: the matrix has not full rank"});
  edge("matrixPower", {"of a matrix that is not finite is that of products", numpy, {{{2, 2}, {std::nan(""), 0, 0, 1}}},
                       {{2, 2}, {std::nan(""), std::nan(""), std::nan(""), 1}}, {}, {}, {}, [](Inputs x) { return matrix_power(x[0], 2); }});
  for (Row& row : rows) {
    if (row.name == "matrixPower") continue;
    for (const double value : {std::nan(""), std::numeric_limits<double>::infinity()}) {
      std::vector<Plain> inputs{{{2, 2}, {1, 0, value, 1}}, {{2, 1}, {1, 1}}};
      if (row.name.starts_with("triangularSolve")) inputs[0].values = {1, value, value, 1};
      inputs.resize(row.shapes[0].size());
      row.edges.push_back({"a matrix with a NaN or an infinity is an error", scipy, inputs, {}, {}, {}, {}, {}, row.function + ": the matrix is not finite: it has " + (std::isnan(value) ? "NaN" : "inf") + " at ("});
    }
  }
  for (Row& row : rows)
    if (row.function == "qr" || row.function == "pinv" || row.function == "lstsq" || row.function == "svd") row.ulps = 4096;
  return rows;
}

}  // namespace xgrad::catalogue
