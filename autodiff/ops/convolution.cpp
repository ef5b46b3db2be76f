#include <algorithm>
#include <autodiff/ops/batching.hpp>
#include <autodiff/kernels/kernels.hpp>
#include <autodiff/ops/contiguous.hpp>
#include <autodiff/ops/convolution.hpp>
#include <autodiff/ops/create.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/indexing.hpp>
#include <autodiff/ops/linalg.hpp>
#include <autodiff/ops/rearrange.hpp>
#include <autodiff/ops/reduce.hpp>
#include <autodiff/ops/shape.hpp>
#include <autodiff/ops/support.hpp>
#include <autodiff/core/tape.hpp>
#include <limits>
#include <stdexcept>

namespace xgrad {
namespace {

using detail::Array;

/// Windows over images of a size, so many along either side.
struct Windows {
  Extent2 size, kernel, stride, padding, dilation, count;
  bool operator==(const Windows&) const = default;

  std::int64_t rows() const { return count.height; }
  std::int64_t columns() const { return count.width; }

  /// Calls f(column, place, n, step): n elements of a column lie in an image row at `place` and every `step` from there.
  template <class F>
  void for_each_run(std::int64_t channels, const F& f) const {
    const std::int64_t out_rows = rows(), out_columns = columns();
    std::int64_t column = 0;
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t a = 0; a < kernel.height; ++a)
        for (std::int64_t b = 0; b < kernel.width; ++b)
          for (std::int64_t i = 0; i < out_rows; ++i, column += out_columns) {
            const std::int64_t row = i * stride.height - padding.height + a * dilation.height, left = b * dilation.width - padding.width;
            if (row < 0 || row >= size.height) continue;
            const std::int64_t first = left >= 0 ? 0 : (-left + stride.width - 1) / stride.width;
            const std::int64_t room = size.width - 1 - left;
            const std::int64_t last = room < 0 ? 0 : std::min(out_columns, room / stride.width + 1);
            if (first < last) f(column + first, (c * size.height + row) * size.width + left + first * stride.width, last - first, stride.width);
          }
  }
};

Tensor record_unfold(const Tensor& x, const Windows& windows);
Tensor record_fold(const Tensor& columns, const Windows& windows, std::int64_t channels);

/// Images to columns, or with `adds` columns to images.
template <bool adds>
struct Im2Col final : GeneralOp {
  explicit Im2Col(Windows windows) : windows(std::move(windows)) {}
  bool operator==(const Im2Col& other) const { return windows == other.windows; }
  std::string_view name() const override { return adds ? "fold" : "unfold"; }

  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const Shape& images = adds ? *output.shape : *inputs[0].shape;
    const std::int64_t count = images[0], channels = images[1];
    if (output.size == 0) return;
    dispatch(output.dtype, [&]<class T>(T) {
      const detail::Contiguous<T> values(inputs[0]);
      const T* from = values.data();
      T* to = output.as<T>();
      std::fill_n(to, output.size, T(0));
      const std::int64_t image = channels * windows.size.height * windows.size.width,
                         matrix = channels * windows.kernel.height * windows.kernel.width * windows.rows() * windows.columns();
      for (std::int64_t n = 0; n < count; ++n) {
        const T* source = from + n * (adds ? matrix : image);
        T* target = to + n * (adds ? image : matrix);
        windows.for_each_run(channels, [&](std::int64_t column, std::int64_t place, std::int64_t length, std::int64_t step) {
          for (std::int64_t k = 0; k < length; ++k) {
            if constexpr (adds) target[place + k * step] = static_cast<T>(detail::wrapping(target[place + k * step]) + detail::wrapping(source[column + k]));
            else target[column + k] = source[place + k * step];
          }
        });
      }
    });
  }

  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor> inputs, const Tensor&) const override {
    if constexpr (adds) return record_unfold(g, windows);
    else return record_fold(g, windows, inputs[0].shape(1));
  }
  detail::Support cotangent_support(std::size_t i, const detail::Support& g, std::span<const Tensor> inputs, const Tensor& y) const override {
    if (!g.is_restricted()) return {};
    return detail::moved(g, y.shape(), [&](const Tensor& t) { return vjp(i, t, inputs, y); });
  }
  /// Images of the batch are images more.
  Tensor vectorized(const detail::Batched& batched) const override {
    Shape together = batched.shape();
    const Shape& each = batched.input(0).shape();
    Shape inputs(each.begin() + 1, each.end());
    inputs[0] *= batched.count();
    together[0] *= batched.count();
    const Tensor x = reshape(batched.input(0), inputs);
    return reshape(detail::record(detail::interned<Im2Col>(windows), {&x, 1}, together, x.dtype()), batched.of_all());
  }
  Windows windows;
};

