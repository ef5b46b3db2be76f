#define XGRAD_WITH_XT_BLAS
#include <algorithm>
#include <autodiff/core/runtime.hpp>
#include <autodiff/kernels/blas.hpp>
#include <autodiff/core/xt.hpp>
#include <autodiff/kernels/threads.hpp>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>

namespace xgrad::detail {
namespace {

#ifndef HAVE_CBLAS
#error "xtensor-blas is set up without a CBLAS and would run loops of its own"
#endif

using Index = BLAS_IDX;

/// With the rows of C `stride` apart, which is m where n, m or k is 1.
template <class T>
void multiply(std::int64_t n, std::int64_t m, std::int64_t k, const MatrixView<T>& a, const MatrixView<T>& b, T* c, std::int64_t stride,
              bool add) {
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
                b.data, index(b.leading), beta, c, index(stride));
}

// Where a product is cut must not show in its bits. Rows may be cut anywhere between those that kernels take at a time, which divide
// this many. What has fewer is cut by columns, whose results depend on where: in blocks that the shape alone decides on.
constexpr std::int64_t row_unit = 24, few_rows = 2 * row_unit, column_block = 512;

/// In parts on several threads where that pays; in each thread BLAS works alone.
template <class T>
void multiply_in_parts(std::int64_t n, std::int64_t m, std::int64_t k, const MatrixView<T>& a, const MatrixView<T>& b, T* c, bool add) {
  const double work = static_cast<double>(n) * static_cast<double>(m) * static_cast<double>(k);
  const auto worthwhile = static_cast<std::int64_t>(std::min(work / work_of_thread, 1e6));
  const int threads = num_threads();
  const bool by_rows = n >= few_rows || m == 1;
  std::int64_t parts = m == 1 ? n / (2 * column_block) : by_rows ? std::min<std::int64_t>(n / row_unit, threads) : m / column_block;
  if (worthwhile < 2 || k == 1) parts = 1;
  else if (by_rows) parts = std::min(parts, worthwhile);
  std::optional<SerialBlas> serial;
  if (threads > 1) serial.emplace();
  if (parts < 2) return multiply(n, m, k, a, b, c, m, add);
  const auto end_of = [&](std::int64_t part) {
    if (part == parts) return by_rows ? n : m;
    return by_rows ? (n * part / parts + row_unit / 2) / row_unit * row_unit : part * column_block;
  };
  const auto from = [](const MatrixView<T>& x, std::int64_t first, bool row) {
    return MatrixView<T>{x.data + first * (row == x.transposed ? 1 : x.leading), x.leading, x.transposed};
  };
  parallel_for(static_cast<std::size_t>(parts), [&](std::size_t part) {
    const std::int64_t first = part == 0 ? 0 : end_of(static_cast<std::int64_t>(part)), end = end_of(static_cast<std::int64_t>(part) + 1);
    if (by_rows) multiply(end - first, m, k, from(a, first, true), b, c + first * m, m, add);
    else multiply(n, end - first, k, a, from(b, first, false), c + first, m, add);
  });
}

}  // namespace

void gemm(std::int64_t n, std::int64_t m, std::int64_t k, const MatrixView<float>& a, const MatrixView<float>& b, float* c, bool add) {
  multiply_in_parts(n, m, k, a, b, c, add);
}
void gemm(std::int64_t n, std::int64_t m, std::int64_t k, const MatrixView<double>& a, const MatrixView<double>& b, double* c, bool add) {
  multiply_in_parts(n, m, k, a, b, c, add);
}

}  // namespace xgrad::detail
