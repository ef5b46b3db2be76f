#define XGRAD_WITH_XT_BLAS
#include <algorithm>
#include <autodiff/detail/blas.hpp>
#include <autodiff/detail/xt.hpp>
#include <limits>
#include <stdexcept>
#include <string>

namespace xgrad::detail {
namespace {

#ifndef HAVE_CBLAS
#error "xtensor-blas is set up without a CBLAS and would run loops of its own"
#endif

using Index = BLAS_IDX;

template <class T>
void multiply(std::int64_t n, std::int64_t m, std::int64_t k, const MatrixView<T>& a, const MatrixView<T>& b, T* c, bool add) {
  if (n == 0 || m == 0) return;
  if (k == 0) {
    if (!add) std::fill_n(c, n * m, T(0));
    return;
  }
  if (k == 1) {  // columns times rows, over in less time than a call takes
    const std::int64_t a_step = a.transposed ? 1 : a.leading, b_step = b.transposed ? b.leading : 1;
    for (std::int64_t i = 0; i < n; ++i) {
      const T factor = a.data[i * a_step];
      T* const row = c + i * m;
      if (add)
        for (std::int64_t j = 0; j < m; ++j) row[j] += factor * b.data[j * b_step];
      else if (b_step == 1)
        for (std::int64_t j = 0; j < m; ++j) row[j] = factor * b.data[j];
      else
        for (std::int64_t j = 0; j < m; ++j) row[j] = factor * b.data[j * b_step];
    }
    return;
  }
  const std::int64_t largest = std::max({n, m, k, a.leading, b.leading});
  if (largest > std::numeric_limits<Index>::max())
    throw std::length_error("matmul: an extent of " + std::to_string(largest) + " is beyond BLAS's index type");
  const auto index = [](std::int64_t value) { return static_cast<Index>(value); };
  // A product with one row or column is one pass over the matrix, which the kernels for matrices do not do well.
  const T beta = add ? T(1) : T(0);
  if ((m == 1 || n == 1) && !add) std::fill_n(c, n * m, T(0));  // not every BLAS keeps from reading what it overwrites here
  if (m == 1) {
    // B is a column: its elements are `step` apart.
    const Index step = index(b.transposed ? 1 : b.leading);
    const Index rows = index(a.transposed ? k : n), columns = index(a.transposed ? n : k);
    cxxblas::gemv(cxxblas::RowMajor, a.transposed ? cxxblas::Trans : cxxblas::NoTrans, rows, columns, T(1), a.data,
                  index(a.leading), b.data, step, beta, c, Index(1));
    return;
  }
  if (n == 1) {
    const Index step = index(a.transposed ? a.leading : 1);
    const Index rows = index(b.transposed ? m : k), columns = index(b.transposed ? k : m);
    cxxblas::gemv(cxxblas::RowMajor, b.transposed ? cxxblas::NoTrans : cxxblas::Trans, rows, columns, T(1), b.data,
                  index(b.leading), a.data, step, beta, c, Index(1));
    return;
  }
  cxxblas::gemm(cxxblas::RowMajor, a.transposed ? cxxblas::Trans : cxxblas::NoTrans,
                b.transposed ? cxxblas::Trans : cxxblas::NoTrans, index(n), index(m), index(k), T(1), a.data, index(a.leading),
                b.data, index(b.leading), beta, c, index(m));
}

}  // namespace

void gemm(std::int64_t n, std::int64_t m, std::int64_t k, const MatrixView<float>& a, const MatrixView<float>& b, float* c, bool add) {
  multiply(n, m, k, a, b, c, add);
}
void gemm(std::int64_t n, std::int64_t m, std::int64_t k, const MatrixView<double>& a, const MatrixView<double>& b, double* c, bool add) {
  multiply(n, m, k, a, b, c, add);
}

}  // namespace xgrad::detail
