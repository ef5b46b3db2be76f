#include <autodiff/ops/batching.hpp>
#include <autodiff/kernels/blas.hpp>
#include <autodiff/core/evaluator.hpp>
#include <autodiff/core/runtime.hpp>
#include <autodiff/kernels/tiles.hpp>
#include <autodiff/kernels/threads.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/linalg.hpp>
#include <autodiff/ops/support.hpp>
#include <autodiff/ops/shape.hpp>
#include <autodiff/ops/transposed.hpp>
#include <autodiff/core/tape.hpp>
#include <optional>
#include <stdexcept>

namespace xgrad {
namespace {

using detail::Array;
using detail::MatrixView;

/// The matrices of an operand, as they lie in memory when BLAS can read them so, else copied.
template <class T>
class Matrices {
 public:
  explicit Matrices(const Array& x) : data_(static_cast<const T*>(x.data)), strides_(*x.strides) {
    const std::size_t rank = x.shape->size();
    const std::int64_t rows = (*x.shape)[rank - 2], columns = (*x.shape)[rank - 1];
    if (reads(strides_[rank - 2], strides_[rank - 1], rows, columns)) return;
    transposed_ = reads(strides_[rank - 1], strides_[rank - 2], columns, rows);
    if (transposed_) return;
    copy_ = detail::Buffer::allocate(static_cast<std::size_t>(x.size) * sizeof(T));
    detail::copy_contiguous(x, copy_->data());
    data_ = static_cast<const T*>(copy_->data());
    strides_ = contiguous_strides(*x.shape);
    leading_ = std::max<std::int64_t>(columns, 1);
  }

  MatrixView<T> at(std::int64_t offset) const { return {data_ + offset, leading_, transposed_}; }
  const Strides& strides() const { return strides_; }

 private:
  /// Sets the leading dimension when rows `step` apart of neighbouring elements are what BLAS takes.
  bool reads(std::int64_t step, std::int64_t inner, std::int64_t rows, std::int64_t columns) {
    if (columns > 1 && inner != 1) return false;
    leading_ = rows > 1 ? step : std::max<std::int64_t>(columns, 1);
    return leading_ >= std::max<std::int64_t>(columns, 1);
  }

  const T* data_;
  Strides strides_;
  std::int64_t leading_ = 1;
  bool transposed_ = false;
  detail::Ref<detail::Buffer> copy_;
};

/// Calls f(offset of a, offset of b, offset of c) for each matrix of a batch, whose leading axes broadcast; on several threads where
/// the matrices are too small to be shared themselves, and many.
template <class F>
void for_each_matrix(const Array& a, const Strides& a_strides, const Array& b, const Strides& b_strides, const Array& c, F&& f) {
  const std::size_t batch_rank = c.shape->size() - 2;
  const std::int64_t matrix = (*c.shape)[batch_rank] * (*c.shape)[batch_rank + 1];
  const auto offset = [&](const Array& x, const Strides& strides, std::int64_t index) {
    const std::size_t missing = c.shape->size() - x.shape->size();
    std::int64_t result = 0;
    for (std::size_t i = batch_rank; i-- > missing; index /= (*c.shape)[i])
      if ((*x.shape)[i - missing] != 1) result += index % (*c.shape)[i] * strides[i - missing];
    return result;
  };
  std::int64_t count = 1;
  for (std::size_t i = 0; i < batch_rank; ++i) count *= (*c.shape)[i];
  const double work = static_cast<double>(matrix) * static_cast<double>(a.shape->back());
  const bool shared = num_threads() > 1 && work < 2 * detail::work_of_thread && work * static_cast<double>(count) > 2 * detail::work_of_thread;
  const std::int64_t parts = shared ? std::min<std::int64_t>(count, std::int64_t{4} * num_threads()) : 1;
  std::optional<detail::SerialBlas> serial;
  if (shared) serial.emplace();
  detail::parallel_for(static_cast<std::size_t>(parts), [&](std::size_t part) {
    const std::int64_t first = static_cast<std::int64_t>(part) * count / parts, end = static_cast<std::int64_t>(part + 1) * count / parts;
    for (std::int64_t i = first; i < end; ++i) f(offset(a, a_strides, i), offset(b, b_strides, i), i * matrix);
  });
}

/// The product of operands of rank 2 or more.
struct MatMul final : GeneralOp {
  std::string_view name() const override { return "matmul"; }

  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    if (output.size == 0) return;
    dispatch(output.dtype, [&]<class T>(T) {
      if constexpr (std::is_floating_point_v<T>) product<T>(inputs[0], inputs[1], output, false);
      else if constexpr (std::is_same_v<T, std::int64_t>) integer_product(inputs[0], inputs[1], output);
    });
  }
  bool accumulates() const override { return true; }
  void accumulate(std::span<const Array> inputs, const Array& output) const override {
    if (output.size == 0) return;
    dispatch_floating(output.dtype, [&]<class T>(T) { product<T>(inputs[0], inputs[1], output, true); });
  }

