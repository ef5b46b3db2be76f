// Every elementwise row of the catalogue, its value and its first derivatives, over the whole range of both floating dtypes: against the
// exact functions of tests/sweep/references.cpp, within the bounds that docs/ops.md states; and with NaN in every argument.
#include <gtest/gtest.h>

#include <algorithm>
#include <autodiff/autodiff.hpp>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <set>
#include <sstream>
#include <tests/catalogue/catalogue.hpp>
#include <tests/support/values.hpp>
#include <tests/sweep/references.hpp>

using namespace xgrad;
using namespace xgrad::catalogue;
using namespace xgrad::sweep;
using namespace xgrad::test;

namespace {

/// The rows that have a reference: at least one of each elementwise function.
std::vector<Row> swept() {
  std::vector<Row> result;
  for (const Row& row : rows())
    if (references().contains(row.name)) result.push_back(row);
  return result;
}

std::size_t arguments_of(const Row& row) { return row.shapes[0].size(); }

template <class T>
using Columns = std::vector<std::vector<T>>;  ///< one for each argument

/// A number of any size, all powers of two being as likely; with one chance in two negative.
template <class T>
T any_size(std::mt19937_64& generator) {
  using Limits = std::numeric_limits<T>;
  const auto bits = generator();
  const int exponents = Limits::max_exponent - Limits::min_exponent + Limits::digits, exponent = Limits::min_exponent - Limits::digits + int(bits % exponents);
  const T size = std::ldexp(T(1) + static_cast<T>(generator() >> 40) * T(0x1p-24), exponent);
  return bits >> 63 ? -size : size;
}

/// The points where something may change, with their neighbours.
template <class T>
std::vector<T> points_of_one() {
  using Limits = std::numeric_limits<T>;
  constexpr bool wide = sizeof(T) == 8;
  std::vector<T> near{0, Limits::min(), Limits::max(), Limits::max() / 3, Limits::epsilon(), std::sqrt(Limits::max()), std::sqrt(Limits::min()), T(1e22)};
  // Whole and half numbers: poles of gamma functions, halves of round, ends of domains.
  for (const double whole : {0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 11.0, 12.0, 13.0, 31.0, 32.0, 33.0, 100.0, 0x1p22, 0x1p23, 0x1p24, 0x1p31, 0x1p51, 0x1p52, 0x1p53, 0x1p63})
    for (const double beside : {0.0, 0.5, 0.25}) near.push_back(static_cast<T>(whole + beside));
  // Where exponential functions of any base begin to overflow and to vanish, and where kernels change their way.
  for (const double end : wide ? std::vector<double>{53, 1021, 1022, 1023, 1024, 1074, 1075} : std::vector<double>{24, 125, 126, 127, 128, 149, 150})
    for (const double base : {1.0, std::numbers::ln2, std::numbers::ln2 / 2})
      for (const double beside : {-1.0, -0.1, 0.0, 0.1, 1.0}) near.push_back(static_cast<T>(end * base + beside));
  for (const double end : {1 / (2 * std::numbers::pi), 0.9, 4.0, 6.0, 8.0, 9.0, 19.0, 20.0, 26.5, 27.2, 37.0, 87.0, 88.7, 104.0, 170.6, 171.6, 707.0}) near.push_back(static_cast<T>(end));
  std::vector<T> result{Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN()};
  // Multiples of a quarter turn, small and large.
  for (const double quarters : {0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 1000.0, 1e5, 1e6, 1e9, 1e15}) near.push_back(static_cast<T>(quarters * std::numbers::pi / 2));
  for (int quarters = 6; quarters < 300; ++quarters) {
    const T x = static_cast<T>(quarters * (std::numbers::pi / 2));
    result.push_back(quarters % 2 ? x : -x);
  }
  // Zeros of lgamma and digamma.
  for (const double zero : {1.4616321449683622, -0.5040830082644554, -2.4570247382208006, -2.747682646727413}) near.push_back(static_cast<T>(zero));
  for (const T x : near)
    for (const T point : {x, std::nextafter(x, Limits::infinity()), std::nextafter(x, -Limits::infinity())}) result.push_back(point), result.push_back(-point);
  std::mt19937_64 generator(7);
  for (int i = 0; i < 500; ++i) result.push_back(any_size<T>(generator));
  std::uniform_real_distribution<T> few(-10, 10), many(-110, 110);
  for (int i = 0; i < 200; ++i) result.push_back(few(generator)), result.push_back(many(generator));
  return result;
}

/// All pairs, or triples, of what is special; and random ones, among them quotients that round to a whole number.
template <class T>
Columns<T> points(std::size_t arguments) {
  using Limits = std::numeric_limits<T>;
  if (arguments == 1) return {points_of_one<T>()};
  std::vector<T> special{0, Limits::denorm_min(), Limits::min() / 3, 1, 2, Limits::max(), Limits::infinity()};
  if (arguments == 2)
    for (const T x : {Limits::min(), Limits::epsilon(), T(1e-3), T(0.1), T(0.5), std::nextafter(T(1), T(0)), std::nextafter(T(1), T(2)), T(3), T(12.3), T(50), T(700),
                      std::sqrt(Limits::max()), std::sqrt(Limits::min()), Limits::max() / 2})
      special.push_back(x);
  for (std::size_t i = 0, n = special.size(); i < n; ++i) special.push_back(-special[i]);
  special.push_back(Limits::quiet_NaN());
  Columns<T> result(arguments);
  std::size_t all = 1;
  for (std::size_t i = 0; i < arguments; ++i) all *= special.size();
  for (std::size_t i = 0; i < all; ++i)
    for (std::size_t k = 0, rest = i; k < arguments; ++k, rest /= special.size()) result[k].push_back(special[rest % special.size()]);
  std::mt19937_64 generator(8);
  std::uniform_real_distribution<T> few(-10, 10);
  for (int i = 0; i < 600; ++i) {
    if (i % 3 == 0) {
      for (auto& column : result) column.push_back(any_size<T>(generator));
    } else {
      for (auto& column : result) column.push_back(few(generator));
    }
    if (i % 3 == 1) result[0].back() = result[1].back() * T(1 + i / 6);
  }
  return result;
}

/// How far `found` is from the exact value, in units in the last place of that, or of `size` if that is more; infinite where one is NaN
/// or an infinity, or the sign of a zero, is not that of the other.
template <class T>
double error_in_ulps(T found, const Real& exact, const Real& size, bool tells_zeros_apart) {
  using Limits = std::numeric_limits<T>;
  constexpr double wrong = std::numeric_limits<double>::infinity();
  if (exact.is_nan() || std::isnan(found)) return exact.is_nan() && std::isnan(found) ? 0 : wrong;
  if (exact.is_infinite()) return Real(found) == exact ? 0 : wrong;
  if (tells_zeros_apart && found == 0 && std::signbit(found) != exact.is_negative()) return wrong;
  if (exact.is_zero() && found == 0) return 0;
  // Past the largest number comes what would be next to it, which stands for all there.
  const Real end = pow(Real(2), Limits::max_exponent);
  const auto bounded = [&](const Real& x) { return max(-end, min(x, end)); };
  const Real next = bounded(found), right = bounded(exact);
  long exponent = Limits::min_exponent;
  for (const Real* x : {&right, &size})
    if (!x->is_zero() && !x->is_nan() && !x->is_infinite()) exponent = std::max(exponent, x->exponent());
  exponent = std::min<long>(exponent, Limits::max_exponent);
  return mpfr_get_d((abs(next - right) / pow(Real(2), double(exponent - Limits::digits))).get(), MPFR_RNDU);
}

/// One result of an op at all points: its value, or a derivative.
template <class T>
struct Found {
  std::string what;
  double bound;
  const Columns<T>& at;
  Values values;
  bool tells_zeros_apart = false;
  const Values* of_value = nullptr;  ///< for a derivative