Tensor record_unfold(const Tensor& x, const Windows& windows) {
  Shape shape{x.shape(0), x.shape(1) * windows.kernel.height * windows.kernel.width, windows.rows() * windows.columns()};
  return detail::record(detail::interned<Im2Col<false>>(windows), {&x, 1}, std::move(shape), x.dtype());
}
Tensor record_fold(const Tensor& columns, const Windows& windows, std::int64_t channels) {
  Shape shape{columns.shape(0), channels, windows.size.height, windows.size.width};
  return detail::record(detail::interned<Im2Col<true>>(windows), {&columns, 1}, std::move(shape), columns.dtype());
}

/// The function that was called. That of signals calls that of images of height 1, and messages then give shapes without that axis.
struct Called {
  std::string_view name;
  bool of_signals = false;

  [[noreturn]] void refuse(const std::string& what) const { throw detail::located<std::invalid_argument>(std::string(name) + ": " + what); }
  Shape shown(Shape shape) const {
    if (of_signals && shape.size() == 4) shape.erase(shape.begin() + 2);
    return shape;
  }
  std::string text(const Tensor& t) const { return to_string(shown(t.shape())); }
  std::string text(Extent2 extent) const {
    return of_signals ? std::to_string(extent.width) : std::to_string(extent.height) + " x " + std::to_string(extent.width);
  }
  void check_least(const char* what, Extent2 extent, std::int64_t least) const {
    if (std::min(extent.height, extent.width) < least) refuse(std::string(what) + " of " + text(extent) + "; it must be at least " + std::to_string(least));
  }
  void check(const Shape& shape) const { check_shape(name, shown(shape)); }
  std::int64_t add(std::int64_t a, std::int64_t b) const { return add_sizes(name, a, b); }
  std::int64_t multiply(std::int64_t a, std::int64_t b) const { return multiply_sizes(name, a, b); }
};

void check_windows(const Called& called, Extent2 kernel, Extent2 stride, Extent2 padding, Extent2 dilation) {
  called.check_least("a kernel", kernel, 1);
  called.check_least("a stride", stride, 1);
  called.check_least("a padding", padding, 0);
  called.check_least("a dilation", dilation, 1);
}

Windows windows_of(const Called& called, Extent2 size, Extent2 kernel, Extent2 stride, Extent2 padding, Extent2 dilation) {
  check_windows(called, kernel, stride, padding, dilation);
  called.check_least("a size", size, 0);
  const auto count = [&](std::int64_t extent, std::int64_t taps, std::int64_t step, std::int64_t zeros, std::int64_t apart) {
    const std::int64_t padded = called.add(extent, called.multiply(2, zeros)), reach = called.multiply(apart, taps - 1);
    return reach >= padded ? 0 : (padded - reach - 1) / step + 1;
  };
  const Extent2 counts(count(size.height, kernel.height, stride.height, padding.height, dilation.height),
                       count(size.width, kernel.width, stride.width, padding.width, dilation.width));
  if (counts.height == 0 || counts.width == 0)
    called.refuse((called.of_signals ? "signals of " : "images of ") + called.text(size) + " have no room for a kernel of " + called.text(kernel) + "; pad them, or take a smaller kernel or dilation");
  called.multiply(counts.height, counts.width);
  called.multiply(kernel.height, kernel.width);
  // A stride that is never taken may be too large to calculate with.
  if (counts.height == 1) stride.height = 1;
  if (counts.width == 1) stride.width = 1;
  return {size, kernel, stride, padding, dilation, counts};
}

