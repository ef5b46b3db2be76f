#include <algorithm>
#include <cmath>
#include <limits>
#include <tests/catalogue/fold.hpp>

namespace xgrad::catalogue {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

double total(const std::vector<double>& x) {
  long double sum = 0;
  for (const double value : x) sum += value;
  return static_cast<double>(sum);
}
double largest(const std::vector<double>& x) { return *std::max_element(x.begin(), x.end()); }
double smallest(const std::vector<double>& x) { return *std::min_element(x.begin(), x.end()); }
double log_sum_exp(const std::vector<double>& x) {
  if (x.empty()) return -infinity;
  const double top = largest(x);
  std::vector<double> terms;
  for (const double value : x) terms.push_back(std::exp(value - top));
  return top + std::log(total(terms));
}

Row along(std::string name, std::string function, FunctionOf<std::int64_t> f, std::int64_t axis, bool logarithm) {
  return {.name = std::move(name),
          .function = std::move(function),
          .apply = [=](const std::vector<Tensor>& x) { return f(x[0], axis); },
          .domains = {{}},
          .shapes = {{{2, 3, 4}}, {{1, 1, 1}}, {{3, 20, 33}}, {{2, 3, 0}}},
          .reference =
              [=](const std::vector<Plain>& x) {
                const std::int64_t at = axis < 0 ? axis + 3 : axis;
                const Plain sums = fold(x[0], {at}, true, log_sum_exp);
                Plain result = x[0];
                std::int64_t inner = 1;
                for (std::size_t i = static_cast<std::size_t>(at) + 1; i < 3; ++i) inner *= x[0].shape[i];
                const std::int64_t extent = x[0].shape[static_cast<std::size_t>(at)];
                for (std::size_t i = 0; i < result.values.size(); ++i) {
                  const auto flat = static_cast<std::int64_t>(i);
                  const double s = sums.values[static_cast<std::size_t>(flat / (inner * extent) * inner + flat % inner)];
                  result.values[i] = logarithm ? x[0].values[i] - s : std::exp(x[0].values[i] - s);
                }
                return result;
              },
          .ulps = 8};
}

}  // namespace

