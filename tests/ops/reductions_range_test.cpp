// What reductions make of infinities, NaN and the ends of the range among their elements: values and first derivatives, of each reduction
// of the catalogue, against wider arithmetic.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <cmath>
#include <functional>
#include <iomanip>
#include <limits>
#include <map>
#include <numeric>
#include <sstream>
#include <tests/catalogue/catalogue.hpp>
#include <tests/support/values.hpp>
#include <utility>
#include <vector>

using namespace xgrad;
using test::values;

namespace {

using Wide = long double;
using Line = std::vector<Wide>;
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr Wide nan = std::numeric_limits<Wide>::quiet_NaN();

/// What a function makes of a line, and the derivative of that: with respect to each element, of the sum of the results weighted with
/// 1, 2, 3, 1, 2, 3, … The largest number of the dtype tells where a sum on the way has overflowed. No values say that there is no rule.
struct Expectation {
  std::string way;
  std::function<Tensor(const Tensor& x, std::int64_t axis)> apply;
  std::function<Line(const Line& x, Wide most)> value;
  std::function<Line(const Line& x, Wide most)> gradient = {};
  double ulps = 8;  ///< of the value, or of the largest term where terms cancel
  bool cancels = false;
  bool loud = false;  ///< intermediate products may overflow, and are infinite or NaN then
};

Wide weight(std::size_t i) { return static_cast<Wide>(i % 3 + 1); }
bool any_nan(const Line& x) { return std::any_of(x.begin(), x.end(), [](Wide v) { return std::isnan(v); }); }
Line repeated(const Line& x, Wide value) { return Line(x.size(), value); }
Line each(const Line& x, const std::function<Wide(Wide)>& f) {
  Line result(x.size());
  std::transform(x.begin(), x.end(), result.begin(), f);
  return result;
}
Wide limited(Wide x, Wide most) { return std::abs(x) > most ? std::copysign(Wide(infinity), x) : x; }
Wide total(const Line& x) { return std::accumulate(x.begin(), x.end(), Wide(0)); }

/// Rounded to the dtype that has this largest number: it counts where elements are subnormal.
Wide mean_of(const Line& x, Wide most) {
  const Wide mean = limited(total(x), most) / static_cast<Wide>(x.size());
  return most == std::numeric_limits<float>::max() ? Wide(static_cast<float>(mean)) : Wide(static_cast<double>(mean));
}
Wide squares(const Line& x, Wide most) {
  Wide sum = 0;
  for (const Wide v : x) sum += limited((v - mean_of(x, most)) * (v - mean_of(x, most)), most);
  return sum;
}
/// NaN wins over all others.
Wide extreme(const Line& x, Wide sign) {
  Wide best = -sign * Wide(infinity);
  for (const Wide v : x)
    if (std::isnan(v)) return nan;
    else if (sign * v > sign * best) best = v;
  return best;
}
/// Those that are the extreme share the cotangent; where it is NaN, all slopes are.
Line shares(const Line& x, Wide sign) {
  const Wide best = extreme(x, sign);
  Line result = each(x, [&](Wide v) { return Wide(v == best); });
  const Wide count = total(result);
  for (Wide& share : result) share = std::isnan(best) ? nan : share / count;
  return result;
}
Line index_of_extreme(const Line& x, Wide sign) {
  const Wide best = extreme(x, sign);
  for (std::size_t i = 0; i < x.size(); ++i)
    if (x[i] == best || (std::isnan(x[i]) && std::isnan(best))) return {static_cast<Wide>(i)};
  return {};
}
/// As of a limit: what is infinite takes all, and shares with its like.
Line softmax_of(const Line& x) {
  const Wide top = extreme(x, 1);
  if (std::isnan(top) || top == -Wide(infinity)) return repeated(x, nan);
  Line e = each(x, [&](Wide v) { return v == top ? Wide(1) : std::exp(v - top); });
  const Wide sum = total(e);
  for (Wide& v : e) v /= sum;
  return e;
}
Wide logsumexp_of(const Line& x) {
  const Wide top = extreme(x, 1);
  if (!std::isfinite(top)) return top;
  return top + std::log(total(each(x, [&](Wide v) { return std::exp(v - top); })));
}
Line logsumexp_gradient(const Line& x) { return extreme(x, 1) == -Wide(infinity) ? repeated(x, 0) : softmax_of(x); }
Wide p_norm(const Line& x, Wide p) {
  if (any_nan(x)) return nan;
  return std::pow(total(each(x, [p](Wide v) { return std::pow(std::abs(v), p); })), 1 / p);
}
/// sign x · (|x| / norm)ᵖ⁻¹, where ∞ / ∞ is NaN.
Line p_norm_gradient(const Line& x, Wide p) {
  const Wide length = p_norm(x, p);
  return each(x, [&](Wide v) { return std::copysign(std::pow(std::abs(v) / length, p - 1), v) * (std::isnan(length) ? nan : 1); });
}
Wide product(const Line& x) { return std::accumulate(x.begin(), x.end(), Wide(1), std::multiplies<>()); }
/// The product of all others, for each.
Line products_of_others(const Line& x) {
  Line result = repeated(x, 1);
  Wide before = 1, behind = 1;
  for (std::size_t i = 0; i < x.size(); ++i) {
    result[i] *= std::exchange(before, before * x[i]);
    result[x.size() - 1 - i] *= std::exchange(behind, behind * x[x.size() - 1 - i]);
  }
  return result;
}
/// The two in the middle, or one twice; NaN if any is.
std::pair<std::size_t, std::size_t> middle(const Line& x) {
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return x[a] < x[b] || (std::isnan(x[b]) && !std::isnan(x[a])); });
  if (any_nan(x)) return {order.back(), order.back()};
  return {order[(x.size() - 1) / 2], order[x.size() / 2]};
}
/// f of the elements up to each.
Line running(const Line& x, const std::function<Wide(const Line&)>& f) {
  Line result, so_far;
  for (const Wide v : x) {
    so_far.push_back(v);
    result.push_back(f(so_far));
  }
  return result;
}