/// `record_unfold` after a check of the result's shape.
Tensor columns_of(const Called& called, const Tensor& x, const Windows& windows) {
  called.check({x.shape(0), called.multiply(x.shape(1), windows.kernel.height * windows.kernel.width), 1, windows.rows() * windows.columns()});
  return record_unfold(x, windows);
}

void check_images(const Called& called, const Tensor& x, std::size_t rank, const char* what = "the input") {
  detail::check_defined(called.name, x);
  if (x.dim() != rank) called.refuse(std::string(what) + " has shape " + to_string(x.shape()) + "; it must have " + std::to_string(rank) + " axes");
}

void check_weight(const Called& called, const Tensor& x, const Tensor& weight, const ConvOptions& options, bool transposed) {
  check_images(called, x, 4);
  check_images(called, weight, 4, "the weight");
  const std::int64_t channels = x.shape(1), groups = options.groups;
  if (groups < 1 || groups > std::max<std::int64_t>(channels, 1) || channels % groups != 0 || weight.shape(0) % groups != 0 ||
      (transposed ? weight.shape(0) != channels : weight.shape(1) != channels / groups))
    called.refuse("a weight of shape " + called.text(weight) + " in " + std::to_string(groups) + " groups for an input of shape " + called.text(x));
}

Tensor with_bias(const Called& called, const Tensor& y, const Tensor& bias) {
  if (!bias.defined()) return y;
  if (bias.shape() != Shape{y.shape(1)}) called.refuse("a bias of shape " + to_string(bias.shape()) + " for " + std::to_string(y.shape(1)) + " channels");
  return y + reshape(bias, {y.shape(1), 1, 1});
}

/// A function of images, of signals.
template <class F>
Tensor of_signals(const Called& called, const Tensor& x, const F& f) {
  check_images(called, x, 3);
  return squeeze(f(expand_dims(x, 2)), 2);
}
Extent2 flat(Extent2 extent, std::int64_t height) { return {height, extent.width}; }
WindowOptions flat(const WindowOptions& options) { return {flat(options.stride, 1), flat(options.padding, 0), flat(options.dilation, 1)}; }
ConvOptions flat(const ConvOptions& options) {
  return {flat(options.stride, 1), flat(options.padding, 0), flat(options.dilation, 1), options.groups, flat(options.output_padding, 0)};
}

Tensor convolved(const Called& called, const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvOptions& options) {
  check_weight(called, x, weight, options, false);
  const std::int64_t images = x.shape(0), groups = options.groups, outputs = weight.shape(0);
  const Windows windows =
      windows_of(called, {x.shape(2), x.shape(3)}, {weight.shape(2), weight.shape(3)}, options.stride, options.padding, options.dilation);
  called.check({images, outputs, windows.rows(), windows.columns()});
  const std::int64_t taps = weight.shape(1) * windows.kernel.height * windows.kernel.width, places = windows.rows() * windows.columns();
  const DType dtype = promote(x.dtype(), weight.dtype());
  // Windows of one element, one at each, are the image itself.
  const bool is_image = windows.kernel == Extent2(1) && windows.count == windows.size && windows.padding == Extent2(0);
  const Tensor columns = reshape(is_image ? x.to(dtype) : columns_of(called, x.to(dtype), windows), {images, groups, taps, places});
  const Tensor y = matmul(reshape(weight.to(dtype), {groups, outputs / groups, taps}), columns);
  return with_bias(called, reshape(y, {images, outputs, windows.rows(), windows.columns()}), bias);
}

