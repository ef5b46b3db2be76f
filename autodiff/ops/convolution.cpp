#include <algorithm>
#include <autodiff/detail/batched.hpp>
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
#include <autodiff/tape.hpp>
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
            if constexpr (adds) target[place + k * step] = static_cast<T>(target[place + k * step] + source[column + k]);
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
    if (!g.mask.defined()) return {};
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

[[noreturn]] void refuse(std::string_view op, const std::string& what) { throw detail::located<std::invalid_argument>(std::string(op) + ": " + what); }

Windows windows_of(std::string_view op, Extent2 size, Extent2 kernel, Extent2 stride, Extent2 padding, Extent2 dilation) {
  if (std::min(kernel.height, kernel.width) < 1) refuse(op, "the kernel has a size of " + std::to_string(std::min(kernel.height, kernel.width)));
  if (std::min(stride.height, stride.width) < 1) refuse(op, "a stride of " + std::to_string(std::min(stride.height, stride.width)));
  if (std::min(dilation.height, dilation.width) < 1) refuse(op, "a dilation of " + std::to_string(std::min(dilation.height, dilation.width)));
  if (std::min(padding.height, padding.width) < 0) refuse(op, "a padding of " + std::to_string(std::min(padding.height, padding.width)));
  const auto count = [](std::int64_t extent, std::int64_t taps, std::int64_t step, std::int64_t zeros, std::int64_t apart) {
    const std::int64_t room = extent + 2 * zeros - apart * (taps - 1) - 1;
    return room < 0 ? 0 : room / step + 1;
  };
  const Windows windows{size, kernel, stride, padding, dilation,
                        {count(size.height, kernel.height, stride.height, padding.height, dilation.height),
                         count(size.width, kernel.width, stride.width, padding.width, dilation.width)}};
  if (windows.rows() == 0 || windows.columns() == 0)
    refuse(op, "images of " + std::to_string(size.height) + " x " + std::to_string(size.width) + " have no room for a kernel of " +
                   std::to_string(kernel.height) + " x " + std::to_string(kernel.width));
  return windows;
}

void check_images(std::string_view op, const Tensor& x, std::size_t rank) {
  detail::check_defined(op, x);
  if (x.dim() != rank) refuse(op, "the input has shape " + to_string(x.shape()) + "; it must have " + std::to_string(rank) + " axes");
}

void check_weight(std::string_view op, const Tensor& x, const Tensor& weight, const ConvOptions& options, bool transposed) {
  check_images(op, x, 4);
  check_images(op, weight, 4);
  const std::int64_t channels = x.shape(1), groups = options.groups;
  if (groups < 1 || channels % groups != 0 || weight.shape(0) % groups != 0 || (transposed ? weight.shape(0) : weight.shape(1) * groups) != channels)
    refuse(op, "a weight of shape " + to_string(weight.shape()) + " in " + std::to_string(groups) + " groups for an input of shape " + to_string(x.shape()));
}

Tensor with_bias(std::string_view op, const Tensor& y, const Tensor& bias) {
  if (!bias.defined()) return y;
  if (bias.shape() != Shape{y.shape(1)}) refuse(op, "a bias of shape " + to_string(bias.shape()) + " for " + std::to_string(y.shape(1)) + " channels");
  return y + reshape(bias, {y.shape(1), 1, 1});
}

/// A function of images, of signals.
template <class F>
Tensor of_signals(std::string_view op, const Tensor& x, const F& f) {
  check_images(op, x, 3);
  return squeeze(f(expand_dims(x, 2)), 2);
}
Extent2 flat(Extent2 extent, std::int64_t height) { return {height, extent.width}; }
WindowOptions flat(const WindowOptions& options) { return {flat(options.stride, 1), flat(options.padding, 0), flat(options.dilation, 1)}; }
ConvOptions flat(const ConvOptions& options) {
  return {flat(options.stride, 1), flat(options.padding, 0), flat(options.dilation, 1), options.groups, flat(options.output_padding, 0)};
}