Expectation folded(std::string way, Tensor (*f)(const Located&, const Axes&, bool), std::function<Line(const Line&, Wide)> value,
                   std::function<Line(const Line&, Wide)> gradient = {}, double ulps = 8, bool cancels = false, bool loud = false) {
  return {std::move(way), [f](const Tensor& x, std::int64_t axis) { return f(x, axis, false); }, std::move(value), std::move(gradient), ulps, cancels, loud};
}

Expectation norm_of(std::string way, double p) {
  Expectation result{"of order " + way, [p](const Tensor& x, std::int64_t axis) { return norm(x, p, axis); },
                     [p](const Line& x, Wide) { return Line{p_norm(x, p)}; },
                     [p](const Line& x, Wide) { return p_norm_gradient(x, p); },
                     32};
  const auto sizes = [](const Line& x) { return each(x, [](Wide v) { return std::abs(v); }); };
  if (p == 0) {
    result.value = [](const Line& x, Wide) { return Line{total(each(x, [](Wide v) { return Wide(v != 0); }))}; };
    result.gradient = {};
  }
  if (std::isinf(p)) {
    const Wide sign = p > 0 ? 1 : -1;
    result.value = [=](const Line& x, Wide) { return Line{extreme(sizes(x), sign)}; };
    result.gradient = [=](const Line& x, Wide) {
      Line slopes = shares(sizes(x), sign);
      for (std::size_t i = 0; i < x.size(); ++i) slopes[i] *= std::isnan(x[i]) ? nan : x[i] > 0 ? 1 : x[i] < 0 ? -1 : 0;
      return slopes;
    };
  }
  if (p == 1) result.gradient = [](const Line& x, Wide) { return each(x, [](Wide v) { return std::isnan(v) ? nan : v > 0 ? 1 : v < 0 ? -1 : 0; }); };
  return result;
}