Tensor convolved_transposed(const Called& called, const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvOptions& options) {
  check_weight(called, x, weight, options, true);
  const std::int64_t images = x.shape(0), groups = options.groups, outputs = called.multiply(weight.shape(1), groups), inputs = x.shape(1) / groups;
  const Extent2 more = options.output_padding, stride = options.stride, padding = options.padding, dilation = options.dilation;
  const Extent2 kernel(weight.shape(2), weight.shape(3)), count(x.shape(2), x.shape(3));
  if (count.height < 1 || count.width < 1) called.refuse("an input of shape " + called.text(x) + " has no elements to take windows of");
  check_windows(called, kernel, stride, padding, dilation);
  if (std::min(more.height, more.width) < 0 || more.height >= std::max(stride.height, dilation.height) || more.width >= std::max(stride.width, dilation.width))
    called.refuse("an output padding of " + called.text(more) + "; it must be at least 0 and less than the stride or the dilation");
  const auto size = [&](std::int64_t extent, std::int64_t taps, std::int64_t step, std::int64_t zeros, std::int64_t apart, std::int64_t end) {
    const std::int64_t whole = called.add(called.add(called.multiply(extent - 1, step), called.multiply(apart, taps - 1)), called.add(end, 1));
    return std::max<std::int64_t>(whole - called.multiply(2, zeros), 0);
  };
  const Extent2 result(size(count.height, kernel.height, stride.height, padding.height, dilation.height, more.height),
                       size(count.width, kernel.width, stride.width, padding.width, dilation.width, more.width));
  if (result.height == 0 || result.width == 0)
    called.refuse("a padding of " + called.text(padding) + " leaves nothing of the output of an input of shape " + called.text(x) + " and a weight of shape " +
                  called.text(weight) + "; give less padding");
  called.check({images, outputs, result.height, result.width});
  Windows windows = windows_of(called, result, kernel, stride, padding, dilation);
  windows.count = count;  // output padding may make room for more
  const std::int64_t taps = weight.shape(1) * windows.kernel.height * windows.kernel.width, places = count.height * count.width;
  called.check({images, called.multiply(groups, taps), 1, places});
  const DType dtype = promote(x.dtype(), weight.dtype());
  const Tensor columns = matmul(matrix_transpose(reshape(weight.to(dtype), {groups, inputs, taps})), reshape(x.to(dtype), {images, groups, inputs, places}));
  return with_bias(called, record_fold(reshape(columns, {images, groups * taps, places}), windows, outputs), bias);
}

/// Windows as (N, C, elements of a window, windows), and the shape of what is pooled of them.
Tensor pooled_windows(const Called& called, const Tensor& x, Extent2 kernel, const WindowOptions& options, bool pad_lowest, Shape& result) {
  check_images(called, x, 4);
  const auto [top, left] = options.padding;
  const Windows padded = windows_of(called, {x.shape(2), x.shape(3)}, kernel, options.stride, options.padding, options.dilation);
  if (top > kernel.height / 2 || left > kernel.width / 2)
    called.refuse("a padding of " + called.text(options.padding) + ", which is more than half the kernel of " + called.text(kernel));
  const Extent2 size(x.shape(2) + 2 * top, x.shape(3) + 2 * left);
  called.check({x.shape(0), x.shape(1), size.height, size.width});
  const double lowest = is_floating(x.dtype()) ? -std::numeric_limits<double>::infinity() : x.dtype() == DType::int64 ? -0x1p63 : 0;
  const double fill = pad_lowest ? lowest : 0;
  const Tensor wide = top + left > 0 ? pad(x, {{top, top}, {left, left}}, PadMode::constant, fill) : x;
  const Windows windows{size, kernel, padded.stride, 0, options.dilation, padded.count};
  result = {x.shape(0), x.shape(1), windows.rows(), windows.columns()};
  return reshape(columns_of(called, wide, windows), {x.shape(0), x.shape(1), kernel.height * kernel.width, windows.rows() * windows.columns()});
}

Tensor max_pooled(const Called& called, const Tensor& x, Extent2 kernel, const WindowOptions& options) {
  Shape result;
  const Tensor windows = pooled_windows(called, x, kernel, options, true, result);
  Tensor largest = argmax(windows, 2, true);
  if (options.padding.height + options.padding.width > 0) {
    // Of a window of nothing larger than the padding, the first element that is none.
    const Tensor inside = pooled_windows(called, ones({1, 1, x.shape(2), x.shape(3)}, DType::int64), kernel, options, false, result);
    result[0] = x.shape(0);
    result[1] = x.shape(1);
    const Tensor everywhere = broadcast_to(inside, windows.shape());
    largest = where(detail::take_along_axis_unchecked(everywhere, largest, 2) == 1, largest, argmax(inside, 2, true));
  }
  return reshape(detail::take_along_axis_unchecked(windows, largest, 2), result);
}