/// Windows as (N, C, elements of a window, windows), and the shape of what is pooled of them.
Tensor pooled_windows(std::string_view op, const Tensor& x, Extent2 kernel, const WindowOptions& options, bool pad_lowest, Shape& result) {
  check_images(op, x, 4);
  if (2 * options.padding.height > kernel.height || 2 * options.padding.width > kernel.width) refuse(op, "more padding than half the kernel");
  const auto [top, left] = options.padding;
  const double lowest = is_floating(x.dtype()) ? -std::numeric_limits<double>::infinity() : x.dtype() == DType::int64 ? -0x1p63 : 0;
  const double fill = pad_lowest ? lowest : 0;
  const Tensor wide = top + left > 0 ? pad(x, {{top, top}, {left, left}}, PadMode::constant, fill) : x;
  const Windows windows = windows_of(op, {wide.shape(2), wide.shape(3)}, kernel, options.stride, 0, options.dilation);
  result = {x.shape(0), x.shape(1), windows.rows(), windows.columns()};
  return reshape(record_unfold(wide, windows), {x.shape(0), x.shape(1), kernel.height * kernel.width, windows.rows() * windows.columns()});
}

}  // namespace

Tensor unfold(const Located& x, Extent2 kernel, const WindowOptions& options) {
  check_images("unfold", x, 4);
  return record_unfold(x, windows_of("unfold", {x.shape(2), x.shape(3)}, kernel, options.stride, options.padding, options.dilation));
}

Tensor fold(const Located& columns, Extent2 size, Extent2 kernel, const WindowOptions& options) {
  check_images("fold", columns, 3);
  const Windows windows = windows_of("fold", size, kernel, options.stride, options.padding, options.dilation);
  const std::int64_t elements = kernel.height * kernel.width;
  if (columns.shape(1) % elements != 0 || columns.shape(2) != windows.rows() * windows.columns())
    refuse("fold", "columns of shape " + to_string(columns.shape()) + " for " + std::to_string(windows.rows() * windows.columns()) + " windows of " +
                       std::to_string(elements) + " elements");
  return record_fold(columns, windows, columns.shape(1) / elements);
}

Tensor conv2d(const Located& x, const Located& weight, const Tensor& bias, const ConvOptions& options) {
  check_weight("conv2d", x, weight, options, false);
  const std::int64_t images = x.shape(0), groups = options.groups, outputs = weight.shape(0);
  const Windows windows = windows_of("conv2d", {x.shape(2), x.shape(3)}, {weight.shape(2), weight.shape(3)}, options.stride, options.padding, options.dilation);
  const std::int64_t taps = weight.shape(1) * windows.kernel.height * windows.kernel.width, places = windows.rows() * windows.columns();
  const DType dtype = promote(x.dtype(), weight.dtype());
  // Windows of one element, one at each, are the image itself.
  const bool is_image = windows.kernel == Extent2(1) && windows.stride == Extent2(1) && windows.padding == Extent2(0);
  const Tensor columns = reshape(is_image ? x.to(dtype) : record_unfold(x.to(dtype), windows), {images, groups, taps, places});
  const Tensor y = matmul(reshape(weight.to(dtype), {groups, outputs / groups, taps}), columns);
  return with_bias("conv2d", reshape(y, {images, outputs, windows.rows(), windows.columns()}), bias);
}