std::vector<Row> reduction_rows() {
  std::vector<Row> rows;
  add_ways(rows, "sum", sum, total, true, 32, {{"of nothing is 0", everyone, {{{0}, {}}}, {{}, {0}}}});
  add_ways(rows, "mean", mean, [](const std::vector<double>& x) { return total(x) / static_cast<double>(x.size()); }, true, 4,
           {{"of nothing is NaN", everyone, {{{0}, {}}}, {{}, {nan}}},
            {"is infinite where the sum is", everyone, {{{2}, {1.5e308, 1.5e308}}}, {{}, {infinity}}, {{0.5, 0.5}}}});
  add_ways(rows, "max", max, largest, false, 0,
           {{"ties share the cotangent", everyone, {{{3}, {1, 2, 2}}}, {{}, {2}}, {{0, 0.5, 0.5}}}, {"NaN wins, and all slopes are", ours, {{{3}, {1, nan, 2}}}, {{}, {nan}}},
            {"all -inf tie", everyone, {{{2}, {-infinity, -infinity}}}, {{}, {-infinity}}, {{0.5, 0.5}}}});
  add_ways(rows, "min", min, smallest, false, 0,
           {{"ties share the cotangent", everyone, {{{3}, {1, 1, 2}}}, {{}, {1}}, {{0.5, 0.5, 0}}}, {"NaN wins", everyone, {{{3}, {1, nan, 2}}}, {{}, {nan}}}});
  add_ways(rows, "logsumexp", logsumexp, log_sum_exp, true, 8,
           {{"of all -inf is -inf, and flat", ours, {{{2}, {-infinity, -infinity}}}, {{}, {-infinity}}, {{0, 0}}},
            {"passes over -inf", everyone, {{{2}, {-infinity, 3}}}, {{}, {3}}, {{0, 1}}, {}, {0, 0}},
            {"with inf has the gradient of softmax", ours, {{{2}, {1, infinity}}}, {{}, {infinity}}, {{0, 1}}},
            {"of one inf is as steep as of any one", ours, {{{1}, {infinity}}}, {{}, {infinity}}, {{1}}, {}, {0}},
            {"does not overflow", everyone, {{{2}, {1000, 1000}}}, {{}, {1000 + std::log(2.0)}}, {{0.5, 0.5}}}});
  rows.push_back(along("softmaxLast", "softmax", softmax, -1, false));
  rows.back().edges = {{"does not overflow", everyone, {{{2}, {1e30, 0}}}, {{2}, {1, 0}}, {{0, 0}}},
                       {"passes over -inf", everyone, {{{3}, {-infinity, 3, 3}}}, {{3}, {0, 0.5, 0.5}}, {{0, 0.25, -0.25}}, {0, 1, 0}},
                       {"inf takes all", ours, {{{2}, {1, infinity}}}, {{2}, {0, 1}}, {{0, 0}}, {1, 2}},
                       {"several inf share", ours, {{{3}, {infinity, 0, infinity}}}, {{3}, {0.5, 0, 0.5}}, {{-0.5, 0, 0.5}}, {1, 0, 3}},
                       {"of all -inf is NaN", everyone, {{{2}, {-infinity, -infinity}}}, {{2}, {nan, nan}}},
                       {"of all -inf leaves a zero cotangent zero", ours, {{{2, 2}, {-infinity, -infinity, 0, 0}}}, {{2, 2}, {nan, nan, 0.5, 0.5}}, {{0, 0, 0.25, -0.25}}, {0, 0, 1, 0}}};
  rows.push_back(along("softmaxMiddle", "softmax", softmax, 1, false));
  rows.push_back(along("softmaxFirst", "softmax", softmax, 0, false));
  rows.push_back(along("logSoftmaxLast", "log_softmax", log_softmax, -1, true));
  rows.back().edges = {{"passes over -inf", everyone, {{{3}, {-infinity, 3, 3}}}, {{3}, {-infinity, -std::log(2.0), -std::log(2.0)}}, {{0, 0.5, -0.5}}, {0, 1, 0}},
                       {"inf takes all", ours, {{{2}, {1, infinity}}}, {{2}, {-infinity, 0}}, {{1, -1}}, {1, 0}},
                       {"of all -inf leaves a zero cotangent zero", ours, {{{2}, {-infinity, -infinity}}}, {{2}, {nan, nan}}, {{0, 0}}, {0, 0}}};
  rows.push_back(along("logSoftmaxFirst", "log_softmax", log_softmax, 0, true));
  rows.back().edges = {{"does not overflow", everyone, {{{2}, {1000, 0}}}, {{2}, {0, -1000}}}};
  rows.push_back({.name = "softmaxOfHugeLogits",
                  .function = "softmax",
                  .apply = [](const std::vector<Tensor>& x) { return softmax(1e4 * x[0]); },
                  .domains = {{0, 1e-4}},
                  .shapes = {{{4}}},
                  .reference =
                      [](const std::vector<Plain>& x) {
                        Plain result = x[0];
                        std::vector<double> scaled;
                        for (const double value : x[0].values) scaled.push_back(1e4 * value);
                        for (std::size_t i = 0; i < scaled.size(); ++i) result.values[i] = std::exp(scaled[i] - log_sum_exp(scaled));
                        return result;
                      },
                  .orders = 0,
                  .ulps = 64});
  rows.push_back({.name = "argmax",
                  .function = "argmax",
                  .apply = [](const std::vector<Tensor>& x) { return argmax(x[0], 1); },
                  .domains = {{}},
                  .shapes = {{{2, 3, 4}}, {{5, 1, 7}}, {{3, 20, 33}}, {{0, 3, 2}}},
                  .reference =
                      [](const std::vector<Plain>& x) {
                        return fold(x[0], {1}, false, [](const std::vector<double>& values) {
                          return static_cast<double>(std::max_element(values.begin(), values.end()) - values.begin());
                        });
                      },
                  .orders = 0,
                  .edges = {{"the first of several", numpy, {{{1, 4}, {1, 2, 2, 1}}}, {{1}, {1}}}, {"NaN wins", numpy, {{{1, 3}, {1, nan, 2}}}, {{1}, {1}}}}});
  return rows;
}

}  // namespace xgrad::catalogue