  Tensor vjp(std::size_t i, const Tensor& g, std::span<const Tensor> inputs, const Tensor&) const override {
    // The cotangent of a transposed operand is computed as what was transposed lies in memory, so that the replay, coming
    // through the transpose, ends with a plain product: a weight's gradient is then row-major like the weight.
    const Tensor before = detail::before_transpose(inputs[i]);
    if (i == 0) {
      const Tensor b = counted(inputs[1], -2);
      return before.defined() ? matrix_transpose(matmul(b, matrix_transpose(g))) : matmul(g, transposed(b));
    }
    const Tensor a = counted(inputs[0], -1);
    return before.defined() ? matrix_transpose(matmul(matrix_transpose(g), a)) : matmul(transposed(a), g);
  }
  /// Rows of g that do not count are such of the first cotangent, columns of the second.
  detail::Support cotangent_support(std::size_t i, const detail::Support& g, std::span<const Tensor>, const Tensor&) const override {
    return g.mask.defined() && !g.above.defined() && g.mask.shape(i == 0 ? -1 : -2) == 1 ? detail::Support{g.mask} : detail::Support{};
  }
  Tensor vectorized(const detail::Batched& batched) const override {
    const std::size_t rank = batched.shape().size();
    const Tensor a = batched.aligned(0, rank), b = batched.aligned(1, rank);
    // One matrix times many columns is one product, with the columns as rows.
    if (!batched.mapped(0) && a.dim() == 2 && b.shape(-1) == 1) return matrix_transpose(matmul(matrix_transpose(b), transposed(a)));
    return matmul(a, b);
  }

 private:
  /// The factor that g is multiplied with, without the rows, or columns, that meet those of g that do not count as a whole: along
  /// `axis` their mask has an extent of 1.
  static Tensor counted(const Tensor& x, std::int64_t axis) {
    const detail::Support& support = detail::SupportScope::current();
    return support.mask.defined() && !support.above.defined() && support.mask.shape(axis) == 1 ? where(support.mask, x, 0) : x;
  }
  static Tensor transposed(const Tensor& x) {
    Tensor before = detail::before_transpose(x);
    return before.defined() ? before : matrix_transpose(x);
  }

  template <class T>
  static void product(const Array& a, const Array& b, const Array& c, bool add) {
    const std::size_t last = c.shape->size() - 1;
    const std::int64_t n = (*c.shape)[last - 1], m = (*c.shape)[last], k = a.shape->back();
    if (k == 0) {
      if (!add) std::fill_n(static_cast<T*>(c.data), c.size, T(0));
      return;
    }
    const Matrices<T> left(a), right(b);
    for_each_matrix(a, left.strides(), b, right.strides(), c, [&](std::int64_t at_a, std::int64_t at_b, std::int64_t at_c) {
      detail::gemm(n, m, k, left.at(at_a), right.at(at_b), static_cast<T*>(c.data) + at_c, add);
    });
  }

