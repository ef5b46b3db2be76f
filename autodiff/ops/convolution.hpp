// Convolution and pooling of images (N, C, H, W) and signals (N, C, L), in PyTorch's conventions: convolution does not flip its
// kernel. Differentiable to any order. All throw std::invalid_argument, naming the function and the shapes, for ranks, channels and
// sizes that do not fit.
#pragma once

#include <autodiff/core/tensor.hpp>
#include <cstdint>

namespace xgrad {

/// Along height and width; one number stands for both.
struct Extent2 {
  Extent2(std::int64_t both) : height(both), width(both) {}
  Extent2(std::int64_t height, std::int64_t width) : height(height), width(width) {}
  bool operator==(const Extent2&) const = default;
  std::int64_t height, width;
};

/// Options of convolutions: `padding` zeros on either side, taps `dilation` apart, channels in `groups` that do not mix.
struct ConvOptions {
  Extent2 stride = 1, padding = 0, dilation = 1;
  std::int64_t groups = 1;
  Extent2 output_padding = 0;  ///< of transposed ones: what their output is longer by at the end
};

/// yₙₒᵢⱼ = bₒ + Σ xₙ꜀,ᵢₛ₊ₐ,ⱼₛ₊ᵦ wₒ꜀ₐᵦ: x (N, C, H, W), weight (O, C / groups, height, width), bias (O) or undefined.
Tensor conv2d(const Located& x, const Located& weight, const Tensor& bias = {}, const ConvOptions& options = {});
/// x (N, C, L), weight (O, C / groups, length); of the options the widths count.
Tensor conv1d(const Located& x, const Located& weight, const Tensor& bias = {}, const ConvOptions& options = {});
/// The transpose of `conv2d` in x: weight (C, O / groups, height, width).
Tensor conv_transpose2d(const Located& x, const Located& weight, const Tensor& bias = {}, const ConvOptions& options = {});
Tensor conv_transpose1d(const Located& x, const Located& weight, const Tensor& bias = {}, const ConvOptions& options = {});

/// Where windows lie.
struct WindowOptions {
  Extent2 stride = 1, padding = 0, dilation = 1;
};
/// The windows of images as columns: (N, C · height · width, number of windows).
Tensor unfold(const Located& x, Extent2 kernel, const WindowOptions& options = {});
/// Columns added up into images of `size`: the transpose of `unfold`.
Tensor fold(const Located& columns, Extent2 size, Extent2 kernel, const WindowOptions& options = {});

/// The largest of each window; of several the first takes the cotangent. The stride is the kernel unless it is given; padding, of
/// at most half the kernel, is never it.
Tensor max_pool2d(const Located& x, Extent2 kernel, const WindowOptions& options);
Tensor max_pool2d(const Located& x, Extent2 kernel);
Tensor max_pool1d(const Located& x, std::int64_t kernel, const WindowOptions& options);
Tensor max_pool1d(const Located& x, std::int64_t kernel);
/// The mean of each window; padding counts as zeros, or not at all without `count_include_pad`.
Tensor avg_pool2d(const Located& x, Extent2 kernel, const WindowOptions& options, bool count_include_pad = true);
Tensor avg_pool2d(const Located& x, Extent2 kernel);
Tensor avg_pool1d(const Located& x, std::int64_t kernel, const WindowOptions& options, bool count_include_pad = true);
Tensor avg_pool1d(const Located& x, std::int64_t kernel);

}  // namespace xgrad