  /// Where a value overflows its derivative may, too. At infinity and at 0, where a pole goes to both sides, the sign of an infinite one is
  /// that of one side.
  bool is_right_infinity(std::size_t i, const Real& right) const {
    if (!of_value || !std::isinf(values[i])) return false;
    const bool inside = std::all_of(at.begin(), at.end(), [i](const auto& column) { return std::isfinite(column[i]) && column[i] != 0; });
    return inside ? std::isinf((*of_value)[i]) && right.is_negative() == std::signbit(values[i]) : right.is_infinite();
  }
  /// Expects all of it to be within the bound, or tells of the worst.
  void check(const Function& exact, const Function& size, const Function& on_the_way = {}) const {
    std::vector<std::pair<double, std::string>> failures;
    for (std::size_t i = 0; i < values.size(); ++i) {
      Arguments x;
      for (const auto& column : at) x.push_back(column[i]);
      const Real right = exact(x);
      if (is_right_infinity(i, right)) continue;
      if (on_the_way && !std::isfinite(values[i]) && abs(on_the_way(x)) >= std::numeric_limits<T>::max()) continue;
      const double error = error_in_ulps<T>(static_cast<T>(values[i]), right, size ? size(x) : Real(0), tells_zeros_apart && !size);
      if (error <= bound) continue;
      std::ostringstream text;
      text.precision(std::numeric_limits<T>::max_digits10);
      for (const auto& column : at) text << (&column == &at[0] ? "" : ", ") << column[i];
      text << ": is " << values[i] << ", not " << mpfr_get_d(right.get(), MPFR_RNDN) << " (" << error << " ulps)";
      failures.emplace_back(error, text.str());
    }
    std::stable_sort(failures.begin(), failures.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    std::ostringstream worst;
    for (std::size_t i = 0; i < failures.size(); i += 1 + failures.size() / 12) worst << "\n  at " << failures[i].second;
    EXPECT_TRUE(failures.empty()) << what << " in " << name_of(dtype_of<T>) << " is beyond " << bound << " ulps at " << failures.size() << " points:" << worst.str();
  }
};

template <class T>
std::vector<Tensor> tensors(const Columns<T>& columns) {
  std::vector<Tensor> result;
  for (const std::vector<T>& column : columns) result.push_back(xt::xtensor<T, 1>(xt::adapt(column, {column.size()})));
  return result;
}

/// Derivatives with respect to every argument, zeros where there is none.
std::vector<Tensor> slopes(const Row& row, std::vector<Tensor> x) {
  for (Tensor& argument : x) argument.set_requires_grad();
  const Tensor y = row.apply(x);
  std::vector<Tensor> result(x.size());
  if (y.requires_grad()) result = grad({y}, x, {.cotangents = {ones_like(y)}, .allow_unused = true});
  for (std::size_t k = 0; k < x.size(); ++k)
    if (!result[k].defined()) result[k] = zeros_like(x[k]);
  return result;
}

class Sweep : public testing::TestWithParam<Row> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(accuracies().contains(GetParam().function)) << GetParam().function << " has no bound in tests/catalogue/accuracy.cpp";
  }
  template <class T>
  void check() {
    const Row& row = GetParam();
    const Reference& reference = references().at(row.name);
    const Accuracy& accuracy = accuracies().at(row.function);
    const Columns<T> at = points<T>(arguments_of(row));
    const std::vector<Tensor> x = tensors(at);
    const Tensor y = row.apply(x);
    ASSERT_EQ(y.dtype(), row.orders > 0 ? dtype_of<T> : y.dtype());
    const Values y_values = test::values(y);
    Found<T>{row.name, accuracy.value, at, y_values, reference.tells_zeros_apart}.check(reference.value, reference.value_size, reference.on_the_way);
    if (reference.derivatives.empty()) {
      for (const Tensor& slope : slopes(row, x)) EXPECT_EQ(test::values(slope), Values(at[0].size(), 0.0));
      return;
    }
    const std::vector<Tensor> found = slopes(row, x);
    ASSERT_EQ(found.size(), reference.derivatives.size());
    for (std::size_t k = 0; k < found.size(); ++k)
      Found<T>{row.name + "'s derivative " + std::to_string(k), accuracy.derivative, at, test::values(found[k]), false, &y_values}.check(reference.derivatives[k],
                                                                                                                            reference.derivative_size);
  }
};