/// By the catalogue's name of the function.
const std::map<std::string, std::vector<Expectation>>& expectations() {
  static const std::map<std::string, std::vector<Expectation>> table{
      {"sum", {folded("", sum, [](const Line& x, Wide) { return Line{total(x)}; }, [](const Line& x, Wide) { return repeated(x, 1); }, 8, true)}},
      {"mean",
       {folded("", mean, [](const Line& x, Wide most) { return Line{mean_of(x, most)}; },
               [](const Line& x, Wide) { return repeated(x, 1 / static_cast<Wide>(x.size())); }, 8, true)}},
      {"max", {folded("", max, [](const Line& x, Wide) { return Line{extreme(x, 1)}; }, [](const Line& x, Wide) { return shares(x, 1); }, 1)}},
      {"min", {folded("", min, [](const Line& x, Wide) { return Line{extreme(x, -1)}; }, [](const Line& x, Wide) { return shares(x, -1); }, 1)}},
      {"argmax", {{"", [](const Tensor& x, std::int64_t axis) { return argmax(x, axis); }, [](const Line& x, Wide) { return index_of_extreme(x, 1); }}}},
      {"argmin", {{"", [](const Tensor& x, std::int64_t axis) { return argmin(x, axis); }, [](const Line& x, Wide) { return index_of_extreme(x, -1); }}}},
      {"logsumexp",
       {folded("", logsumexp, [](const Line& x, Wide) { return Line{logsumexp_of(x)}; }, [](const Line& x, Wide) { return logsumexp_gradient(x); }, 16)}},
      {"softmax",
       {{"", [](const Tensor& x, std::int64_t axis) { return softmax(x, axis); }, [](const Line& x, Wide) { return softmax_of(x); },
         [](const Line& x, Wide) {
           Line y = softmax_of(x);
           Wide sum = 0;
           for (std::size_t i = 0; i < y.size(); ++i) sum += weight(i) * y[i];
           for (std::size_t i = 0; i < y.size(); ++i) y[i] *= weight(i) - sum;
           return y;
         },
         32}}},
      {"log_softmax",
       {{"", [](const Tensor& x, std::int64_t axis) { return log_softmax(x, axis); },
         [](const Line& x, Wide) {
           // Where ∞ takes all, k of them share, and the others are left with nothing.
           const Wide top = extreme(x, 1), rest = std::isinf(top) && top > 0 ? 0 : logsumexp_of(x);
           if (!(top < Wide(infinity)) && !std::isnan(top)) return each(softmax_of(x), [](Wide y) { return std::log(y); });
           return each(x, [&](Wide v) { return v - rest; });
         },
         [](const Line& x, Wide) {
           Line y = softmax_of(x);
           Wide sum = 0;
           for (std::size_t i = 0; i < y.size(); ++i) sum += weight(i);
           for (std::size_t i = 0; i < y.size(); ++i) y[i] = weight(i) - sum * y[i];
           return y;
         },
         32, true}}},
      {"prod",
       {folded("", prod, [](const Line& x, Wide) { return Line{product(x)}; },
               [](const Line& x, Wide) { return products_of_others(x); },
               1024, false, true)}},
      {"var",
       {{"", [](const Tensor& x, std::int64_t axis) { return var(x, axis); },
         [](const Line& x, Wide most) { return Line{squares(x, most) / static_cast<Wide>(x.size())}; },
         [](const Line& x, Wide most) {
           const Wide m = mean_of(x, most);
           if (!std::isfinite(m)) return repeated(x, nan);
           return each(x, [&](Wide v) { return 2 * (v - m) / static_cast<Wide>(x.size()); });
         },
         64, true}}},
      {"stddev",
       {{"", [](const Tensor& x, std::int64_t axis) { return stddev(x, axis); },
         [](const Line& x, Wide most) {
           const Wide m = mean_of(x, most);
           if (x.size() == 1) return Line{(m - m) * (m - m)};
           return Line{std::sqrt(total(each(x, [&](Wide v) { return (v - m) * (v - m); })) / static_cast<Wide>(x.size()))};
         },
         [](const Line& x, Wide most) {
           const Wide n = static_cast<Wide>(x.size()), m = std::isfinite(mean_of(x, most)) ? total(x) / n : nan;
           if (std::isnan(m)) return repeated(x, nan);
           if (x.size() == 1) return repeated(x, 0);
           const Wide s = std::sqrt(total(each(x, [&](Wide v) { return (v - m) * (v - m); })) / n);
           return each(x, [&](Wide v) { return s == 0 ? 0 : (v - m) / (n * s); });
         },
         64, true}}},
      {"norm",
       {norm_of("0", 0), norm_of("0.5", 0.5), norm_of("1", 1), norm_of("2", 2), norm_of("2.5", 2.5), norm_of("3", 3), norm_of("inf", infinity),
        norm_of("-inf", -infinity)}},
      {"any", {folded("", any, [](const Line& x, Wide) { return Line{Wide(std::any_of(x.begin(), x.end(), [](Wide v) { return v != 0; }))}; })}},
      {"all", {folded("", all, [](const Line& x, Wide) { return Line{Wide(std::all_of(x.begin(), x.end(), [](Wide v) { return v != 0; }))}; })}},
      {"median",
       {folded("", median,
               [](const Line& x, Wide) {
                 const auto [a, b] = middle(x);
                 return Line{(x[a] + x[b]) / 2};
               },
               [](const Line& x, Wide) {
                 const auto [a, b] = middle(x);
                 Line result = repeated(x, 0);
                 result[a] += 0.5L, result[b] += 0.5L;
                 return result;
               })}},
      {"cumsum",
       {{"", [](const Tensor& x, std::int64_t axis) { return cumsum(x, axis); }, [](const Line& x, Wide) { return running(x, total); },
         [](const Line& x, Wide) {
           Line result = repeated(x, 0);
           Wide sum = 0;
           for (std::size_t i = x.size(); i-- > 0;) result[i] = sum += weight(i);
           return result;
         },
         8, true}}},
      {"cumprod",
       {{"", [](const Tensor& x, std::int64_t axis) { return cumprod(x, axis); }, [](const Line& x, Wide) { return running(x, product); },
         [](const Line& x, Wide) {
           Line result = repeated(x, 0);
           for (std::size_t j = 0; j < x.size(); ++j) {
             Wide others = 1;
             for (std::size_t i = 0; i < x.size(); ++i) {
               if (i != j) others *= x[i];
               if (i >= j) result[j] += weight(i) * others;
             }
           }
           return result;
         },
         1024, false, true}}},
      {"logcumsumexp",
       {{"", [](const Tensor& x, std::int64_t axis) { return logcumsumexp(x, axis); }, [](const Line& x, Wide) { return running(x, logsumexp_of); },
         [](const Line& x, Wide) {
           // Where all are infinite, or so large that their logarithms of counts are lost, how they share depends on rounding.
           const Wide least = total(each(x, [](Wide v) { return std::abs(v); }));
           if (!any_nan(x) && least > 1e10L * static_cast<Wide>(x.size()) && std::count_if(x.begin(), x.end(), [](Wide v) { return std::abs(v) > 1e10L; }) > 2) return Line{};
           Line result = repeated(x, 0), so_far;
           for (std::size_t i = 0; i < x.size(); ++i) {
             so_far.push_back(x[i]);
             const Line slopes = i == 0 ? Line{1} : logsumexp_gradient(so_far);
             for (std::size_t j = 0; j <= i; ++j) result[j] += weight(i) * slopes[j];
           }
           return result;
         },
         256}}},
  };
  return table;
}

