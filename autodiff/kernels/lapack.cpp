#include <algorithm>
#include <autodiff/kernels/blas.hpp>
#include <autodiff/kernels/lapack.hpp>
#include <autodiff/kernels/threads.hpp>
#include <limits>
#include <stdexcept>
#include <string>

// LAPACK and BLAS by their Fortran names, which every implementation has.
#define XGRAD_DECLARE(p, T)                                                                                                          \
  void p##getrf_(const int*, const int*, T*, const int*, int*, int*);                                                                \
  void p##getrs_(const char*, const int*, const int*, const T*, const int*, const int*, T*, const int*, int*, std::size_t);          \
  void p##potrf_(const char*, const int*, T*, const int*, int*, std::size_t);                                                        \
  void p##syevd_(const char*, const char*, const int*, T*, const int*, T*, T*, const int*, int*, const int*, int*, std::size_t,      \
                 std::size_t);                                                                                                       \
  void p##gesdd_(const char*, const int*, const int*, T*, const int*, T*, T*, const int*, T*, const int*, T*, const int*, int*, int*, \
                 std::size_t);                                                                                                       \
  void p##geqrf_(const int*, const int*, T*, const int*, T*, T*, const int*, int*);                                                  \
  void p##orgqr_(const int*, const int*, const int*, T*, const int*, const T*, T*, const int*, int*);                                \
  void p##laswp_(const int*, T*, const int*, const int*, const int*, const int*, const int*);                                         \
  void p##gemm_(const char*, const char*, const int*, const int*, const int*, const T*, const T*, const int*, const T*, const int*,  \
                const T*, T*, const int*, std::size_t, std::size_t);                                                                 \
  void p##trsm_(const char*, const char*, const char*, const char*, const int*, const int*, const T*, const T*, const int*, T*,      \
                const int*, std::size_t, std::size_t, std::size_t, std::size_t);
extern "C" {
XGRAD_DECLARE(s, float)
XGRAD_DECLARE(d, double)
}
#undef XGRAD_DECLARE