Tensor mean_pooled(const Called& called, const Tensor& x, Extent2 kernel, const WindowOptions& options, bool count_include_pad) {
  Shape result;
  const Tensor windows = pooled_windows(called, x, kernel, options, false, result);
  if (count_include_pad) return reshape(mean(windows, 2), result);
  const Tensor counts = sum(pooled_windows(called, ones({1, 1, x.shape(2), x.shape(3)}, x.dtype()), kernel, options, false, result), 2);
  result[0] = x.shape(0);
  result[1] = x.shape(1);
  return reshape(sum(windows, 2) / counts, result);
}

}  // namespace

Tensor unfold(const Located& x, Extent2 kernel, const WindowOptions& options) {
  constexpr Called called{"unfold"};
  check_images(called, x, 4);
  return columns_of(called, x, windows_of(called, {x.shape(2), x.shape(3)}, kernel, options.stride, options.padding, options.dilation));
}

Tensor fold(const Located& columns, Extent2 size, Extent2 kernel, const WindowOptions& options) {
  constexpr Called called{"fold"};
  check_images(called, columns, 3);
  const Windows windows = windows_of(called, size, kernel, options.stride, options.padding, options.dilation);
  const std::int64_t elements = kernel.height * kernel.width, places = windows.rows() * windows.columns();
  if (columns.shape(1) % elements != 0 || columns.shape(2) != places)
    called.refuse("columns of shape " + to_string(columns.shape()) + " for " + std::to_string(places) + " windows of " + std::to_string(elements) + " elements");
  const std::int64_t channels = columns.shape(1) / elements;
  called.check({columns.shape(0), channels, size.height, size.width});
  return record_fold(columns, windows, channels);
}

Tensor conv2d(const Located& x, const Located& weight, const Tensor& bias, const ConvOptions& options) {
  return convolved({"conv2d"}, x, weight, bias, options);
}
Tensor conv_transpose2d(const Located& x, const Located& weight, const Tensor& bias, const ConvOptions& options) {
  return convolved_transposed({"conv_transpose2d"}, x, weight, bias, options);
}
Tensor conv1d(const Located& x, const Located& weight, const Tensor& bias, const ConvOptions& options) {
  constexpr Called called{"conv1d", true};
  check_images(called, weight, 3, "the weight");
  return of_signals(called, x, [&](const Tensor& images) { return convolved(called, images, expand_dims(weight, 2), bias, flat(options)); });
}
Tensor conv_transpose1d(const Located& x, const Located& weight, const Tensor& bias, const ConvOptions& options) {
  constexpr Called called{"conv_transpose1d", true};
  check_images(called, weight, 3, "the weight");
  return of_signals(called, x, [&](const Tensor& images) { return convolved_transposed(called, images, expand_dims(weight, 2), bias, flat(options)); });
}

Tensor max_pool2d(const Located& x, Extent2 kernel, const WindowOptions& options) { return max_pooled({"max_pool2d"}, x, kernel, options); }
Tensor avg_pool2d(const Located& x, Extent2 kernel, const WindowOptions& options, bool count_include_pad) {
  return mean_pooled({"avg_pool2d"}, x, kernel, options, count_include_pad);
}
Tensor max_pool2d(const Located& x, Extent2 kernel) { return max_pool2d(x, kernel, {.stride = kernel}); }
Tensor avg_pool2d(const Located& x, Extent2 kernel) { return avg_pool2d(x, kernel, {.stride = kernel}); }
Tensor max_pool1d(const Located& x, std::int64_t kernel, const WindowOptions& options) {
  constexpr Called called{"max_pool1d", true};
  return of_signals(called, x, [&](const Tensor& images) { return max_pooled(called, images, {1, kernel}, flat(options)); });
}
Tensor avg_pool1d(const Located& x, std::int64_t kernel, const WindowOptions& options, bool count_include_pad) {
  constexpr Called called{"avg_pool1d", true};
  return of_signals(called, x, [&](const Tensor& images) { return mean_pooled(called, images, {1, kernel}, flat(options), count_include_pad); });
}
Tensor max_pool1d(const Located& x, std::int64_t kernel) { return max_pool1d(x, kernel, {.stride = kernel}); }
Tensor avg_pool1d(const Located& x, std::int64_t kernel) { return avg_pool1d(x, kernel, {.stride = kernel}); }

}  // namespace xgrad