TEST(Reductions, OfTheCatalogueAllHaveAnExpectation) {
  for (const auto& rows : {catalogue::reduction_rows(), catalogue::statistics_rows()})
    for (const catalogue::Row& row : rows) EXPECT_TRUE(expectations().contains(row.function)) << row.function;
}

/// A line of ordinary numbers near 1, no two alike side by side.
Line ordinary(std::size_t n) {
  Line result;
  for (std::size_t i = 0; i < n; ++i) result.push_back((i % 3 == 1 ? -1 : 1) * (0.8L + 0.1L * static_cast<Wide>(i * 7 % 5)));
  return result;
}

template <class T>
class ReductionsRange : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(ReductionsRange, Types);

/// Lines with something special at the beginning, in the middle, at the end, at all of these, and throughout.
template <class T>
std::vector<std::pair<std::string, Line>> lines(std::size_t n) {
  using Limits = std::numeric_limits<T>;
  const Wide most = Limits::max(), least = Limits::denorm_min(), inf = infinity;
  // Far enough from the ends that sums of a thousand stay within the range.
  const Wide huge = std::scalbn(Wide(1), Limits::max_exponent - 20), tiny = std::scalbn(Wide(1), Limits::min_exponent + 3);
  const std::vector<std::pair<std::string, std::vector<Wide>>> special{
      {"inf", {inf}}, {"-inf", {-inf}}, {"NaN", {nan}}, {"inf and -inf", {inf, -inf}}, {"inf twice", {inf, inf}}, {"inf and NaN", {inf, nan}},
      {"NaN twice", {nan, nan}}, {"huge", {huge}}, {"-huge", {-huge}}, {"the largest", {most}}, {"the largest twice", {most, most}}, {"the least", {least}}, {"a subnormal", {-5 * least}}};
  std::vector<std::pair<std::string, Line>> result;
  for (const auto& [name, marks] : special) {
    std::vector<std::vector<std::size_t>> places{{0, n - 1}, {n / 2, n / 3}, {n - 1, 0}};
    for (const auto& place : places) {
      Line line = ordinary(n);
      for (std::size_t k = 0; k < marks.size(); ++k) line[place[k]] = marks[k];
      result.emplace_back(name + " at " + std::to_string(place[0]) + " of " + std::to_string(n), std::move(line));
    }
  }
  for (const auto& [name, factor] : std::vector<std::pair<std::string, Wide>>{{"huge", huge}, {"small", tiny}, {"subnormal", std::scalbn(least, Limits::digits * 3 / 4)}, {"-inf", -inf}}) {
    Line line = ordinary(n);
    for (Wide& v : line) v = std::isinf(factor) ? factor : static_cast<T>(v * factor);
    result.emplace_back("all " + name + " of " + std::to_string(n), std::move(line));
  }
  for (auto& [name, line] : result)
    for (Wide& v : line) v = static_cast<T>(v);
  return result;
}

