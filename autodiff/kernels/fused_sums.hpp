// Sums taken of blocks as they are computed: pairwise, in an order that depends on the shape alone. For *.simd.cpp.
#pragma once

#include <autodiff/kernels/fused_sum.hpp>
#include <autodiff/kernels/vector.hpp>
#include <autodiff/kernels/reduce_kernels.hpp>

namespace xgrad::detail {
namespace {

/// One sum under way, over a part of the elements that starts and ends with a row.
template <class T>
class BlockSum {
 public:
  using Batch = xsimd::batch<T>;
  static constexpr std::size_t leaf_rows = 32;  ///< rows added one after another before they go into the tree
  static constexpr std::size_t run_terms = 16;  ///< the same of blocks and single vectors

  static SumLayout layout() {
    BlockSum sum;
    const auto place = [&sum](const auto& member) {
      return static_cast<std::size_t>(reinterpret_cast<const std::byte*>(&member) - reinterpret_cast<const std::byte*>(&sum));
    };
    return {.bytes = sizeof(BlockSum),
            .run = place(sum.run_),
            .terms = place(sum.terms_),
            .run_terms = run_terms,
            .end_run = [](void* of) { static_cast<BlockSum*>(of)->end_run(); },
            .leaf = place(sum.leaf_),
            .row_begin = place(sum.row_begin_)};
  }
  /// Bytes of working memory for `rows` rows, when columns are summed.
  static std::size_t bytes(const FusedSum& sum, std::size_t rows) {
    return sum.kind == FusedSum::Kind::columns ? depth(rows) * stride(sum) * sizeof(T) : 0;
  }
  /// Of elements from `begin` on. Rows are written as they end, the first of all to `out`.
  void start(const FusedSum& sum, T* out, std::size_t begin, std::byte* memory) {
    sum_ = sum;
    out_ = sum.kind == FusedSum::Kind::rows ? out + begin / sum.length : out;
    in_row_ = 0;
    row_begin_ = begin;
    levels_ = reinterpret_cast<T*>(memory);
    depth_ = rows_ = 0;
    if (sum.kind == FusedSum::Kind::columns) clear_leaf();
    clear();
  }

  /// Adds a block of eight vectors, to columns from the one of `element` on if there are any.
  template <bool columns>
  [[gnu::always_inline]] void add(const Batch* values, std::size_t element) {
    if constexpr (columns) {
      T* target = leaf_ + (element - row_begin_);
      for (std::size_t i = 0; i < wide_vectors; ++i)
        (Batch::load_unaligned(target + i * Batch::size) + values[i]).store_unaligned(target + i * Batch::size);
    } else {
      add_term(((values[0] + values[1]) + (values[2] + values[3])) + ((values[4] + values[5]) + (values[6] + values[7])));
    }
  }
  /// Adds the first `lanes` of one vector.
  template <bool columns>
  [[gnu::always_inline]] void add(Batch value, std::size_t element, std::size_t lanes) {
    if (lanes < Batch::size) {
      alignas(64) T kept[Batch::size];
      value.store_aligned(kept);
      std::fill(kept + lanes, kept + Batch::size, T(0));
      value = Batch::load_aligned(kept);
    }
    if constexpr (columns) {
      T* target = leaf_ + (element - row_begin_);
      (Batch::load_unaligned(target) + value).store_unaligned(target);
    } else {
      add_term(value);
    }
  }

  /// After so many elements were added, which are of one row.
  void advance(std::size_t count) {
    if (sum_.kind == FusedSum::Kind::all || (in_row_ += count) != sum_.length) return;
    in_row_ = 0;
    row_begin_ += sum_.length;
    if (sum_.kind == FusedSum::Kind::rows) {
      *out_++ = total();
      clear();
    } else if (++rows_ % leaf_rows == 0) {
      push_leaf();
    }
  }

  /// The sum of all that was added: one number, or a value for each column.
  void finish(T* out) {
    if (sum_.kind == FusedSum::Kind::all) *out = total();
    if (sum_.kind != FusedSum::Kind::columns) return;
    if (rows_ % leaf_rows != 0) ++depth_;
    for (; depth_ > 1; --depth_) add_level(depth_ - 2, depth_ - 1);
    std::copy(levels_, levels_ + sum_.length, out);
  }

 private:
  static std::size_t depth(std::size_t rows) { return static_cast<std::size_t>(std::bit_width(rows / leaf_rows)) + 2; }
  static std::size_t stride(const FusedSum& sum) { return (sum.length + 15) / 16 * 16 + wide_vectors * Batch::size; }

  void clear() {
    tree_.clear();
    run_ = Batch(T(0));
    terms_ = 0;
  }
  /// A few terms one after another, since a tree of all would take a branch at every term that is hard to foresee.
  [[gnu::always_inline]] void add_term(Batch term) {
    run_ += term;
    if (++terms_ == run_terms) end_run();
  }
  [[gnu::noinline]] void end_run() {
    tree_.push(run_);
    run_ = Batch(T(0));
    terms_ = 0;
  }
  T total() {
    const Batch sum = tree_.empty() ? run_ : tree_.total() + run_;
    return fold_lanes(sum, [](T a, T b) { return a + b; });
  }

  /// The next leaf begins.
  void clear_leaf() {
    leaf_ = levels_ + depth_ * stride(sum_);
    std::fill(leaf_, leaf_ + stride(sum_), T(0));
  }
  void add_level(std::size_t to, std::size_t from) {
    T *a = levels_ + to * stride(sum_), *b = levels_ + from * stride(sum_);
    for (std::size_t j = 0; j < sum_.length; ++j) a[j] += b[j];
  }
  void push_leaf() {
    for (std::size_t carry = rows_ / leaf_rows - 1; carry & 1; carry >>= 1, --depth_) add_level(depth_ - 1, depth_);
    ++depth_;
    clear_leaf();
  }

  FusedSum sum_;
  T* out_ = nullptr;
  std::size_t in_row_ = 0;                 ///< how far into the row
  std::size_t row_begin_ = 0;              ///< its first element
  T *levels_ = nullptr, *leaf_ = nullptr;  ///< sums of columns, and those that rows are now added to
  std::size_t depth_ = 0, rows_ = 0;
  Batch run_;              ///< the sum of the last few terms
  std::size_t terms_ = 0;  ///< how many these are
  PairwiseSum<Batch> tree_;
};

/// Adds what is in registers to sum number `slots[0]`, which is of columns or is not, and leaves it there.
template <bool columns, class T, std::size_t... I>
void handle_sum(const Instruction* step, Frame* frame, Register<T, I>... values) {
  using Batch = xsimd::batch<T>;
  BlockSum<T>& sum = static_cast<BlockSum<T>*>(frame->sums)[step->slots[0]];
  const Batch lanes[] = {Batch(values)...};
  if constexpr (sizeof...(I) > 1) sum.template add<columns>(lanes, frame->element);
  else sum.template add<columns>(lanes[0], frame->element, frame->lanes);
  return reinterpret_cast<Handler<T, I...>>(step[1].handler)(step + 1, frame, values...);
}

template <bool columns, class T>
VectorKernel sum_kernel_of() {
  return []<std::size_t... I>(std::index_sequence<I...>) {
    return VectorKernel{reinterpret_cast<void (*)()>(&handle_sum<columns, T, I...>),
                        reinterpret_cast<void (*)()>(&handle_sum<columns, T, 0>)};
  }(std::make_index_sequence<wide_vectors>());
}

}  // namespace
}  // namespace xgrad::detail
