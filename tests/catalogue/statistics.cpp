#include <cmath>
#include <limits>
#include <tests/catalogue/fold.hpp>

namespace xgrad::catalogue {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

double variance(const std::vector<double>& x, double ddof) {
  long double mean = 0, sum = 0;
  for (const double v : x) mean += v;
  mean /= static_cast<long double>(x.size());
  for (const double v : x) sum += (v - mean) * (v - mean);
  return static_cast<double>(sum / (static_cast<long double>(x.size()) - ddof));
}
double product(const std::vector<double>& x) {
  long double result = 1;
  for (const double v : x) result *= v;
  return static_cast<double>(result);
}
double p_norm(const std::vector<double>& x, double p) {
  long double sum = 0;
  for (const double v : x) sum += std::pow(std::abs(static_cast<long double>(v)), p);
  return static_cast<double>(std::pow(sum, 1 / static_cast<long double>(p)));
}
double middle(std::vector<double> x) {
  std::sort(x.begin(), x.end());
  return x.size() % 2 ? x[x.size() / 2] : (x[x.size() / 2 - 1] + x[x.size() / 2]) / 2;
}

/// Along the middle axis of three, element by element of what `f` makes of the values so far.
Plain running(const Plain& x, const Fold& f) {
  Plain result = x;
  const std::int64_t n = x.shape[1], inner = x.shape[2];
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(x.values.size()); ++i) {
    std::vector<double> so_far;
    const std::int64_t start = i / (n * inner) * n * inner + i % inner;
    for (std::int64_t at = start; at <= i; at += inner) so_far.push_back(x.values[static_cast<std::size_t>(at)]);
    result.values[static_cast<std::size_t>(i)] = f(so_far);
  }
  return result;
}

Row scan(std::string name, FunctionOf<std::int64_t> f, const Fold& fold, double ulps, std::vector<Edge> edges) {
  return {.name = name,
          .function = name,
          .apply = [f](const std::vector<Tensor>& x) { return f(x[0], x[0].dim() == 3 ? 1 : 0); },
          .domains = {{}},
          .shapes = {{{2, 5, 3}}, {{1, 1, 1}}, {{2, 20, 7}}, {{2, 0, 3}}},
          .reference = [fold](const std::vector<Plain>& x) { return running(x[0], fold); },
          .ulps = ulps,
          .edges = std::move(edges)};
}

Plain vector(std::vector<double> x) { return {{static_cast<std::int64_t>(x.size())}, std::move(x)}; }
Plain number(double x) { return {{}, {x}}; }

}  // namespace

