#include <cmath>
#include <limits>
#include <tests/catalogue/elementwise_row.hpp>

namespace xgrad::catalogue {

std::vector<Row> elementwise_rows() {
  const Domain any, positive{0.2, 3}, disjoint_low{-2, -0.3}, disjoint_high{0.3, 2}, off_zero{-2, 2, {0}};
  std::vector<Row> rows = {
      unary("negative", negative, any, [](double x) { return -x; }, 0),
      unary("exp", exp, any, [](double x) { return std::exp(x); }, 4,
            {at("exp(-inf) is 0", everyone, {-infinity}, 0, {0}), at("exp(inf) is inf", everyone, {infinity}, infinity)}),
      unary("log", log, positive, [](double x) { return std::log(x); }, 4,
            {at("log 0 is -inf", everyone, {0}, -infinity, {infinity}), at("log of a negative is NaN", everyone, {-1}, nan),
             of_zero_cotangent("log leaves a zero cotangent zero", {0}, -infinity)}),
      unary("log1p", log1p, {-0.8, 3}, [](double x) { return std::log1p(x); }, 4,
            {at("log1p keeps small numbers", everyone, {1e-20}, 1e-20, {1})}),
      unary("expm1", expm1, any, [](double x) { return std::expm1(x); }, 4, {at("expm1 keeps small numbers", everyone, {1e-20}, 1e-20, {1})}),
      unary("sqrt", sqrt, positive, [](double x) { return std::sqrt(x); }, 1, 
            {at("sqrt at 0 is steep", everyone, {0}, 0, {infinity}), of_zero_cotangent("sqrt leaves a zero cotangent zero", {0}, 0)}),
      unary("square", square, any, [](double x) { return x * x; }, 1),
      unary("abs", abs, off_zero, [](double x) { return std::abs(x); }, 0, {and_second(at("abs is flat at 0 (its second derivative there is NaN: ours)", pytorch, {0}, 0, {0}), nan)}),
      unary("sign", sign, off_zero, [](double x) { return static_cast<double>((x > 0) - (x < 0)); }, 0, {at("sign of 0", everyone, {0}, 0, {0})}),
      unary("sin", sin, any, [](double x) { return std::sin(x); }, 4),
      unary("cos", cos, any, [](double x) { return std::cos(x); }, 4),
      unary("tanh", tanh, any, [](double x) { return std::tanh(x); }, 4,
            {at("tanh saturates", everyone, {100}, 1, {0}), at("tanh of inf", everyone, {infinity}, 1, {0})}),
      unary("sigmoid", sigmoid, any, [](double x) { return 1 / (1 + std::exp(-x)); }, 4,
            {at("sigmoid saturates below", everyone, {-1000}, 0, {0}), at("sigmoid saturates above", everyone, {1000}, 1, {0})}),
      unary("erf", erf, any, [](double x) { return std::erf(x); }, 4),
      unary("relu", relu, off_zero, [](double x) { return std::max(x, 0.0); }, 0,
            {and_second(at("relu is flat at 0", everyone, {0}, 0, {0}), 0), at("relu lets NaN through", everyone, {nan}, nan)}),
      binary("add", add, {any}, [](double a, double b) { return a + b; }),
      binary("subtract", subtract, {any}, [](double a, double b) { return a - b; }),
      binary("multiply", multiply, {any}, [](double a, double b) { return a * b; }),
      binary("divide", divide, {any, positive}, [](double a, double b) { return a / b; }, 
             {at("1/0 is inf", everyone, {1, 0}, infinity), of_zero_cotangent("division by 0 leaves a zero cotangent zero", {1, 0}, infinity)}),
      binary("power", power, {positive, any}, [](double a, double b) { return std::pow(a, b); },
             {at("0 to the 0", everyone, {0, 0}, 1, {0, 0}), and_second(at("0 squared", everyone, {0, 2}, 0, {0, 0}), 2), at("0 to the 1", everyone, {0, 1}, 0, {1, 0}),
              at("a negative base to the 0", everyone, {-2, 0}, 1, {0, nan}),
              at("0 to a fraction is steep", everyone, {0, 0.5}, 0, {infinity, 0}),
              at("a negative base to a whole number", everyone, {-2, 3}, -8, {12, nan}), at("a negative base to a fraction", everyone, {-2, 0.5}, nan)}),
      binary("maximum", maximum, {disjoint_low, disjoint_high}, [](double a, double b) { return std::max(a, b); },
             {at("a tie is shared", everyone, {1, 1}, 1, {0.5, 0.5}), at("NaN wins on the left", everyone, {nan, 1}, nan), at("NaN wins on the right", everyone, {1, nan}, nan)}),
      binary("minimum", minimum, {disjoint_low, disjoint_high}, [](double a, double b) { return std::min(a, b); },
             {at("a tie is shared", everyone, {1, 1}, 1, {0.5, 0.5}), at("NaN wins on the left", everyone, {nan, 1}, nan), at("NaN wins on the right", everyone, {1, nan}, nan)}),
      binary("equal", equal, {{0, 1}}, [](double a, double b) { return double(a == b); }, {at("NaN equals nothing", everyone, {nan, nan}, 0)}, 0),
      binary("not_equal", not_equal, {any}, [](double a, double b) { return double(a != b); }, {at("NaN differs from itself", everyone, {nan, nan}, 1)}, 0),
      binary("less", less, {any}, [](double a, double b) { return double(a < b); }, {at("not less than itself", everyone, {1, 1}, 0)}, 0),
      binary("less_equal", less_equal, {any}, [](double a, double b) { return double(a <= b); }, {at("less or equal to itself", everyone, {1, 1}, 1)}, 0),
      binary("greater", greater, {any}, [](double a, double b) { return double(a > b); }, {at("not greater than itself", everyone, {1, 1}, 0)}, 0),
      binary("greater_equal", greater_equal, {any}, [](double a, double b) { return double(a >= b); }, {at("greater or equal to itself", everyone, {1, 1}, 1)}, 0),
  };
  rows.push_back({.name = "clip",
                  .function = "clip",
                  .apply = [](const std::vector<Tensor>& x) { return clip(x[0], -0.5, 1.0); },
                  .domains = {{-2, 2, {-0.5, 1}}},
                  .shapes = unary_shapes,
                  .reference = each([](const std::vector<double>& x) { return std::min(std::max(x[0], -0.5), 1.0); }),
                  .elementwise = true,
                  .ulps = 0,
                  .edges = {at("a bound lets the cotangent through", pytorch, {1}, 1, {1}), at("so does the lower", pytorch, {-0.5}, -0.5, {1}),
                            at("beyond it does not", everyone, {1.5}, 1, {0}), at("NaN stays", everyone, {nan}, nan),
                            {"the upper of bounds that cross", everyone, {{{}, {0}}}, {{}, {-2}}, {{0}}, {}, {}, [](const std::vector<Tensor>& x) { return clip(x[0], 2, -2); }}}});
  rows.push_back({.name = "where",
                  .function = "where",
                  .apply = [](const std::vector<Tensor>& x) { return where(x[0] > 0, x[1], x[2]); },
                  .domains = {{-2, 2, {0}}, any, any},
                  .shapes = {{{3, 4}, {3, 4}, {3, 4}}, {{}, {}, {}}, {{3, 1}, {4}, {}}, {{2, 300}, {300}, {2, 1}}, {{0}, {1}, {}}},
                  .reference = each([](const std::vector<double>& x) { return x[0] > 0 ? x[1] : x[2]; }),
                  .elementwise = true,
                  .ulps = 0,
                  .edges = {{"what is not taken may be NaN", everyone, {{{2}, {1, -1}}, {{2}, {2, nan}}, {{2}, {nan, 3}}}, {{2}, {2, 3}}, {{}, {1, 0}, {0, 1}}}}});
  const auto powers = [&](std::string name, double exponent, Domain domain) {
    rows.push_back({.name = std::move(name),
                    .function = "power",
                    .apply = [exponent](const std::vector<Tensor>& x) { return power(x[0], exponent); },
                    .domains = {std::move(domain)},
                    .shapes = unary_shapes,
                    .reference = each([exponent](const std::vector<double>& x) { return std::pow(x[0], exponent); }),
                    .elementwise = true});
  };
  const auto beside = [&](const char* name, Edge edge) {
    for (Row& row : rows)
      if (row.name == name) row.edges.push_back(std::move(edge));
  };
  beside("multiply", {"x by itself", everyone, {{{2}, {3, -4}}}, {{2}, {9, 16}}, {{6, -8}}, {}, {2, 2}, [](const std::vector<Tensor>& x) { return x[0] * x[0]; }});
  beside("subtract", {"x from itself", everyone, {{{2}, {3, -4}}}, {{2}, {0, 0}}, {{0, 0}}, {}, {0, 0}, [](const std::vector<Tensor>& x) { return x[0] - x[0]; }});
  beside("maximum", {"of x and x", everyone, {{{2}, {3, -4}}}, {{2}, {3, -4}}, {{1, 1}}, {}, {}, [](const std::vector<Tensor>& x) { return maximum(x[0], x[0]); }});
  powers("powerOfOne", 1, any);
  powers("powerOfTwo", 2, any);
  powers("powerOfThree", 3, any);
  powers("powerOfMinusOne", -1, positive);
  powers("powerOfAFraction", 1.75, positive);
  // What a where masks out leaves no trace, though the derivative there is infinite or NaN.
  rows.push_back({.name = "maskedSqrt",
                  .function = "where",
                  .apply = [](const std::vector<Tensor>& x) { return where(x[0] > 0, sqrt(x[0]), 0); },
                  .domains = {positive},
                  .shapes = unary_shapes,
                  .reference = each([](const std::vector<double>& x) { return x[0] > 0 ? std::sqrt(x[0]) : 0; }),
                  .elementwise = true,
                  .edges = {and_second(at("a masked sqrt at 0", ours, {0}, 0, {0}), 0), at("a masked sqrt below 0", ours, {-1}, 0, {0})}});
  rows.push_back({.name = "maskedEntropy",
                  .function = "where",
                  .apply = [](const std::vector<Tensor>& x) { return where(x[0] > 0, x[0] * log(x[0]) / x[0], 0); },
                  .domains = {positive},
                  .shapes = unary_shapes,
                  .reference = each([](const std::vector<double>& x) { return x[0] > 0 ? std::log(x[0]) : 0; }),
                  .elementwise = true,
                  .ulps = 8,
                  .edges = {at("a masked ln 0", ours, {0}, 0, {0}), at("a masked logarithm of NaN", ours, {nan}, 0, {0})}});
  return rows;
}

}  // namespace xgrad::catalogue
