#include <algorithm>
#include <limits>
#include <tests/catalogue/shape_row.hpp>

namespace xgrad::catalogue {
namespace {

double padded(const Plain& x, std::int64_t n, std::int64_t c, std::int64_t i, std::int64_t j, double fill_value = 0) {
  return i < 0 || j < 0 || i >= x.shape[2] || j >= x.shape[3] ? fill_value : at(x, {n, c, i, j});
}

/// By the definition.
Plain convolved(const std::vector<Plain>& in, const ConvOptions& o) {
  const Plain &x = in[0], &w = in[1];
  const std::int64_t rows = (x.shape[2] + 2 * o.padding.height - o.dilation.height * (w.shape[2] - 1) - 1) / o.stride.height + 1;
  const std::int64_t columns = (x.shape[3] + 2 * o.padding.width - o.dilation.width * (w.shape[3] - 1) - 1) / o.stride.width + 1;
  return fill({x.shape[0], w.shape[0], rows, columns}, [&](const Index& p) {
    double sum = in.size() > 2 ? in[2].values[static_cast<std::size_t>(p[1])] : 0;
    const std::int64_t group = p[1] / (w.shape[0] / o.groups);
    for (std::int64_t c = 0; c < w.shape[1]; ++c)
      for (std::int64_t a = 0; a < w.shape[2]; ++a)
        for (std::int64_t b = 0; b < w.shape[3]; ++b)
          sum += at(w, {p[1], c, a, b}) * padded(x, p[0], group * w.shape[1] + c, p[2] * o.stride.height - o.padding.height + a * o.dilation.height,
                                                 p[3] * o.stride.width - o.padding.width + b * o.dilation.width);
    return sum;
  });
}
/// Every input element sent to where it adds to.
Plain transposed(const std::vector<Plain>& in, const ConvOptions& o) {
  const Plain &x = in[0], &w = in[1];
  const auto size = [](std::int64_t n, std::int64_t k, std::int64_t s, std::int64_t p, std::int64_t d, std::int64_t more) { return (n - 1) * s - 2 * p + d * (k - 1) + 1 + more; };
  Plain result{{x.shape[0], w.shape[1] * o.groups, size(x.shape[2], w.shape[2], o.stride.height, o.padding.height, o.dilation.height, o.output_padding.height),
                size(x.shape[3], w.shape[3], o.stride.width, o.padding.width, o.dilation.width, o.output_padding.width)}, {}};
  result.values.assign(static_cast<std::size_t>(size_of(result.shape)), 0);
  const std::int64_t per_group = x.shape[1] / o.groups;
  fill(x.shape, [&](const Index& p) {
    for (std::int64_t k = 0; k < w.shape[1]; ++k)
      for (std::int64_t a = 0; a < w.shape[2]; ++a)
        for (std::int64_t b = 0; b < w.shape[3]; ++b) {
          const std::int64_t i = p[2] * o.stride.height - o.padding.height + a * o.dilation.height, j = p[3] * o.stride.width - o.padding.width + b * o.dilation.width;
          if (i < 0 || j < 0 || i >= result.shape[2] || j >= result.shape[3]) continue;
          result.values[static_cast<std::size_t>(flat_of({p[0], p[1] / per_group * w.shape[1] + k, i, j}, result.shape))] += at(x, p) * at(w, {p[1], k, a, b});
        }
    return 0.0;
  });
  return result;
}
/// With an axis of 1 for the height, and back.
Plain raised(Plain x) {
  if (x.shape.size() == 3) x.shape.insert(x.shape.begin() + 2, 1);
  return x;
}
Plain lowered(Plain x) {
  x.shape.erase(x.shape.begin() + 2);
  return x;
}

}  // namespace

std::vector<Row> convolution_rows() {
  using Inputs = const std::vector<Tensor>&;
  std::vector<Row> rows;
  const auto add = [&](std::string name, std::string function, TensorFunction f, std::vector<std::vector<Shape>> shapes, Reference reference) {
    rows.push_back({.name = std::move(name), .function = std::move(function), .apply = std::move(f), .domains = {{}}, .shapes = std::move(shapes),
                    .reference = std::move(reference), .ulps = 32});
  };
  const auto convolution = [&](std::string name, ConvOptions o, std::vector<std::vector<Shape>> shapes) {
    add(std::move(name), "conv2d", [o](Inputs x) { return conv2d(x[0], x[1], x.size() > 2 ? x[2] : Tensor(), o); }, std::move(shapes),
        [o](const std::vector<Plain>& x) { return convolved(x, o); });
  };
  convolution("conv2d", {}, {{{2, 2, 4, 5}, {3, 2, 2, 3}, {3}}, {{1, 1, 1, 1}, {1, 1, 1, 1}}, {{0, 2, 3, 3}, {2, 2, 2, 2}}});
  convolution("conv2dWithOptions", {.stride = {2, 1}, .padding = {1, 2}, .dilation = {1, 2}}, {{{2, 2, 5, 4}, {2, 2, 3, 2}}});
  convolution("conv2dOfSinglePixels", {}, {{{2, 3, 2, 2}, {4, 3, 1, 1}, {4}}});
  convolution("conv2dOfSinglePixelsApart", {.stride = 2, .padding = 1}, {{{1, 2, 3, 3}, {2, 2, 1, 1}}});
  convolution("conv2dInGroups", {.padding = 1, .groups = 2}, {{{1, 4, 3, 3}, {6, 2, 3, 3}, {6}}});
  const ConvOptions wide{.stride = {2, 3}, .padding = {1, 0}, .dilation = {1, 2}, .groups = 2, .output_padding = {1, 2}};
  add("convTranspose2d", "conv_transpose2d", [](Inputs x) { return conv_transpose2d(x[0], x[1]); }, {{{2, 2, 3, 2}, {2, 3, 2, 2}}, {{0, 2, 2, 2}, {2, 1, 2, 2}}}, [](const std::vector<Plain>& x) { return transposed(x, {}); });
  add("convTranspose2dWithOptions", "conv_transpose2d", [=](Inputs x) { return conv_transpose2d(x[0], x[1], {}, wide); }, {{{1, 4, 2, 3}, {4, 2, 3, 2}}},
      [=](const std::vector<Plain>& x) { return transposed(x, wide); });
  const ConvOptions longer{.dilation = 3, .output_padding = 2};
  add("convTranspose2dMuchLonger", "conv_transpose2d", [=](Inputs x) { return conv_transpose2d(x[0], x[1], {}, longer); }, {{{1, 1, 3, 2}, {1, 2, 2, 2}}},
      [=](const std::vector<Plain>& x) { return transposed(x, longer); });
  const ConvOptions one{.stride = 2, .padding = {7, 1}};
  const ConvOptions flat{.stride = {1, 2}, .padding = {0, 1}};
  add("conv1d", "conv1d", [=](Inputs x) { return conv1d(x[0], x[1], x[2], one); }, {{{2, 2, 7}, {3, 2, 3}, {3}}, {{0, 2, 7}, {3, 2, 3}, {3}}},
      [=](const std::vector<Plain>& x) { return lowered(convolved({raised(x[0]), raised(x[1]), x[2]}, flat)); });
  add("convTranspose1d", "conv_transpose1d", [=](Inputs x) { return conv_transpose1d(x[0], x[1], {}, one); }, {{{2, 2, 4}, {2, 3, 3}}, {{0, 2, 4}, {2, 3, 3}}},
      [=](const std::vector<Plain>& x) { return lowered(transposed({raised(x[0]), raised(x[1])}, flat)); });
  add("unfold", "unfold", [](Inputs x) { return unfold(x[0], {2, 1}, {.stride = 2, .padding = {1, 0}}); }, {{{2, 2, 4, 3}}, {{0, 2, 4, 3}}},
      [](const std::vector<Plain>& x) {
        return fill({x[0].shape[0], 4, 6}, [&](const Index& p) { return padded(x[0], p[0], p[1] / 2, p[2] / 2 * 2 - 1 + p[1] % 2, p[2] % 2 * 2); });
      });
  add("fold", "fold", [](Inputs x) { return fold(x[0], {2, 3}, 2); }, {{{1, 4, 2}}, {{0, 4, 2}}},
      [](const std::vector<Plain>& x) {
        return fill({x[0].shape[0], 1, 2, 3}, [&](const Index& p) {
          double sum = 0;
          for (std::int64_t b = 0; b < 2; ++b)
            if (p[3] - b >= 0 && p[3] - b < 2) sum += at(x[0], {0, p[2] * 2 + b, p[3] - b});
          return sum;
        });
      });
  const auto pool = [](const Plain& x, std::int64_t k, std::int64_t s, std::int64_t p, bool largest, bool all) {
    return fill({x.shape[0], x.shape[1], (x.shape[2] + 2 * p - k) / s + 1, (x.shape[3] + 2 * p - k) / s + 1}, [&](const Index& at_) {
      double best = -std::numeric_limits<double>::infinity(), sum = 0, count = 0;
      for (std::int64_t a = 0; a < k; ++a)
        for (std::int64_t b = 0; b < k; ++b) {
          const std::int64_t i = at_[2] * s - p + a, j = at_[3] * s - p + b;
          const bool inside = i >= 0 && j >= 0 && i < x.shape[2] && j < x.shape[3];
          if (inside) best = std::max(best, at(x, {at_[0], at_[1], i, j})), sum += at(x, {at_[0], at_[1], i, j});
          if (inside || all) ++count;
        }
      return largest ? best : sum / count;
    });
  };
  add("maxPool2d", "max_pool2d", [](Inputs x) { return max_pool2d(x[0], 2); }, {{{2, 2, 4, 5}}, {{0, 2, 4, 5}}}, [=](const std::vector<Plain>& x) { return pool(x[0], 2, 2, 0, true, true); });
  rows.back().edges = {{"the first of several takes the cotangent", pytorch, {{{1, 1, 2, 2}, {1, 3, 3, 3}}}, {{1, 1, 1, 1}, {3}}, {{0, 1, 0, 0}}}};
  add("maxPool2dPadded", "max_pool2d", [](Inputs x) { return max_pool2d(x[0], 3, {.stride = 2, .padding = 1}); }, {{{2, 1, 4, 5}}}, [=](const std::vector<Plain>& x) { return pool(x[0], 3, 2, 1, true, true); });
  rows.back().edges = {{"padding takes no cotangent", pytorch, {{{1, 1, 1, 2}, {-std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()}}},
                        {{1, 1, 1, 1}, {-std::numeric_limits<double>::infinity()}}, {{1, 0}}}};
  add("avgPool2d", "avg_pool2d", [](Inputs x) { return avg_pool2d(x[0], 3, {.stride = 2, .padding = 1}); }, {{{2, 2, 4, 5}}, {{0, 2, 4, 5}}}, [=](const std::vector<Plain>& x) { return pool(x[0], 3, 2, 1, false, true); });
  add("avgPool2dOfWhatIsThere", "avg_pool2d", [](Inputs x) { return avg_pool2d(x[0], 3, {.stride = 2, .padding = 1}, false); }, {{{2, 2, 4, 5}}}, [=](const std::vector<Plain>& x) { return pool(x[0], 3, 2, 1, false, false); });
  const auto of_pairs = [](const Plain& x, const std::function<double(double, double)>& f) {
    return fill({x.shape[0], x.shape[1], x.shape[2] / 2}, [&](const Index& p) { return f(at(x, {p[0], p[1], 2 * p[2]}), at(x, {p[0], p[1], 2 * p[2] + 1})); });
  };
  add("maxPool1d", "max_pool1d", [](Inputs x) { return max_pool1d(x[0], 2); }, {{{2, 2, 6}}, {{0, 2, 6}}}, [=](const std::vector<Plain>& x) { return of_pairs(x[0], [](double a, double b) { return std::max(a, b); }); });
  add("avgPool1d", "avg_pool1d", [](Inputs x) { return avg_pool1d(x[0], 2); }, {{{2, 2, 6}}, {{0, 2, 6}}}, [=](const std::vector<Plain>& x) { return of_pairs(x[0], [](double a, double b) { return (a + b) / 2; }); });
  return rows;
}

}  // namespace xgrad::catalogue
