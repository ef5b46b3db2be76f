#include <cmath>
#include <limits>
#include <tests/catalogue/catalogue.hpp>

namespace xgrad::catalogue {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// The element of `x` that broadcasting puts at `flat` of `shape`.
double element(const Plain& x, const Shape& shape, std::int64_t flat) {
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

std::function<Plain(const std::vector<Plain>&)> each(const Scalar& f) {
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

const std::vector<std::vector<Shape>> unary_shapes = {{{3, 4}}, {{}}, {{1}}, {{2, 3, 5}}, {{0, 3}}, {{1030}}};
const std::vector<std::vector<Shape>> binary_shapes = {{{3, 4}, {3, 4}}, {{}, {}},     {{3, 4}, {}},        {{}, {2, 3}},
                                                       {{3, 4}, {4}},    {{3, 1}, {4}}, {{2, 3, 4}, {3, 1}}, {{1, 4}, {3, 1}},
                                                       {{0, 3}, {3}},    {{2, 200}, {2, 1}}, {{5, 200}, {200}}};

Row unary(std::string name, Tensor (*f)(const Tensor&), Domain domain, double (*reference)(double), double ulps = 4,
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

Row binary(std::string name, Tensor (*f)(const Operand&, const Operand&), std::vector<Domain> domains,
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

/// An edge of one or two scalars.
Edge at(std::string what, std::vector<double> x, double value, std::vector<double> gradients = {}) {
  Edge edge{std::move(what), {}, {{}, {value}}, {}};
  for (const double v : x) edge.inputs.push_back({{}, {v}});
  for (const double v : gradients) edge.gradients.push_back({v});
  return edge;
}

}  // namespace

std::vector<Row> elementwise_rows() {
  const Domain any, positive{0.2, 3}, disjoint_low{-2, -0.3}, disjoint_high{0.3, 2}, off_zero{-2, 2, {0}};
  std::vector<Row> rows = {
      unary("negative", negative, any, [](double x) { return -x; }, 0),
      unary("exp", exp, any, [](double x) { return std::exp(x); }, 4,
            {at("exp(-inf) is 0", {-infinity}, 0, {0}), at("exp(inf) is inf", {infinity}, infinity)}),
      unary("log", log, positive, [](double x) { return std::log(x); }, 4,
            {at("log 0 is -inf", {0}, -infinity, {infinity}), at("log of a negative is NaN", {-1}, nan)}),
      unary("log1p", log1p, {-0.8, 3}, [](double x) { return std::log1p(x); }, 4,
            {at("log1p keeps small numbers", {1e-20}, 1e-20, {1})}),
      unary("expm1", expm1, any, [](double x) { return std::expm1(x); }, 4, {at("expm1 keeps small numbers", {1e-20}, 1e-20, {1})}),
      unary("sqrt", sqrt, positive, [](double x) { return std::sqrt(x); }, 1, {at("sqrt at 0 is steep", {0}, 0, {infinity})}),
      unary("square", square, any, [](double x) { return x * x; }, 1),
      unary("abs", abs, off_zero, [](double x) { return std::abs(x); }, 0, {at("abs is flat at 0", {0}, 0, {0})}),
      unary("sign", sign, off_zero, [](double x) { return static_cast<double>((x > 0) - (x < 0)); }, 0, {at("sign of 0", {0}, 0)}),
      unary("sin", sin, any, [](double x) { return std::sin(x); }, 4),
      unary("cos", cos, any, [](double x) { return std::cos(x); }, 4),
      unary("tanh", tanh, any, [](double x) { return std::tanh(x); }, 4,
            {at("tanh saturates", {100}, 1, {0}), at("tanh of inf", {infinity}, 1, {0})}),
      unary("sigmoid", sigmoid, any, [](double x) { return 1 / (1 + std::exp(-x)); }, 4,
            {at("sigmoid saturates below", {-1000}, 0, {0}), at("sigmoid saturates above", {1000}, 1, {0})}),
      unary("erf", erf, any, [](double x) { return std::erf(x); }, 4),
      unary("relu", relu, off_zero, [](double x) { return std::max(x, 0.0); }, 0,
            {at("relu is flat at 0", {0}, 0, {0}), at("relu lets NaN through", {nan}, nan)}),
      binary("add", add, {any}, [](double a, double b) { return a + b; }),
      binary("subtract", subtract, {any}, [](double a, double b) { return a - b; }),
      binary("multiply", multiply, {any}, [](double a, double b) { return a * b; }),
      binary("divide", divide, {any, positive}, [](double a, double b) { return a / b; }, {at("1/0 is inf", {1, 0}, infinity)}),
      binary("power", power, {positive, any}, [](double a, double b) { return std::pow(a, b); },
             {at("0 to the 0", {0, 0}, 1, {0, 0}), at("0 squared", {0, 2}, 0, {0, 0}), at("0 to the 1", {0, 1}, 0, {1, 0}),
              at("a negative base to a whole number", {-2, 3}, -8, {12, nan}), at("a negative base to a fraction", {-2, 0.5}, nan)}),
      binary("maximum", maximum, {disjoint_low, disjoint_high}, [](double a, double b) { return std::max(a, b); },
             {at("a tie is shared", {1, 1}, 1, {0.5, 0.5}), at("NaN wins on the left", {nan, 1}, nan), at("NaN wins on the right", {1, nan}, nan)}),
      binary("minimum", minimum, {disjoint_low, disjoint_high}, [](double a, double b) { return std::min(a, b); },
             {at("a tie is shared", {1, 1}, 1, {0.5, 0.5}), at("NaN wins on the left", {nan, 1}, nan), at("NaN wins on the right", {1, nan}, nan)}),
      binary("equal", equal, {{0, 1}}, [](double a, double b) { return double(a == b); }, {at("NaN equals nothing", {nan, nan}, 0)}, 0),
      binary("not_equal", not_equal, {any}, [](double a, double b) { return double(a != b); }, {at("NaN differs from itself", {nan, nan}, 1)}, 0),
      binary("less", less, {any}, [](double a, double b) { return double(a < b); }, {at("not less than itself", {1, 1}, 0)}, 0),
      binary("less_equal", less_equal, {any}, [](double a, double b) { return double(a <= b); }, {at("less or equal to itself", {1, 1}, 1)}, 0),
      binary("greater", greater, {any}, [](double a, double b) { return double(a > b); }, {at("not greater than itself", {1, 1}, 0)}, 0),
      binary("greater_equal", greater_equal, {any}, [](double a, double b) { return double(a >= b); }, {at("greater or equal to itself", {1, 1}, 1)}, 0),
  };
  rows.push_back({.name = "clip",
                  .function = "clip",
                  .apply = [](const std::vector<Tensor>& x) { return clip(x[0], -0.5, 1.0); },
                  .domains = {{-2, 2, {-0.5, 1}}},
                  .shapes = unary_shapes,
                  .reference = each([](const std::vector<double>& x) { return std::min(std::max(x[0], -0.5), 1.0); }),
                  .elementwise = true,
                  .ulps = 0,
                  .edges = {at("a bound lets the cotangent through", {1}, 1, {1}), at("so does the lower", {-0.5}, -0.5, {1}),
                            at("beyond it does not", {1.5}, 1, {0}), at("NaN stays", {nan}, nan)}});
  rows.push_back({.name = "where",
                  .function = "where",
                  .apply = [](const std::vector<Tensor>& x) { return where(x[0] > 0, x[1], x[2]); },
                  .domains = {{-2, 2, {0}}, any, any},
                  .shapes = {{{3, 4}, {3, 4}, {3, 4}}, {{}, {}, {}}, {{3, 1}, {4}, {}}, {{2, 300}, {300}, {2, 1}}, {{0}, {1}, {}}},
                  .reference = each([](const std::vector<double>& x) { return x[0] > 0 ? x[1] : x[2]; }),
                  .elementwise = true,
                  .ulps = 0,
                  .edges = {{"what is not taken may be NaN", {{{2}, {1, -1}}, {{2}, {2, nan}}, {{2}, {nan, 3}}}, {{2}, {2, 3}}, {{}, {1, 0}, {0, 1}}}}});
  const auto powers = [&](std::string name, double exponent, Domain domain) {
    rows.push_back({.name = std::move(name),
                    .function = "power",
                    .apply = [exponent](const std::vector<Tensor>& x) { return power(x[0], exponent); },
                    .domains = {std::move(domain)},
                    .shapes = unary_shapes,
                    .reference = each([exponent](const std::vector<double>& x) { return std::pow(x[0], exponent); }),
                    .elementwise = true});
  };
  powers("powerOfOne", 1, any);
  powers("powerOfTwo", 2, any);
  powers("powerOfThree", 3, any);
  powers("powerOfMinusOne", -1, positive);
  powers("powerOfAFraction", 1.7, positive);
  // What a where masks out leaves no trace, though the derivative there is infinite or NaN.
  rows.push_back({.name = "maskedSqrt",
                  .function = "where",
                  .apply = [](const std::vector<Tensor>& x) { return where(x[0] > 0, sqrt(x[0]), 0); },
                  .domains = {positive},
                  .shapes = unary_shapes,
                  .reference = each([](const std::vector<double>& x) { return x[0] > 0 ? std::sqrt(x[0]) : 0; }),
                  .elementwise = true,
                  .edges = {at("at 0", {0}, 0, {0}), at("below", {-1}, 0, {0})}});
  rows.push_back({.name = "maskedEntropy",
                  .function = "where",
                  .apply = [](const std::vector<Tensor>& x) { return where(x[0] > 0, x[0] * log(x[0]) / x[0], 0); },
                  .domains = {positive},
                  .shapes = unary_shapes,
                  .reference = each([](const std::vector<double>& x) { return x[0] > 0 ? std::log(x[0]) : 0; }),
                  .elementwise = true,
                  .ulps = 8,
                  .edges = {at("at 0", {0}, 0, {0}), at("of NaN", {nan}, 0, {0})}});
  return rows;
}

}  // namespace xgrad::catalogue
