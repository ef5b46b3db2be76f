// Rows of reductions.
#pragma once

#include <algorithm>
#include <tests/catalogue/catalogue.hpp>
#include <tests/support/function.hpp>

namespace xgrad::catalogue {

using test::FunctionOf;

using Fold = std::function<double(const std::vector<double>&)>;

/// The slices of `x` along `axes` (sorted), in order of the result, whose shape has the axes as 1 or without them.
inline Plain fold(const Plain& x, const std::vector<std::int64_t>& axes, bool keepdims, const Fold& f) {
  Shape kept;
  Plain result;
  for (std::size_t i = 0; i < x.shape.size(); ++i) {
    const bool reduced = std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(i)) != axes.end();
    kept.push_back(reduced ? 1 : x.shape[i]);
    if (!reduced || keepdims) result.shape.push_back(reduced ? 1 : x.shape[i]);
  }
  std::vector<std::vector<double>> groups(static_cast<std::size_t>(size_of(kept)));
  for (std::size_t flat = 0; flat < x.values.size(); ++flat) {
    std::int64_t rest = static_cast<std::int64_t>(flat), at = 0, step = 1;
    for (std::size_t i = x.shape.size(); i-- > 0;) {
      if (kept[i] != 1) at += rest % x.shape[i] * step;
      rest /= x.shape[i];
      step *= kept[i];
    }
    groups[static_cast<std::size_t>(at)].push_back(x.values[flat]);
  }
  for (const auto& group : groups) result.values.push_back(f(group));
  return result;
}

struct Way {
  std::string suffix;
  Axes axes;
  std::vector<std::int64_t> normalized;  ///< for tensors of rank 3
  bool keepdims;
};

using Reduce = FunctionOf<const Axes&, bool>;

inline void add_ways(std::vector<Row>& rows, const std::string& name, Reduce reduce, const Fold& f, bool of_nothing, double ulps,
              std::vector<Edge> edges) {
  const std::vector<Way> ways = {{"All", {}, {0, 1, 2}, false},          {"AllKept", {}, {0, 1, 2}, true},
                                 {"Last", -1, {2}, false},                {"LastKept", -1, {2}, true},
                                 {"First", 0, {0}, false},                {"Middle", 1, {1}, true},
                                 {"FirstAndLast", {-1, 0}, {0, 2}, false}, {"LastTwo", {1, 2}, {1, 2}, false}};
  for (const Way& way : ways) {
    Row row{.name = name + way.suffix,
            .function = name,
            .apply = [=](const std::vector<Tensor>& x) { return reduce(x[0], way.axes, way.keepdims); },
            .domains = {{}},
            .shapes = {{{2, 3, 4}}, {{1, 1, 1}}, {{5, 1, 7}}, {{3, 20, 33}}},
            .reference = [=](const std::vector<Plain>& x) { return fold(x[0], way.normalized, way.keepdims, f); },
            .ulps = ulps};
    if (of_nothing) row.shapes.push_back({{2, 0, 3}});
    else if (way.normalized[0] != 0) row.shapes.push_back({{0, 3, 4}});
    if (way.suffix == "All") row.edges = edges;
    rows.push_back(row);
  }
  rows.push_back({.name = name + "OfAScalar",
                  .function = name,
                  .apply = [=](const std::vector<Tensor>& x) { return reduce(x[0], {}, false); },
                  .domains = {{}},
                  .shapes = {{{}}},
                  .reference = [=](const std::vector<Plain>& x) { return fold(x[0], {}, false, f); },
                  .ulps = ulps});
}

}  // namespace xgrad::catalogue
