#include <numbers>
#include <tests/catalogue/elementwise_row.hpp>

namespace xgrad::catalogue {
namespace {

/// ψ and its derivatives by central differences would be too coarse: Σ over many terms, and the tail as an integral.
double polygamma_sum(int n, double x) {
  long double sum = 0;
  constexpr int terms = 2000;
  for (int k = terms; k-- > 0;) sum += std::pow(static_cast<long double>(x) + k, -(n + 1));
  const long double far = static_cast<long double>(x) + terms;
  const long double tail = std::pow(far, -n) / n + std::pow(far, -(n + 1)) / 2 + (n + 1) * std::pow(far, -(n + 2)) / 12;
  return static_cast<double>((n % 2 ? 1 : -1) * std::tgamma(static_cast<long double>(n + 1)) * (sum + tail));
}
/// -γ + Σ (1/(k + 1) - 1/(x + k)).
double digamma_sum(double x) {
  long double sum = -0.57721566490153286060651209L;
  constexpr int terms = 2000;
  for (int k = terms; k-- > 0;) sum += 1.0L / (k + 1) - 1 / (static_cast<long double>(x) + k);
  const long double a = terms + 1.0L, b = static_cast<long double>(x) + terms;
  return static_cast<double>(sum + std::log(b / a) + 0.5L / a - 0.5L / b + 1 / (12 * a * a) - 1 / (12 * b * b));
}

}  // namespace

std::vector<Row> special_rows() {
  const Domain any, positive{0.2, 3}, inside{-0.9, 0.9}, off_zero{-2, 2, {0}}, whole{-2.9, 2.9, {-2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5}};
  constexpr double pi = std::numbers::pi;
  std::vector<Row> rows = {
      unary("tan", tan, {-1.2, 1.2}, [](double x) { return std::tan(x); }, 8),
      unary("arcsin", arcsin, inside, [](double x) { return std::asin(x); }, 4, {at("arcsin is steep at 1", everyone, {1}, pi / 2, {infinity}), at("arcsin of 2", everyone, {2}, nan)}),
      unary("arccos", arccos, inside, [](double x) { return std::acos(x); }, 4, {at("arccos is steep at -1", everyone, {-1}, pi, {-infinity})}),
      unary("arctan", arctan, any, [](double x) { return std::atan(x); }, 4, {at("arctan of inf", everyone, {infinity}, pi / 2, {0})}),
      unary("sinh", sinh, any, [](double x) { return std::sinh(x); }, 4),
      unary("cosh", cosh, any, [](double x) { return std::cosh(x); }, 4),
      unary("arcsinh", arcsinh, any, [](double x) { return std::asinh(x); }, 8),
      unary("arccosh", arccosh, {1.1, 4}, [](double x) { return std::acosh(x); }, 8, {at("arccosh is steep at 1", everyone, {1}, 0, {infinity}), at("arccosh of 0", everyone, {0}, nan)}),
      unary("arctanh", arctanh, inside, [](double x) { return std::atanh(x); }, 8, {at("arctanh of 1", everyone, {1}, infinity, {infinity})}),
      unary("exp2", exp2, any, [](double x) { return std::exp2(x); }),
      unary("log2", log2, positive, [](double x) { return std::log2(x); }, 8, {at("log2 of 8", everyone, {8}, 3)}),
      unary("log10", log10, positive, [](double x) { return std::log10(x); }, 8),
      unary("reciprocal", reciprocal, positive, [](double x) { return 1 / x; }),
      unary("cbrt", cbrt, off_zero, [](double x) { return std::cbrt(x); }, 4, {at("cbrt is steep at 0", jax, {0}, 0, {infinity})}),
      unary("rsqrt", rsqrt, positive, [](double x) { return 1 / std::sqrt(x); }, 4, {at("rsqrt at 0", everyone, {0}, infinity, {-infinity}), of_zero_cotangent("rsqrt leaves a zero cotangent zero", {0}, infinity)}),
      unary("erfc", erfc, any, [](double x) { return std::erfc(x); }, 4, {at("erfc keeps small numbers", everyone, {5}, std::erfc(5.0))}),
      unary("lgamma", lgamma, {0.3, 5, {1, 2}}, [](double x) { return std::lgamma(x); }, 8, {at("lgamma at 0", everyone, {0}, infinity)}),
      unary("lgammaBelowZero", lgamma, {-1.9, -1.1}, [](double x) { return std::lgamma(x); }, 16),
      unary("digamma", digamma, {0.3, 5, {1.4616}}, digamma_sum, 16, {at("digamma at 0", pytorch, {0}, -infinity), at("digamma at -1", everyone, {-1}, nan)}),
      unary("softplus", softplus, any, [](double x) { return std::log1p(std::exp(x)); }, 4,
            {at("softplus at 0", everyone, {0}, std::log(2.0), {0.5}), at("softplus of 1000", everyone, {1000}, 1000, {1}), at("softplus of -1000", everyone, {-1000}, 0, {0}),
             at("softplus of NaN", everyone, {nan}, nan)}),
      unary("sinc", sinc, {-0.8, 0.8}, [](double x) { return x == 0 ? 1 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x); }, 16,
            {and_second(at("sinc at 0", everyone, {0}, 1, {0}), -std::numbers::pi * std::numbers::pi / 3)}),
      unary("floor", floor, whole, [](double x) { return std::floor(x); }, 0),
      unary("ceil", ceil, whole, [](double x) { return std::ceil(x); }, 0),
      unary("round", round, whole, [](double x) { return std::nearbyint(x); }, 0, {at("half to even", everyone, {2.5}, 2), at("half to even below", everyone, {-1.5}, -2)}),
      unary("trunc", trunc, whole, [](double x) { return std::trunc(x); }, 0),
      unary("isnan", isnan, any, [](double x) { return double(std::isnan(x)); }, 0, {at("isnan", everyone, {nan}, 1), at("isnan of inf", everyone, {infinity}, 0)}),
      unary("isinf", isinf, any, [](double x) { return double(std::isinf(x)); }, 0, {at("isinf", everyone, {-infinity}, 1), at("isinf of NaN", everyone, {nan}, 0)}),
      unary("isfinite", isfinite, any, [](double x) { return double(std::isfinite(x)); }, 0, {at("isfinite of NaN", everyone, {nan}, 0), at("isfinite of inf", everyone, {infinity}, 0)}),
      unary("logical_not", logical_not, any, [](double x) { return double(x == 0); }, 0, {at("not 0", everyone, {0}, 1)}),
      binary("arctan2", arctan2, {off_zero, off_zero}, [](double a, double b) { return std::atan2(a, b); },
             {and_second(at("arctan2 at the origin is flat, its second derivatives NaN", ours, {0, 0}, 0, {0, 0}), nan), at("arctan2 of -0 and -1", everyone, {-0.0, -1}, -pi)}),
      binary("hypot", hypot, {off_zero, off_zero}, [](double a, double b) { return std::hypot(a, b); },
             {and_second(at("hypot at the origin is flat, its second derivatives NaN", ours, {0, 0}, 0, {0, 0}), nan), at("hypot of 3 and 4", everyone, {3, 4}, 5, {0.6, 0.8})}),
      binary("logaddexp", logaddexp, {{0.1, 3}}, [](double a, double b) { return std::max(a, b) + std::log1p(std::exp(-std::abs(a - b))); },
             {at("of two -inf", ours, {-infinity, -infinity}, -infinity, {0.5, 0.5}), at("of -inf and 1", everyone, {-infinity, 1}, 1, {0, 1}),
              at("of huge values", everyone, {1000, 1000}, 1000 + std::log(2.0), {0.5, 0.5})}),
      binary("xlogy", xlogy, {any, positive}, [](double a, double b) { return a == 0 ? 0 : a * std::log(b); },
             {at("0 ln 0", ours, {0, 0}, 0, {0, 0}), at("0 ln 2", everyone, {0, 2}, 0, {std::log(2.0), 0}), at("0 ln NaN", everyone, {0, nan}, nan)}),
      binary("fmod", fmod, {{4.1, 4.9}, {1.1, 1.3}}, [](double a, double b) { return std::fmod(a, b); },
             {at("has a's sign", everyone, {-5, 3}, -2, {1, 1}), at("by 0 is NaN", everyone, {1, 0}, nan)}),
      binary("remainder", remainder, {{-4.9, -4.1}, {1.1, 1.3}}, [](double a, double b) { return a - std::floor(a / b) * b; },
             {at("has b's sign", everyone, {-5, 3}, 1, {1, 2}), at("of a negative b", everyone, {5, -3}, -1)}),
      binary("copysign", copysign, {off_zero, off_zero}, [](double a, double b) { return std::copysign(a, b); },
             {at("of -0", everyone, {2, -0.0}, -2, {-1}), at("flat at 0", pytorch, {0, 1}, 0, {0})}),
      binary("logical_and", logical_and, {any}, [](double a, double b) { return double(a != 0 && b != 0); }, {at("true and false", everyone, {1, 0}, 0)}, 0),
      binary("logical_or", logical_or, {any}, [](double a, double b) { return double(a != 0 || b != 0); }, {at("true or false", everyone, {1, 0}, 1), at("neither", everyone, {0, 0}, 0)}, 0),
      binary("logical_xor", logical_xor, {any}, [](double a, double b) { return double((a != 0) != (b != 0)); }, {at("one of them", everyone, {1, 0}, 1)}, 0),
  };
  for (Row& row : rows)
    if (row.name == "floor" || row.name == "ceil" || row.name == "round" || row.name == "trunc" || row.name.starts_with("is") || row.name == "logical_not") row.orders = 0;
  for (Row& row : rows)
    if (row.name == "lgammaBelowZero") row.function = "lgamma";
  for (Row& row : rows)  // whose derivatives with respect to the second are 0, or have jumps between draws
    if (row.name == "fmod" || row.name == "remainder") row.ulps = 16;
  const auto add = [&](std::string name, std::string function, TensorFunction apply, std::vector<Domain> domains, std::vector<std::vector<Shape>> shapes,
                       const Scalar& reference, double ulps) {
    rows.push_back({.name = std::move(name), .function = std::move(function), .apply = std::move(apply), .domains = std::move(domains),
                    .shapes = std::move(shapes), .reference = each(reference), .elementwise = true, .ulps = ulps});
  };
  for (const int n : {1, 2})
    add("polygammaOf" + std::to_string(n), "polygamma", [n](const std::vector<Tensor>& x) { return polygamma(n, x[0]); }, {positive}, unary_shapes,
        [n](const std::vector<double>& x) { return polygamma_sum(n, x[0]); }, 16);
  add("lerp", "lerp", [](const std::vector<Tensor>& x) { return lerp(x[0], x[1], x[2]); }, {any}, {{{3, 4}, {3, 4}, {3, 4}}, {{}, {}, {}}, {{3, 1}, {4}, {}}, {{0}, {1}, {}}},
      [](const std::vector<double>& x) { return x[0] + x[2] * (x[1] - x[0]); }, 4);
  rows.back().elementwise = false;
  add("nanToNum", "nan_to_num", [](const std::vector<Tensor>& x) { return nan_to_num(x[0], 7, 8, 9); }, {any}, unary_shapes,
      [](const std::vector<double>& x) { return x[0]; }, 0);
  rows.back().edges = {at("NaN", everyone, {nan}, 7, {0}), at("inf", everyone, {infinity}, 8, {0}), at("-inf", everyone, {-infinity}, 9, {0})};
  return rows;
}

}  // namespace xgrad::catalogue