namespace xgrad::detail {
namespace {

int index(std::int64_t n) {
  if (n > std::numeric_limits<int>::max()) throw std::length_error("linear algebra: an extent of " + std::to_string(n) + " is beyond LAPACK's index type");
  return static_cast<int>(n);
}

/// The function of that name for the type.
#define XGRAD_CALL(name, ...)                              \
  if constexpr (std::is_same_v<T, float>) s##name##_(__VA_ARGS__); \
  else d##name##_(__VA_ARGS__)

/// What LAPACK answers when asked how much memory it wants.
template <class T>
int wanted(T answer) {
  return static_cast<int>(answer) + 1;
}

/// Calls f(first, count) for blocks of columns that need nothing of each other, of so much work in all: on several threads where that
/// pays. The number of threads has no say in where they are cut, so none in the bits.
template <class F>
void for_each_block(int columns, int block, double work, const F& f) {
  const int blocks = work > 2 * work_of_thread ? std::max(columns / block, 1) : 1;
  parallel_for(static_cast<std::size_t>(blocks), [&](std::size_t at) {
    const int first = static_cast<int>(at) * block;
    f(first, static_cast<int>(at) + 1 == blocks ? columns - first : block);
  });
}

constexpr int solved_together = 256;

/// LU of a large matrix: panel after panel, each by LAPACK, then what is right of it.
template <class T>
int blocked_lu(int n, T* a, int* pivots) {
  constexpr int panel = 64;
  constexpr T one = 1, minus_one = -1;
  const int step = 1;
  const auto at = [&](int i, int j) { return a + static_cast<std::int64_t>(j) * n + i; };
  int result = 0;
  for (int k = 0; k < n; k += panel) {
    const int width = std::min(panel, n - k), rows = n - k, below = rows - width, first_pivot = k + 1, last_pivot = k + width;
    int info = 0;
    XGRAD_CALL(getrf, &rows, &width, at(k, k), &n, pivots + k, &info);
    if (info != 0 && result == 0) result = k + info;
    for (int i = k; i < k + width; ++i) pivots[i] += k;
    if (k > 0) {
      XGRAD_CALL(laswp, &k, a, &n, &first_pivot, &last_pivot, pivots, &step);
    }
    if (below == 0) break;
    for_each_block(below, 128, static_cast<double>(rows) * width * below, [&](int first, int count) {
      T* const columns = at(0, k + width + first);
      XGRAD_CALL(laswp, &count, columns, &n, &first_pivot, &last_pivot, pivots, &step);
      XGRAD_CALL(trsm, "L", "L", "N", "U", &width, &count, &one, at(k, k), &n, columns + k, &n, 1, 1, 1, 1);
      XGRAD_CALL(gemm, "N", "N", &below, &count, &width, &minus_one, at(k + width, k), &n, columns + k, &n, &one, columns + k + width, &n, 1, 1);
    });
  }
  return result;
}

}  // namespace

template <class T>
int lu(std::int64_t n, T* a, std::vector<int>& pivots) {
  const int size = index(n), leading = std::max(size, 1);
  int info = 0;
  pivots.resize(static_cast<std::size_t>(n));
  if (size >= 256) return blocked_lu(size, a, pivots.data());
  XGRAD_CALL(getrf, &size, &size, a, &leading, pivots.data(), &info);
  return info;
}

template <class T>
void lu_solve(std::int64_t n, std::int64_t columns, const T* lu, const std::vector<int>& pivots, T* b, bool transposed) {
  const int size = index(n), count = index(columns), leading = std::max(size, 1);
  for_each_block(count, solved_together, static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(columns), [&](int first, int some) {
    int info = 0;
    XGRAD_CALL(getrs, transposed ? "T" : "N", &size, &some, lu, &leading, pivots.data(), b + first * n, &leading, &info, 1);
  });
}

template <class T>
int cholesky(std::int64_t n, T* a) {
  const int size = index(n), leading = std::max(size, 1);
  int info = 0;
  XGRAD_CALL(potrf, "L", &size, a, &leading, &info, 1);
  return info;
}

template <class T>
int symmetric_eigen(std::int64_t n, T* a, T* values) {
  const int size = index(n), leading = std::max(size, 1), ask = -1;
  int info = 0, integers = 0;
  T answer = 0;
  XGRAD_CALL(syevd, "V", "L", &size, a, &leading, values, &answer, &ask, &integers, &ask, &info, 1, 1);
  if (info != 0) return info;
  const int length = wanted(answer);
  std::vector<T> work(static_cast<std::size_t>(length));
  std::vector<int> integer_work(static_cast<std::size_t>(integers));
  XGRAD_CALL(syevd, "V", "L", &size, a, &leading, values, work.data(), &length, integer_work.data(), &integers, &info, 1, 1);
  return info;
}

template <class T>
int singular_values(std::int64_t m, std::int64_t n, T* a, T* u, T* s, T* vt) {
  const int rows = index(m), columns = index(n), k = std::min(rows, columns), leading_k = std::max(k, 1), ask = -1;
  int info = 0;
  T answer = 0;
  std::vector<int> integers(static_cast<std::size_t>(8 * leading_k));
  XGRAD_CALL(gesdd, "S", &rows, &columns, a, &rows, s, u, &rows, vt, &leading_k, &answer, &ask, integers.data(), &info, 1);
  if (info != 0) return info;
  const int length = wanted(answer);
  std::vector<T> work(static_cast<std::size_t>(length));
  XGRAD_CALL(gesdd, "S", &rows, &columns, a, &rows, s, u, &rows, vt, &leading_k, work.data(), &length, integers.data(), &info, 1);
  return info;
}

template <class T>
int qr(std::int64_t m, std::int64_t n, T* a, T* r) {
  const int rows = index(m), columns = index(n), ask = -1;
  int info = 0;
  T first = 0, second = 0;
  std::vector<T> factors(static_cast<std::size_t>(n));
  XGRAD_CALL(geqrf, &rows, &columns, a, &rows, factors.data(), &first, &ask, &info);
  XGRAD_CALL(orgqr, &rows, &columns, &columns, a, &rows, factors.data(), &second, &ask, &info);
  const int length = wanted(std::max(first, second));
  std::vector<T> work(static_cast<std::size_t>(length));
  XGRAD_CALL(geqrf, &rows, &columns, a, &rows, factors.data(), work.data(), &length, &info);
  if (info != 0) return info;
  for (std::int64_t j = 0; j < n; ++j)
    for (std::int64_t i = 0; i < n; ++i) r[j * n + i] = i <= j ? a[j * m + i] : T(0);
  XGRAD_CALL(orgqr, &rows, &columns, &columns, a, &rows, factors.data(), work.data(), &length, &info);
  return info;
}

template <class T>
void triangular_solve(std::int64_t n, std::int64_t columns, const T* a, T* b, bool lower, bool transposed, bool unit) {
  const int size = index(n), count = index(columns), leading = std::max(size, 1);
  const T one = 1;
  for_each_block(count, solved_together, 0.5 * static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(columns), [&](int first, int some) {
    XGRAD_CALL(trsm, "L", lower ? "L" : "U", transposed ? "T" : "N", unit ? "U" : "N", &size, &some, &one, a, &leading, b + first * n, &leading, 1, 1, 1, 1);
  });
}
#undef XGRAD_CALL

#define XGRAD_INSTANTIATE(T)                                                                                            \
  template int lu(std::int64_t, T*, std::vector<int>&);                                                                 \
  template void lu_solve(std::int64_t, std::int64_t, const T*, const std::vector<int>&, T*, bool);                       \
  template int cholesky(std::int64_t, T*);                                                                              \
  template int symmetric_eigen(std::int64_t, T*, T*);                                                                   \
  template int singular_values(std::int64_t, std::int64_t, T*, T*, T*, T*);                                             \
  template int qr(std::int64_t, std::int64_t, T*, T*);                                                                  \
  template void triangular_solve(std::int64_t, std::int64_t, const T*, T*, bool, bool, bool);
XGRAD_INSTANTIATE(float)
XGRAD_INSTANTIATE(double)
#undef XGRAD_INSTANTIATE

}  // namespace xgrad::detail