Tensor conv_transpose2d(const Located& x, const Located& weight, const Tensor& bias, const ConvOptions& options) {
  check_weight("conv_transpose2d", x, weight, options, true);
  const std::int64_t images = x.shape(0), groups = options.groups, outputs = weight.shape(1) * groups, inputs = x.shape(1) / groups;
  const auto size = [](std::int64_t extent, std::int64_t kernel, std::int64_t stride, std::int64_t padding, std::int64_t dilation, std::int64_t more) {
    return (extent - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1 + more;
  };
  const Extent2 more = options.output_padding, stride = options.stride, dilation = options.dilation;
  if (std::min(more.height, more.width) < 0 || more.height >= std::max(stride.height, dilation.height) || more.width >= std::max(stride.width, dilation.width))
    refuse("conv_transpose2d", "the output padding must be less than the stride or the dilation");
  const Extent2 result(size(x.shape(2), weight.shape(2), stride.height, options.padding.height, dilation.height, more.height),
                       size(x.shape(3), weight.shape(3), stride.width, options.padding.width, dilation.width, more.width));
  Windows windows = windows_of("conv_transpose2d", result, {weight.shape(2), weight.shape(3)}, stride, options.padding, dilation);
  windows.count = {x.shape(2), x.shape(3)};  // output padding may make room for more
  const std::int64_t taps = weight.shape(1) * windows.kernel.height * windows.kernel.width, places = x.shape(2) * x.shape(3);
  const DType dtype = promote(x.dtype(), weight.dtype());
  const Tensor columns = matmul(matrix_transpose(reshape(weight.to(dtype), {groups, inputs, taps})), reshape(x.to(dtype), {images, groups, inputs, places}));
  return with_bias("conv_transpose2d", record_fold(reshape(columns, {images, groups * taps, places}), windows, outputs), bias);
}

Tensor conv1d(const Located& x, const Located& weight, const Tensor& bias, const ConvOptions& options) {
  check_images("conv1d", weight, 3);
  return of_signals("conv1d", x, [&](const Tensor& images) { return conv2d(images, expand_dims(weight, 2), bias, flat(options)); });
}
Tensor conv_transpose1d(const Located& x, const Located& weight, const Tensor& bias, const ConvOptions& options) {
  check_images("conv_transpose1d", weight, 3);
  return of_signals("conv_transpose1d", x, [&](const Tensor& images) { return conv_transpose2d(images, expand_dims(weight, 2), bias, flat(options)); });
}

Tensor max_pool2d(const Located& x, Extent2 kernel, const WindowOptions& options) {
  Shape result;
  const Tensor windows = pooled_windows("max_pool2d", x, kernel, options, true, result);
  Tensor largest = argmax(windows, 2, true);
  if (options.padding.height + options.padding.width > 0) {
    // Of a window of nothing larger than the padding, the first element that is none.
    const Tensor inside = pooled_windows("max_pool2d", ones({1, 1, x.shape(2), x.shape(3)}, DType::int64), kernel, options, false, result);
    result[0] = x.shape(0);
    result[1] = x.shape(1);
    const Tensor everywhere = broadcast_to(inside, windows.shape());
    largest = where(detail::take_along_axis_unchecked(everywhere, largest, 2) == 1, largest, argmax(inside, 2, true));
  }
  return reshape(detail::take_along_axis_unchecked(windows, largest, 2), result);
}

Tensor avg_pool2d(const Located& x, Extent2 kernel, const WindowOptions& options, bool count_include_pad) {
  Shape result;
  const Tensor windows = pooled_windows("avg_pool2d", x, kernel, options, false, result);
  if (count_include_pad) return reshape(mean(windows, 2), result);
  const Tensor counts = sum(pooled_windows("avg_pool2d", ones({1, 1, x.shape(2), x.shape(3)}, x.dtype()), kernel, options, false, result), 2);
  result[0] = x.shape(0);
  result[1] = x.shape(1);
  return reshape(sum(windows, 2) / counts, result);
}

Tensor max_pool2d(const Located& x, Extent2 kernel) { return max_pool2d(x, kernel, {.stride = kernel}); }
Tensor avg_pool2d(const Located& x, Extent2 kernel) { return avg_pool2d(x, kernel, {.stride = kernel}); }
Tensor max_pool1d(const Located& x, std::int64_t kernel, const WindowOptions& options) {
  return of_signals("max_pool1d", x, [&](const Tensor& images) { return max_pool2d(images, {1, kernel}, flat(options)); });
}
Tensor avg_pool1d(const Located& x, std::int64_t kernel, const WindowOptions& options, bool count_include_pad) {
  return of_signals("avg_pool1d", x, [&](const Tensor& images) { return avg_pool2d(images, {1, kernel}, flat(options), count_include_pad); });
}
Tensor max_pool1d(const Located& x, std::int64_t kernel) { return max_pool1d(x, kernel, {.stride = kernel}); }
Tensor avg_pool1d(const Located& x, std::int64_t kernel) { return avg_pool1d(x, kernel, {.stride = kernel}); }

}  // namespace xgrad