std::string row_name(const testing::TestParamInfo<Row>& info) {
  std::string name = info.param.name;
  std::erase(name, '_');
  return name;
}

TEST_P(Sweep, IsWithinItsBoundsInFloat32) { check<float>(); }
TEST_P(Sweep, IsWithinItsBoundsInFloat64) { check<double>(); }

/// NaN in one argument among numbers: its results are those of NaN, all others as they are without it, in whole batches and in the tail.
template <class T>
void check_nan(const Row& row, std::size_t argument, std::size_t arguments) {
  const auto same = [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); };
  for (const std::size_t n : {1u, 7u, 16u, 37u, 64u}) {
    Columns<T> x(arguments, std::vector<T>(n, T(0.75)));
    const auto results = [&] {
      std::vector<Values> all{test::values(row.apply(tensors(x)))};
      if (row.orders > 0)
        for (const Tensor& slope : slopes(row, tensors(x))) all.push_back(test::values(slope));
      return all;
    };
    const std::vector<Values> without = results();
    for (const std::size_t where : {std::size_t{0}, n / 2, n - 1}) {
      x[argument][where] = std::numeric_limits<T>::quiet_NaN();
      Columns<T> alone(arguments);
      for (std::size_t k = 0; k < arguments; ++k) alone[k] = {x[k][where]};
      const std::vector<Values> with = results();
      std::swap(alone, x);
      const std::vector<Values> single = results();
      std::swap(alone, x);
      x[argument][where] = T(0.75);
      for (std::size_t r = 0; r < with.size(); ++r)
        for (std::size_t i = 0; i < n; ++i)
          ASSERT_TRUE(same(with[r][i], i == where ? single[r][0] : without[r][i])) << row.name << ", result " << r << ", argument " << argument << ", " << i << " of " << n;
    }
  }
}

TEST_P(Sweep, KeepsNaNToItsElement) {
  const Row& row = GetParam();
  const std::size_t arguments = arguments_of(row);
  for (std::size_t k = 0; k < arguments; ++k) {
    check_nan<float>(row, k, arguments);
    check_nan<double>(row, k, arguments);
  }
}

TEST(SweepOfTheCatalogue, LeavesOutNoElementwiseFunction) {
  std::set<std::string> functions;
  for (const Row& row : swept()) functions.insert(row.function);
  for (const Row& row : rows())
    if (row.elementwise) {
      EXPECT_TRUE(functions.contains(row.function)) << row.function << " has no reference in tests/sweep/references.cpp";
    }
  for (const auto& [function, accuracy] : accuracies()) EXPECT_TRUE(functions.contains(function)) << function << " is not swept";
}

INSTANTIATE_TEST_SUITE_P(Elementwise, Sweep, testing::ValuesIn(swept()), row_name);

}  // namespace
