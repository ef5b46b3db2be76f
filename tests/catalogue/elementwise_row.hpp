// Rows of elementwise functions.
#pragma once

#include <cmath>
#include <limits>
#include <tests/catalogue/catalogue.hpp>
#include <tests/support/function.hpp>

namespace xgrad::catalogue {

using test::FunctionOf;

inline constexpr double infinity = std::numeric_limits<double>::infinity();
inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// The element of `x` that broadcasting puts at `flat` of `shape`.
inline double element(const Plain& x, const Shape& shape, std::int64_t flat) {
  std::int64_t offset = 0, step = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const std::size_t axis = shape.size() - 1 - i;
    const std::int64_t at = flat % shape[axis];
    flat /= shape[axis];
    if (i >= x.shape.size()) continue;
    const std::int64_t extent = x.shape[x.shape.size() - 1 - i];
    if (extent != 1) offset += at * step;
    step *= extent;
  }
  return x.values[static_cast<std::size_t>(offset)];
}

using Scalar = std::function<double(const std::vector<double>&)>;

inline std::function<Plain(const std::vector<Plain>&)> each(const Scalar& f) {
  return [f](const std::vector<Plain>& inputs) {
    Shape shape;
    for (const Plain& input : inputs) shape = broadcast_shapes("reference", shape, input.shape);
    Plain result{shape, std::vector<double>(static_cast<std::size_t>(size_of(shape)))};
    for (std::size_t i = 0; i < result.values.size(); ++i) {
      std::vector<double> x;
      for (const Plain& input : inputs) x.push_back(element(input, shape, static_cast<std::int64_t>(i)));
      result.values[i] = f(x);
    }
    return result;
  };
}

inline const std::vector<std::vector<Shape>> unary_shapes = {{{3, 4}}, {{}}, {{1}}, {{2, 3, 5}}, {{0, 3}}, {{1030}}};
inline const std::vector<std::vector<Shape>> binary_shapes = {{{3, 4}, {3, 4}}, {{}, {}},     {{3, 4}, {}},        {{}, {2, 3}},
                                                       {{3, 4}, {4}},    {{3, 1}, {4}}, {{2, 3, 4}, {3, 1}}, {{1, 4}, {3, 1}},
                                                       {{0, 3}, {3}},    {{2, 200}, {2, 1}}, {{5, 200}, {200}}};

inline Row unary(std::string name, FunctionOf<> f, Domain domain, double (*reference)(double), double ulps = 4,
          std::vector<Edge> edges = {}) {
  return {.name = name,
          .function = name,
          .apply = [f](const std::vector<Tensor>& x) { return f(x[0]); },
          .domains = {std::move(domain)},
          .shapes = unary_shapes,
          .reference = each([reference](const std::vector<double>& x) { return reference(x[0]); }),
          .elementwise = true,
          .ulps = ulps,
          .edges = std::move(edges)};
}

inline Row binary(std::string name, Tensor (*f)(const Operand&, const Operand&), std::vector<Domain> domains,
           double (*reference)(double, double), std::vector<Edge> edges = {}, int orders = 2) {
  return {.name = name,
          .function = name,
          .apply = [f](const std::vector<Tensor>& x) { return f(x[0], x[1]); },
          .domains = std::move(domains),
          .shapes = binary_shapes,
          .reference = each([reference](const std::vector<double>& x) { return reference(x[0], x[1]); }),
          .orders = orders,
          .elementwise = true,
          .edges = std::move(edges)};
}

/// With a cotangent of zero in place of one, which stays zero whatever the derivative.
inline Edge of_zero_cotangent(std::string what, std::vector<double> x, double value) {
  Edge edge{std::move(what), ours, {}, {{}, {value}}};
  for (const double v : x) edge.inputs.push_back({{}, {v}}), edge.gradients.push_back({0});
  edge.cotangent = {0};
  return edge;
}
/// With the second derivative.
inline Edge and_second(Edge edge, double second) {
  edge.second = {second};
  return edge;
}

/// An edge of one or two scalars.
inline Edge at(std::string what, Convention convention, std::vector<double> x, double value, std::vector<double> gradients = {}) {
  Edge edge{std::move(what), convention, {}, {{}, {value}}};
  for (const double v : x) edge.inputs.push_back({{}, {v}});
  for (const double v : gradients) edge.gradients.push_back({v});
  return edge;
}

}  // namespace xgrad::catalogue