  /// BLAS has no integers. Sums wrap, as NumPy's do.
  static void integer_product(const Array& a, const Array& b, const Array& c) {
    using Word = std::uint64_t;
    const std::size_t last = c.shape->size() - 1;
    const std::int64_t n = (*c.shape)[last - 1], m = (*c.shape)[last], k = a.shape->back();
    const Strides &sa = *a.strides, &sb = *b.strides;
    const std::int64_t a_row = sa[sa.size() - 2], a_column = sa.back(), b_row = sb[sb.size() - 2], b_column = sb.back();
    for_each_matrix(a, sa, b, sb, c, [&](std::int64_t at_a, std::int64_t at_b, std::int64_t at_c) {
      const auto* x = static_cast<const Word*>(a.data) + at_a;
      const auto* y = static_cast<const Word*>(b.data) + at_b;
      auto* z = static_cast<Word*>(c.data) + at_c;
      std::fill_n(z, n * m, Word(0));
      for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t l = 0; l < k; ++l) {
          const Word factor = x[i * a_row + l * a_column];
          for (std::int64_t j = 0; j < m; ++j) z[i * m + j] += factor * y[l * b_row + j * b_column];
        }
    });
  }
};

}  // namespace

Tensor matmul(const Located& a, const Located& b) {
  detail::check_defined("matmul", a);
  detail::check_defined("matmul", b);
  const auto fail = [&](const std::string& why) {
    throw detail::located<std::invalid_argument>("matmul: " + why + ": " + to_string(a.shape()) + " x " + to_string(b.shape()));
  };
  if (a.dim() == 0 || b.dim() == 0) fail("scalars have no matrix product; use multiply");
  const DType dtype = promote(a.dtype(), b.dtype());
  if (dtype == DType::bool_) fail("bool tensors have no matrix product; convert one with to(DType::int64)");

  if (a.dim() == 2 && b.dim() == 2 && a.shape()[1] == b.shape()[0]) {
    Tensor inputs[] = {a.to(dtype), b.to(dtype)};
    return detail::record_moved(detail::shared_op<MatMul>(), inputs, {a.shape()[0], b.shape()[1]}, dtype);
  }
  const bool row = a.dim() == 1, column = b.dim() == 1;
  Tensor left = row ? expand_dims(a.to(dtype), 0) : a.to(dtype);
  const Tensor right = column ? expand_dims(b.to(dtype), 1) : b.to(dtype);
  const std::int64_t n = left.shape(-2), k = left.shape(-1), m = right.shape(-1);
  if (right.shape(-2) != k) {
    const bool transposed = !column && !row && right.shape(-1) == k;
    throw detail::located<std::invalid_argument>("matmul: inner dimensions differ: " + to_string(a.shape()) + " x " + to_string(b.shape()) +
                                (transposed ? "; transpose the second?" : "; transpose one of them?"));
  }
  const Shape left_batch(left.shape().begin(), left.shape().end() - 2), right_batch(right.shape().begin(), right.shape().end() - 2);
  Shape batch;
  try {
    batch = broadcast_shapes("matmul", left_batch, right_batch);
  } catch (const std::invalid_argument&) {
    fail("leading axes do not broadcast");
  }

  // A batch times one matrix is one product of taller matrices.
  const bool folds = right.dim() == 2 && left.dim() > 2;
  if (folds) left = reshape(left, {size_of(left_batch) * n, k});
  Shape shape = folds ? Shape() : batch;
  shape.push_back(folds ? left.shape(0) : n);
  shape.push_back(m);
  Tensor operands[] = {left, right};
  const Tensor product = detail::record_moved(detail::shared_op<MatMul>(), operands, std::move(shape), dtype);

  Shape result = batch;
  if (!row) result.push_back(n);
  if (!column) result.push_back(m);
  return reshape(product, result);
}

}  // namespace xgrad