/// Nothing if x is what is right, up to rounding on the way and of results that are subnormal.
template <class T>
std::string difference(double x, Wide right, double ulps, Wide largest_term, bool loud) {
  using Limits = std::numeric_limits<T>;
  const auto expected = static_cast<double>(static_cast<T>(right));
  const auto text = [&] { return std::to_string(x) + ", is " + std::to_string(expected); };
  if (loud && !std::isfinite(x) && (!std::isfinite(expected) || std::abs(expected) > std::sqrt(double(Limits::max())))) return "";
  if (std::isnan(expected)) return std::isnan(x) ? "" : text();
  if (x == expected) return "";
  const Wide unit = std::max({std::abs(right), largest_term, Wide(Limits::min())}) * Wide(Limits::epsilon());
  // Where it is within rounding of the largest number, infinity is right, too.
  if (std::isinf(x) || std::isinf(expected)) {
    const Wide end = Wide(Limits::max()) * (1 - ulps * Wide(Limits::epsilon()));
    return std::isinf(x) && std::isfinite(expected) && std::abs(right) >= end && (x > 0) == (right > 0) ? "" : text();
  }
  if (std::abs(Wide(x) - right) <= ulps * unit) return "";
  std::ostringstream precise;
  precise << std::setprecision(17) << x << ", is " << expected;
  return precise.str();
}

