// The one way to BLAS. What is handed over are pointers and leading dimensions, so a part of a larger array or a
// transposed one is as good as any. Row-major.
#pragma once

#include <cstdint>

namespace xgrad::detail {

/// A matrix as BLAS sees it: element (i, j) at data[i · leading + j], or at data[j · leading + i] when transposed.
template <class T>
struct MatrixView {
  const T* data;
  std::int64_t leading;
  bool transposed;
};

/// Multiplications that are worth a thread. More than OpenBLAS takes for a small product, which has kernels of its own: the parts of a
/// large one are to be computed as the whole is.
constexpr double work_of_thread = 1.5e6;

/// C = A · B, or C + A · B if `add`, for A (n × k), B (k × m) and C (n × m) with rows one after another. k = 0 gives zeros; C's old
/// values are read only to be added to. Throws std::length_error for an extent that BLAS's index type cannot hold.
void gemm(std::int64_t n, std::int64_t m, std::int64_t k, const MatrixView<float>& a, const MatrixView<float>& b, float* c, bool add = false);
void gemm(std::int64_t n, std::int64_t m, std::int64_t k, const MatrixView<double>& a, const MatrixView<double>& b, double* c, bool add = false);

}  // namespace xgrad::detail