std::vector<Row> statistics_rows() {
  std::vector<Row> rows;
  add_ways(rows, "prod", prod, product, true, 16,
           {{"with one zero", everyone, {vector({2, 0, 3})}, number(0), {{0, 6, 0}}, {}, {3, 5, 2}}, {"with two zeros", everyone, {vector({0, 0, 3})}, number(0), {{0, 0, 0}}, {}, {3, 3, 0}},
            {"of nothing is 1", everyone, {{{0}, {}}}, number(1)}});
  add_ways(rows, "var", [](const Tensor& x, const Axes& axes, bool keepdims) { return var(x, axes, 0, keepdims); },
           [](const std::vector<double>& x) { return variance(x, 0); }, true, 16, {{"of equal elements", everyone, {vector({2, 2})}, number(0), {{0, 0}}}, {"of nothing", everyone, {{{0}, {}}}, number(nan)}});
  add_ways(rows, "any", any, [](const std::vector<double>& x) { return double(std::any_of(x.begin(), x.end(), [](double v) { return v != 0; })); }, true, 0,
           {{"of zeros", everyone, {vector({0, 0})}, number(0)}, {"of one", everyone, {vector({0, 1})}, number(1)}});
  add_ways(rows, "all", all, [](const std::vector<double>& x) { return double(std::all_of(x.begin(), x.end(), [](double v) { return v != 0; })); }, true, 0,
           {{"with a zero", everyone, {vector({1, 0})}, number(0)}});
  add_ways(rows, "median", median, middle, false, 2,
           {{"of an odd number", everyone, {vector({3, 1, 2})}, number(2), {{0, 0, 1}}}, {"of an even number", numpy, {vector({4, 1, 3, 2})}, number(2.5), {{0, 0, 0.5, 0.5}}},
            {"NaN wins", everyone, {vector({1, nan, 2})}, number(nan)}, {"the first of ties", jax, {vector({2, 1, 2})}, number(2), {{1, 0, 0}}}});
  for (Row& row : rows) {
    if (row.function == "any" || row.function == "all") row.orders = 0;
    if (row.function == "prod") row.domains = {{0.5, 1.5}};
    if (row.function == "var") std::erase_if(row.shapes, [](const auto& shapes) { return size_of(shapes[0]) == 0; });
  }
  const auto add = [&](std::string name, std::string function, TensorFunction f, const Fold& fold_of, std::vector<std::int64_t> axes, bool keepdims, std::vector<Edge> edges = {}) {
    rows.push_back({.name = std::move(name), .function = std::move(function), .apply = std::move(f), .domains = {{-2, 2, {0}}},
                    .shapes = {{{2, 3, 4}}, {{5, 2, 7}}, {axes[0] == 0 ? Shape{2, 0, 4} : Shape{0, 3, 4}}}, .reference = [=](const std::vector<Plain>& x) { return fold(x[0], axes, keepdims, fold_of); },
                    .ulps = 16, .edges = std::move(edges)});
  };
  add("varOfASample", "var", [](const std::vector<Tensor>& x) { return var(x[0], 1, 1, true); }, [](const std::vector<double>& x) { return variance(x, 1); }, {1}, true);
  add("stddev", "stddev", [](const std::vector<Tensor>& x) { return x[0].dim() == 3 ? stddev(x[0], {0, 2}) : stddev(x[0]); },
      [](const std::vector<double>& x) { return std::sqrt(variance(x, 0)); }, {0, 2}, false, {{"of equal elements is flat", pytorch, {vector({2, 2, 2})}, number(0), {{0, 0, 0}}},
                                                                                                      {"its second derivatives there are NaN", ours, {vector({2, 2, 2})}, number(0), {{0, 0, 0}}, {}, {nan, nan, nan}}});
  add("norm", "norm", [](const std::vector<Tensor>& x) { return x[0].dim() == 3 ? norm(x[0], 2, {1, 2}) : norm(x[0]); },
      [](const std::vector<double>& x) { return p_norm(x, 2); }, {1, 2}, false, {{"at 0 is flat", pytorch, {vector({0, 0})}, number(0), {{0, 0}}},
                                                                              {"its second derivatives at 0 are NaN", ours, {vector({0, 0})}, number(0), {{0, 0}}, {}, {nan, nan}}, {"3 and 4", everyone, {vector({3, 4})}, number(5), {{0.6, 0.8}}},
                                                                              {"of huge numbers, whose squares overflow", ours, {vector({3e30, 4e30})}, number(5e30), {{0.6, 0.8}}},
                                                                              {"of tiny numbers, whose squares vanish", ours, {vector({3e-30, 4e-30})}, number(5e-30), {{0.6, 0.8}}}});
  const auto of_a_scalar = [&](std::string function, TensorFunction f, double (*value)(double)) {
    rows.push_back({.name = function + "OfAScalar", .function = function, .apply = std::move(f), .domains = {{-2, 2, {0}}}, .shapes = {{{}}},
                    .reference = [=](const std::vector<Plain>& x) { return number(value(x[0].values[0])); }});
  };
  of_a_scalar("norm", [](const std::vector<Tensor>& x) { return norm(x[0]); }, std::abs);
  of_a_scalar("stddev", [](const std::vector<Tensor>& x) { return stddev(x[0]); }, [](double) { return 0.0; });
  add("normOfOrderOne", "norm", [](const std::vector<Tensor>& x) { return norm(x[0], 1, -1, true); }, [](const std::vector<double>& x) { return p_norm(x, 1); }, {2}, true,
      {{"of order 1 at 0 is flat", pytorch, {vector({0, -2})}, vector({2}), {{0, -1}}}});
  add("normOfAFraction", "norm", [](const std::vector<Tensor>& x) { return x[0].dim() == 3 ? norm(x[0], 1.5, 1) : norm(x[0], 0.5); },
      [](const std::vector<double>& x) { return p_norm(x, 1.5); }, {1}, false,
      {{"of a fractional order is flat in what is 0, steep beside it", pytorch, {vector({0, 4})}, number(4), {{0, 1}}, {}, {-infinity, 0}}});
  add("normOfOrderThree", "norm", [](const std::vector<Tensor>& x) { return x[0].dim() == 3 ? norm(x[0], 3, 1) : norm(x[0], 3); }, [](const std::vector<double>& x) { return p_norm(x, 3); }, {1}, false,
      {{"at 0 is flat", pytorch, {vector({0, 0})}, number(0), {{0, 0}}}});
  add("normOfOrderInfinity", "norm", [](const std::vector<Tensor>& x) { return norm(x[0], infinity, 1); },
      [](const std::vector<double>& x) { double m = 0; for (const double v : x) m = std::max(m, std::abs(v)); return m; }, {1}, false,
      {{"of order inf is shared by ties", everyone, {{{1, 3}, {3, 1, -3}}}, vector({3}), {{0.5, 0, -0.5}}}});
  add("normOfOrderMinusInfinity", "norm", [](const std::vector<Tensor>& x) { return norm(x[0], -infinity, 1); },
      [](const std::vector<double>& x) { double m = infinity; for (const double v : x) m = std::min(m, std::abs(v)); return m; }, {1}, false);
  rows.push_back(scan("cumsum", cumsum, [](const std::vector<double>& x) { long double s = 0; for (const double v : x) s += v; return static_cast<double>(s); }, 16, {}));
  rows.push_back(scan("cumprod", cumprod, product, 16,
                      {{"with one zero", everyone, {vector({2, 0, 3})}, vector({2, 0, 0}), {{1, 2 + 6, 0}}, {}, {4, 6, 2}}, {"with two zeros", everyone, {vector({0, 0, 3})}, vector({0, 0, 0}), {{1, 0, 0}}}}));
  rows.push_back(scan("logcumsumexp", logcumsumexp, [](const std::vector<double>& x) { long double s = 0; for (const double v : x) s += std::exp(static_cast<long double>(v)); return static_cast<double>(std::log(s)); }, 16,
                      {{"passes over -inf", ours, {vector({-infinity, 0})}, vector({-infinity, 0}), {{0, 1}}, {0, 1}},
                       {"does not overflow", everyone, {vector({1000, 1000})}, vector({1000, 1000 + std::log(2.0)}), {{1.5, 0.5}}}}));
  const Fold first_least = [](const std::vector<double>& v) { return static_cast<double>(std::min_element(v.begin(), v.end()) - v.begin()); };
  const Fold first_largest = [](const std::vector<double>& v) { return static_cast<double>(std::max_element(v.begin(), v.end()) - v.begin()); };
  const auto index = [&](std::string name, std::string function, TensorFunction f, const Fold& fold_of, std::vector<std::int64_t> axes, Shape last) {
    rows.push_back({.name = std::move(name), .function = std::move(function), .apply = std::move(f), .domains = {{}},
                    .shapes = {{{2, 3, 4}}, {{5, 1, 7}}, {{3, 20, 33}}, {last}},
                    .reference = [=](const std::vector<Plain>& x) { return fold(x[0], axes, axes.size() == 1, fold_of); }, .orders = 0});
  };
  index("argmin", "argmin", [](const std::vector<Tensor>& x) { return argmin(x[0], 1, true); }, first_least, {1}, {0, 3, 2});
  index("argminOfAll", "argmin", [](const std::vector<Tensor>& x) { return argmin(x[0]); }, first_least, {0, 1, 2}, {});
  index("argmaxOfAll", "argmax", [](const std::vector<Tensor>& x) { return argmax(x[0]); }, first_largest, {0, 1, 2}, {});
  return rows;
}

}  // namespace xgrad::catalogue