TYPED_TEST(ReductionsRange, HoldWithSpecialElements) {
  using T = TypeParam;
  const Wide most = std::numeric_limits<T>::max();
  for (const auto& [function, ways] : expectations())
    for (const Expectation& way : ways)
      for (const std::size_t n : {1u, 7u, 16u, 37u, 64u, 1000u}) {
        if (n == 1000 && function.find("cum") != function.npos) continue;  // whose references take their time
        const auto special = lines<T>(n);
        // One line beside the other, along the first axis and along the last; and one by one.
        std::vector<Wide> all;
        for (const auto& [name, line] : special) all.insert(all.end(), line.begin(), line.end());
        const auto count = static_cast<std::int64_t>(special.size()), length = static_cast<std::int64_t>(n);
        const Tensor rows = reshape(Tensor(xt::xarray<double>(xt::cast<double>(xt::adapt(all, {all.size()})))).to(dtype_of<T>), {count, length}).evaluate().detach();
        for (const std::int64_t axis : {-1, 0}) {
          Tensor x = (axis == 0 ? transpose(rows) * 1 : rows).evaluate().detach();
          if (way.gradient) x.set_requires_grad();
          const Tensor y = way.apply(x, axis);
          const bool along = y.dim() == 2;
          const auto found = values(along && axis == 0 ? transpose(y) : y);
          std::vector<double> slopes;
          if (way.gradient) {
            Tensor weights = ones(y.shape(), y.dtype());
            if (along) {
              std::vector<double> cycle;
              for (std::size_t i = 0; i < n; ++i) cycle.push_back(static_cast<double>(weight(i)));
              const Tensor w = Tensor(xt::xarray<double>(xt::adapt(cycle, {cycle.size()}))).to(y.dtype());
              weights = broadcast_to(axis == 0 ? reshape(w, {-1, 1}) : w, y.shape());
            }
            y.backward(weights);
            slopes = values(axis == 0 ? transpose(x.grad()) : x.grad());
          }
          for (std::size_t i = 0; i < special.size(); ++i) {
            const auto& [name, line] = special[i];
            Wide largest = 0;
            if (way.cancels)
              for (const Wide v : line)
                if (std::isfinite(v)) largest = std::max(largest, std::abs(v) * (function == "var" ? std::abs(v) : 1));
            const Line right = way.value(line, most);
            for (std::size_t k = 0; k < right.size(); ++k) {
              const std::string wrong = difference<T>(found[i * right.size() + k], right[k], way.ulps, largest, way.loud);
              EXPECT_EQ(wrong, "") << function << ' ' << way.way << " with " << name << ", axis " << axis << ", element " << k;
            }
            if (!way.gradient) continue;
            const Line slope = way.gradient(line, most);
            // What a slope divides by has fewer digits where it is subnormal.
            const Wide least = std::numeric_limits<T>::min();
            // Where a norm overflows though all elements are finite, there is nothing right to divide by.
            const bool overflows = function == "norm" && std::all_of(line.begin(), line.end(), [](Wide v) { return std::isfinite(v); }) && right[0] > most * (1 - 1e-6L);
            const double blur = right.size() == 1 && right[0] > 0 && right[0] < least ? static_cast<double>(least / right[0]) : 1;
            for (std::size_t k = 0; k < slope.size(); ++k) {
              if (overflows && std::isnan(slopes[i * n + k])) continue;
              const std::string wrong = difference<T>(slopes[i * n + k], slope[k], 4 * way.ulps * blur, way.cancels || function == "softmax" ? 1 : 0, way.loud);
              EXPECT_EQ(wrong, "") << "gradient of " << function << ' ' << way.way << " with " << name << ", axis " << axis << ", element " << k;
            }
          }
        }
      }
}

}  // namespace
