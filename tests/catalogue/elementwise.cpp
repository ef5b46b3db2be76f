#include <autodiff/ops/scale.hpp>
#include <cmath>
#include <limits>
#include <tests/catalogue/catalogue.hpp>

namespace xgrad::catalogue {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

using Tensors = const std::vector<Tensor>&;

/// f of the elements that broadcasting puts side by side.
Reference each(const std::function<double(const std::vector<double>&)>& f) {
  return [f](const std::vector<Plain>& inputs) {
    Shape shape;
    for (const Plain& input : inputs) shape = broadcast_shapes("reference", shape, input.shape);
    return fill(shape, [&](const Index& index) {
      std::vector<double> x;
      for (const Plain& input : inputs) x.push_back(broadcast_at(input, index));
      return f(x);
    });
  };
}
Reference each(double (*f)(double)) {
  return each([f](const std::vector<double>& x) { return f(x[0]); });
}
Reference each(double (*f)(double, double)) {
  return each([f](const std::vector<double>& x) { return f(x[0], x[1]); });
}

const std::vector<std::vector<Shape>> unary_shapes = {{{3, 4}}, {{}}, {{1}}, {{2, 3, 5}}, {{2, 1, 3, 1, 2, 2}}, {{0, 3}}, {{0}}, {{1030}}};
const std::vector<std::vector<Shape>> binary_shapes = {
    {{3, 4}, {3, 4}}, {{}, {}},         {{1}, {}},           {{}, {1, 1}},         {{3, 4}, {}},         {{}, {2, 3}},
    {{3, 4}, {4}},    {{4}, {3, 4}},    {{3, 4}, {1}},       {{1, 3}, {3}},        {{3, 1}, {4}},        {{4}, {3, 1}},
    {{1, 4}, {3, 1}}, {{3, 1}, {3, 4}}, {{2, 3, 4}, {3, 1}}, {{2, 1, 4}, {3, 1}},  {{2, 3, 1, 2, 1, 2}, {3, 1, 2, 1}},
    {{0, 3}, {3}},    {{0}, {1}},       {{2, 1}, {0}},       {{2, 200}, {2, 1}},   {{5, 200}, {200}},    {{1030}, {}}};

Row unary(std::string name, Tensor (*f)(const Tensor&), Domain domain, double (*reference)(double), double ulps = 4,
          std::vector<Edge> edges = {}) {
  return {.name = name,
          .function = name,
          .apply = [f](Tensors x) { return f(x[0]); },
          .domains = {std::move(domain)},
          .shapes = unary_shapes,
          .reference = each(reference),
          .elementwise = true,
          .ulps = ulps,
          .edges = std::move(edges)};
}

Row binary(std::string name, Tensor (*f)(const Operand&, const Operand&), std::vector<Domain> domains,
           double (*reference)(double, double), std::vector<Edge> edges = {}) {
  return {.name = name,
          .function = name,
          .apply = [f](Tensors x) { return f(x[0], x[1]); },
          .domains = std::move(domains),
          .shapes = binary_shapes,
          .reference = each(reference),
          .elementwise = true,
          .ulps = 1,
          .edges = std::move(edges)};
}

/// A row that calls `function` in some other way.
Row way(std::string name, std::string function, TensorFunction apply, std::vector<Domain> domains,
        std::vector<std::vector<Shape>> shapes, Reference reference, std::vector<Edge> edges = {}) {
  return {.name = std::move(name),
          .function = std::move(function),
          .apply = std::move(apply),
          .domains = std::move(domains),
          .shapes = std::move(shapes),
          .reference = std::move(reference),
          .elementwise = true,
          .edges = std::move(edges)};
}

/// For functions that have integer values.
Row whole(Row row, std::optional<DType> of_bool = DType::bool_) {
  row.of_int64 = DType::int64;
  row.of_bool = of_bool;
  return row;
}

/// Values far from 1, which try the kernels; differences of them say little.
Row far(std::string name, Tensor (*f)(const Tensor&), Domain domain, double (*reference)(double)) {
  Row row = unary(name, f, std::move(domain), reference);
  row.name += "FarOut";
  row.orders = 0;
  row.shapes = {{{1030}}};
  return row;
}

/// An edge of scalars.
Edge edge(std::string what, std::vector<double> x, double value, std::vector<double> gradients = {}) {
  Edge result{std::move(what), {}, {{}, {value}}, {}};
  for (const double v : x) result.inputs.push_back({{}, {v}});
  for (const double v : gradients) result.gradients.push_back({v});
  return result;
}

const Domain any, positive{0.2, 3}, off_zero{-2, 2, {0}};
const Domain halves{.lattice = 0.0}, quarters{.lattice = 0.25};  // the first meet each other often, the second never

void add_unary(std::vector<Row>& rows) {
  rows.push_back(whole(unary("negative", negative, any, [](double x) { return -x; }, 0), std::nullopt));
  rows.push_back(unary("exp", exp, any, [](double x) { return std::exp(x); }, 4,
                       {edge("exp(-inf) is 0", {-infinity}, 0, {0}), edge("exp(inf) is inf", {infinity}, infinity, {infinity})}));
  rows.push_back(unary("log", log, positive, [](double x) { return std::log(x); }, 4,
                       {edge("log 0 is -inf", {0}, -infinity, {infinity}), edge("log inf is inf", {infinity}, infinity, {0}),
                        edge("log of a negative is NaN", {-1}, nan)}));
  rows.push_back(unary("log1p", log1p, {-0.8, 3}, [](double x) { return std::log1p(x); }, 4,
                       {edge("log1p keeps small numbers", {1e-20}, 1e-20, {1}), edge("log1p(-1) is -inf", {-1}, -infinity, {infinity})}));
  rows.push_back(unary("expm1", expm1, any, [](double x) { return std::expm1(x); }, 4,
                       {edge("expm1 keeps small numbers", {1e-20}, 1e-20, {1}), edge("expm1(-inf) is -1", {-infinity}, -1, {0})}));
  rows.push_back(unary("sqrt", sqrt, positive, [](double x) { return std::sqrt(x); }, 1,
                       {edge("sqrt at 0 is steep", {0}, 0, {infinity}), edge("sqrt of a negative is NaN", {-1}, nan)}));
  rows.push_back(whole(unary("square", square, any, [](double x) { return x * x; }, 1, {edge("at 0", {0}, 0, {0})})));
  rows.push_back(whole(unary("abs", abs, off_zero, [](double x) { return std::abs(x); }, 0,
                             {edge("abs is flat at 0", {0}, 0, {0}), edge("at -inf", {-infinity}, infinity, {-1})})));
  rows.push_back(whole(unary("sign", sign, off_zero, [](double x) { return static_cast<double>((x > 0) - (x < 0)); }, 0,
                             {edge("sign of 0", {0}, 0), edge("sign of NaN", {nan}, nan), edge("sign of -inf", {-infinity}, -1)})));
  rows.back().differentiable = false;
  rows.push_back(unary("sin", sin, any, [](double x) { return std::sin(x); }, 4, {edge("at 0", {0}, 0, {1})}));
  rows.push_back(unary("cos", cos, any, [](double x) { return std::cos(x); }, 4, {edge("at 0", {0}, 1, {0})}));
  rows.push_back(unary("tanh", tanh, any, [](double x) { return std::tanh(x); }, 4,
                       {edge("tanh saturates", {100}, 1, {0}), edge("tanh of inf", {infinity}, 1, {0})}));
  rows.push_back(unary("sigmoid", sigmoid, any, [](double x) { return 1 / (1 + std::exp(-x)); }, 4,
                       {edge("at 0", {0}, 0.5, {0.25}), edge("sigmoid saturates below", {-1000}, 0, {0}),
                        edge("sigmoid saturates above", {1000}, 1, {0})}));
  rows.push_back(unary("erf", erf, any, [](double x) { return std::erf(x); }, 4,
                       {edge("erf saturates", {infinity}, 1, {0}), edge("at 0", {0}, 0, {2 / std::sqrt(std::acos(-1.0))})}));
  rows.push_back(whole(unary("relu", relu, off_zero, [](double x) { return std::max(x, 0.0); }, 0,
                             {edge("relu is flat at 0", {0}, 0, {0}), edge("relu lets NaN through", {nan}, nan)})));
}

void add_far(std::vector<Row>& rows) {
  const Domain magnitudes{.low = 1e-30, .high = 1e30, .every_magnitude = true}, small{.low = 1e-30, .high = 1, .every_magnitude = true};
  rows.push_back(far("exp", exp, {-86, 88.7}, [](double x) { return std::exp(x); }));
  rows.push_back(far("expm1", expm1, {-86, 88.7}, [](double x) { return std::expm1(x); }));
  rows.push_back(far("log", log, magnitudes, [](double x) { return std::log(x); }));
  rows.push_back(far("log1p", log1p, magnitudes, [](double x) { return std::log1p(x); }));
  rows.push_back(far("sqrt", sqrt, magnitudes, [](double x) { return std::sqrt(x); }));
  rows.push_back(far("tanh", tanh, {-20, 20}, [](double x) { return std::tanh(x); }));
  rows.push_back(far("sigmoid", sigmoid, {-80, 80}, [](double x) { return 1 / (1 + std::exp(-x)); }));
  rows.push_back(far("erf", erf, {-8, 8}, [](double x) { return std::erf(x); }));
  rows.push_back(far("sin", sin, {-1000, 1000}, [](double x) { return std::sin(x); }));
  rows.push_back(far("cos", cos, {-1000, 1000}, [](double x) { return std::cos(x); }));
  for (const Row& row : {far("expm1", expm1, small, [](double x) { return std::expm1(x); }),
                         far("tanh", tanh, small, [](double x) { return std::tanh(x); }),
                         far("erf", erf, small, [](double x) { return std::erf(x); }),
                         far("sin", sin, small, [](double x) { return std::sin(x); })}) {
    rows.push_back(row);
    rows.back().name = row.function + "NearZero";
  }
}

void add_binary(std::vector<Row>& rows) {
  const std::vector<Edge> extremes = {edge("a tie is shared", {1, 1}, 1, {0.5, 0.5}),
                                      edge("so is one of infinities", {infinity, infinity}, infinity, {0.5, 0.5}),
                                      edge("NaN wins on the left", {nan, 1}, nan), edge("NaN wins on the right", {1, nan}, nan)};
  rows.push_back(whole(binary("add", add, {any}, [](double a, double b) { return a + b; })));
  rows.push_back(whole(binary("subtract", subtract, {any}, [](double a, double b) { return a - b; }), std::nullopt));
  rows.push_back(whole(binary("multiply", multiply, {any}, [](double a, double b) { return a * b; },
                              {edge("0 · inf is NaN", {0, infinity}, nan, {infinity, 0})})));
  rows.push_back(binary("divide", divide, {any, positive}, [](double a, double b) { return a / b; },
                        {edge("1/0 is inf", {1, 0}, infinity, {infinity, -infinity}), edge("1/inf is 0", {1, infinity}, 0, {0, 0}),
                         edge("a negative divisor", {3, -2}, -1.5, {-0.5, -0.75})}));
  rows.push_back(whole(binary("power", power, {positive, {-0.4, 2.5}}, [](double a, double b) { return std::pow(a, b); },
                              {edge("0 to the 0", {0, 0}, 1, {0, 0}), edge("0 squared", {0, 2}, 0, {0, 0}), edge("0 to the 1", {0, 1}, 0, {1, 0}),
                               edge("1 to the 0", {1, 0}, 1, {0, 0}), edge("-2 to the 0", {-2, 0}, 1, {0, nan}),
                               edge("0 to a fraction", {0, 0.5}, 0, {infinity, 0}), edge("0 to the -1", {0, -1}, infinity, {-infinity, nan}),
                               edge("a negative base to a whole number", {-2, 3}, -8, {12, nan}),
                               edge("a negative base to a fraction", {-2, 0.5}, nan)})));
  rows.back().ulps = 4;
  Row row = binary("power", power, {positive, {-3, -0.6}}, [](double a, double b) { return std::pow(a, b); });
  row.name = "powerToANegative";
  row.of_int64 = std::nullopt;
  row.of_bool = DType::bool_;
  row.ulps = 4;
  rows.push_back(row);
  rows.push_back(whole(binary("maximum", maximum, {halves, quarters}, [](double a, double b) { return std::max(a, b); }, extremes)));
  rows.push_back(whole(binary("minimum", minimum, {halves, quarters}, [](double a, double b) { return std::min(a, b); }, extremes)));
  rows.push_back(binary("scale", detail::scale, {any}, [](double a, double b) { return a * b; },
                        {edge("0 absorbs inf", {0, infinity}, 0, {infinity, 0}), edge("0 absorbs NaN", {0, nan}, 0)}));

  const std::size_t first = rows.size();
  rows.push_back(binary("equal", equal, {halves}, [](double a, double b) { return double(a == b); }, {edge("NaN equals nothing", {nan, nan}, 0)}));
  rows.push_back(binary("not_equal", not_equal, {halves}, [](double a, double b) { return double(a != b); }, {edge("NaN differs from itself", {nan, nan}, 1)}));
  rows.push_back(binary("less", less, {halves}, [](double a, double b) { return double(a < b); }, {edge("NaN is not less", {nan, 1}, 0)}));
  rows.push_back(binary("less_equal", less_equal, {halves}, [](double a, double b) { return double(a <= b); }, {edge("nor equal", {nan, nan}, 0)}));
  rows.push_back(binary("greater", greater, {halves}, [](double a, double b) { return double(a > b); }, {edge("NaN is not greater", {nan, 1}, 0)}));
  rows.push_back(binary("greater_equal", greater_equal, {halves}, [](double a, double b) { return double(a >= b); }, {edge("nor equal", {nan, nan}, 0)}));
  for (std::size_t i = first; i < rows.size(); ++i) {
    rows[i].orders = 0;
    rows[i].differentiable = false;
    rows[i].of_int64 = rows[i].of_bool = DType::bool_;
  }
}

// Numbers beside tensors, and one tensor twice.
void add_ways(std::vector<Row>& rows) {
  rows.push_back(whole(way("addANumber", "add", [](Tensors x) { return 3 + x[0]; }, {any}, unary_shapes, each([](double x) { return 3 + x; })), DType::int64));
  rows.push_back(whole(way("subtractFromANumber", "subtract", [](Tensors x) { return 3 - x[0]; }, {any}, unary_shapes, each([](double x) { return 3 - x; })), DType::int64));
  rows.push_back(way("multiplyByAFraction", "multiply", [](Tensors x) { return x[0] * 0.375; }, {any}, unary_shapes, each([](double x) { return x * 0.375; })));
  rows.push_back(way("divideANumber", "divide", [](Tensors x) { return 3 / x[0]; }, {positive}, unary_shapes, each([](double x) { return 3 / x; })));
  rows.push_back(way("maximumWithANumber", "maximum", [](Tensors x) { return maximum(0.125, x[0]); }, {halves}, unary_shapes, each([](double x) { return std::max(x, 0.125); })));
  rows.push_back(way("powerOfANumber", "power", [](Tensors x) { return power(2.5, x[0]); }, {any}, unary_shapes, each([](double x) { return std::pow(2.5, x); })));
  const auto powers = [&](std::string name, auto exponent, Domain domain, std::optional<DType> of_int64) {
    rows.push_back(way(std::move(name), "power", [exponent](Tensors x) { return power(x[0], exponent); }, {std::move(domain)}, unary_shapes,
                       each([exponent](const std::vector<double>& x) { return std::pow(x[0], exponent); })));
    rows.back().of_int64 = rows.back().of_bool = of_int64;
  };
  powers("powerOfZero", 0.0, any, DType::float64);
  powers("powerOfOne", 1, any, DType::int64);
  powers("powerOfTwo", 2, any, DType::int64);
  powers("powerOfThree", 3, any, DType::int64);
  powers("powerOfFive", 5, any, DType::int64);
  powers("powerOfMinusOne", -1.0, positive, DType::float64);
  powers("powerOfAFraction", 1.7, positive, DType::float64);

  rows.push_back(whole(way("addItself", "add", [](Tensors x) { return x[0] + x[0]; }, {any}, unary_shapes, each([](double x) { return 2 * x; })), DType::bool_));
  rows.push_back(whole(way("subtractItself", "subtract", [](Tensors x) { return x[0] - x[0]; }, {any}, unary_shapes, each([](double) { return 0.0; })), std::nullopt));
  rows.push_back(whole(way("multiplyByItself", "multiply", [](Tensors x) { return x[0] * x[0] * x[0]; }, {any}, unary_shapes, each([](double x) { return x * x * x; }))));
  rows.push_back(way("divideByItself", "divide", [](Tensors x) { return x[0] / x[0]; }, {positive}, unary_shapes, each([](double x) { return x / x; })));
  rows.push_back(way("powerOfItself", "power", [](Tensors x) { return power(x[0], x[0]); }, {positive}, unary_shapes, each([](double x) { return std::pow(x, x); })));
  rows.back().of_int64 = DType::int64;
  rows.back().of_bool = DType::bool_;
  rows.push_back(whole(way("maximumWithItself", "maximum", [](Tensors x) { return maximum(x[0], x[0]); }, {any}, unary_shapes, each([](double x) { return x; }))));
}

void add_ternary(std::vector<Row>& rows) {
  rows.push_back(way("clip", "clip", [](Tensors x) { return clip(x[0], -0.5, 1.0); }, {{-2, 2, {-0.5, 1}}}, unary_shapes,
                     each([](double x) { return std::min(std::max(x, -0.5), 1.0); }),
                     {edge("a bound lets the cotangent through", {1}, 1, {1}), edge("so does the lower", {-0.5}, -0.5, {1}),
                      edge("beyond it does not", {1.5}, 1, {0}), edge("nor below", {-1.5}, -0.5, {0}), edge("NaN stays", {nan}, nan)}));
  rows.push_back(whole(way("clipBetweenTensors", "clip", [](Tensors x) { return clip(x[0], Tensor{-1, 0, 1}.to(x[0].dtype()), Tensor{{1}, {2}}.to(x[0].dtype())); },
                           {quarters}, {{{2, 3}}, {{3}}, {{}}, {{2, 1}}, {{4, 2, 3}}, {{0, 1, 3}}},
                           [](const std::vector<Plain>& x) {
                             return fill(broadcast_shapes("reference", x[0].shape, {2, 3}), [&](const Index& i) {
                               const double column = static_cast<double>(i.back()), row = static_cast<double>(i[i.size() - 2]);
                               return std::min(std::max(broadcast_at(x[0], i), column - 1), row + 1);
                             });
                           })));
  rows.back().elementwise = false;  // its bounds broadcast besides
  rows.back().of_bool = std::nullopt;
  rows.push_back(whole(way("where", "where", [](Tensors x) { return where(x[0] > 0, x[1], x[2]); }, {off_zero, any, any},
                           {{{3, 4}, {3, 4}, {3, 4}}, {{}, {}, {}}, {{3, 4}, {}, {}}, {{}, {3, 4}, {4}}, {{3, 1}, {4}, {}}, {{4}, {2, 3, 1}, {3, 4}},
                            {{1, 3}, {3}, {2, 1}}, {{2, 300}, {300}, {2, 1}}, {{0}, {1}, {}}, {{1}, {0, 2}, {2}}},
                           each([](const std::vector<double>& x) { return x[0] > 0 ? x[1] : x[2]; }),
                           {{"what is not taken may be NaN", {{{2}, {1, -1}}, {{2}, {2, nan}}, {{2}, {nan, 3}}}, {{2}, {2, 3}}, {{}, {1, 0}, {0, 1}}}})));
  rows.push_back(way("whereWithNumbers", "where", [](Tensors x) { return where(x[0] > 0, x[0], -0.5) * where(x[0] < 0, 2.5, x[0]); }, {off_zero}, unary_shapes,
                     each([](double x) { return x > 0 ? x * x : -1.25; })));
  // What a where masks out leaves no trace, though the derivative there is infinite or NaN.
  rows.push_back(way("maskedSqrt", "where", [](Tensors x) { return where(x[0] > 0, sqrt(x[0]), 0); }, {positive}, unary_shapes,
                     each([](double x) { return x > 0 ? std::sqrt(x) : 0; }), {edge("at 0", {0}, 0, {0}), edge("below", {-1}, 0, {0})}));
  rows.push_back(way("maskedEntropy", "where", [](Tensors x) { return where(x[0] > 0, x[0] * log(x[0]) / x[0], 0); }, {positive}, unary_shapes,
                     each([](double x) { return x > 0 ? std::log(x) : 0; }), {edge("at 0", {0}, 0, {0}), edge("of NaN", {nan}, 0, {0})}));
  rows.back().ulps = 8;
  rows.push_back(way("nothingTimesSqrt", "sqrt", [](Tensors x) { return 0 * sqrt(x[0]); }, {positive}, unary_shapes, each([](double) { return 0.0; }),
                     {edge("a cotangent of 0 stays 0 where sqrt is steep", {0}, 0, {0})}));
}

}  // namespace

std::vector<Row> elementwise_rows() {
  std::vector<Row> rows;
  add_unary(rows);
  add_far(rows);
  add_binary(rows);
  add_ways(rows);
  add_ternary(rows);
  rows.push_back({.name = "to",
                  .function = "to",
                  .apply = [](Tensors x) { return x[0].to(DType::float32).to(DType::float64); },
                  .domains = {any},
                  .shapes = unary_shapes,
                  .reference = each([](double x) { return x; }),
                  .elementwise = true,
                  .ulps = 0,
                  // Exact for a step of 1 but for float32's rounding, so no differences of second order.
                  .edges = {edge("0.1 is rounded", {0.1}, 0.1f, {1})}});
  rows.back().orders = 1;
  rows.back().differences = {.atol = 1e-5, .step = 1};
  return rows;
}

}  // namespace xgrad::catalogue
