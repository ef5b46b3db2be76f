#include <algorithm>
#include <autodiff/backward.hpp>
#include <autodiff/gradcheck.hpp>
#include <autodiff/ops/create.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/shape.hpp>
#include <autodiff/tape.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <ostream>
#include <random>
#include <sstream>
#include <stdexcept>

namespace xgrad {
namespace {

using Values = std::vector<double>;

Values values_of(const Tensor& tensor) {
  const Tensor wide = tensor.to(DType::float64);
  const double* data = wide.data<double>();
  return Values(data, data + wide.size());
}

Tensor tensor_of(const Values& values, const Shape& shape) { return detail::make_leaf_copy(shape, DType::float64, values.data()); }

bool same_bits(const Values& a, const Values& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

double dot(const Values& a, const Values& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

void check_floating(const std::string& name, const std::vector<Tensor>& inputs) {
  if (std::none_of(inputs.begin(), inputs.end(), [](const Tensor& input) { return is_floating(input.dtype()); }))
    throw std::invalid_argument(name + ": none of the inputs is floating; there is nothing to check");
}

/// "(1, 2)": where the element `flat` stands in `shape`.
std::string index_text(std::int64_t flat, const Shape& shape) {
  Shape index(shape.size());
  for (std::size_t i = shape.size(); i-- > 0; flat /= shape[i]) index[i] = flat % shape[i];
  return to_string(index);
}

/// What differences say of a derivative.
struct Numeric {
  double value = 0;
  double truncation = 0;  ///< estimated error of the stencil
  double rounding = 0;    ///< error of the differences' arithmetic
  double least = 0;       ///< what that is with the longest step
};

// Steps from the most exact on: a shorter one is tried where a kink or the end of the domain is near.
constexpr double steps[] = {1e-3, 1e-5, 1e-6};

/// The error of differences of values about `magnitude` large.
double rounding(double magnitude, double step) { return 16 * std::numeric_limits<double>::epsilon() * magnitude / step; }

/// The derivative at 0 of `f`, whose values are about `magnitude` large, by a stencil of six points; the one of four
/// points beside it estimates the error.
template <class F>
Numeric differentiate(const F& f, double step, double longest, double magnitude) {
  const double d1 = f(step) - f(-step), d2 = f(2 * step) - f(-2 * step), d3 = f(3 * step) - f(-3 * step);
  const double six = (45 * d1 - 9 * d2 + d3) / (60 * step), four = (8 * d1 - d2) / (12 * step);
  return {six, std::abs(six - four), rounding(magnitude, step), rounding(magnitude, longest)};
}

class Checker {
 public:
  Checker(std::string name, const TensorFunction& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options)
      : name_(std::move(name)), f_(f), options_(options), generator_(options.seed) {
    for (const Tensor& input : inputs) {
      detail::check_defined(name_, input);
      const bool checked = is_floating(input.dtype());
      given_.push_back(checked ? input.detach().to(DType::float64) : input.detach());
      values_.push_back(checked ? values_of(input) : Values());
      if (checked) checked_.push_back(given_.size() - 1);
    }
    check_floating(name_, inputs);
  }

  GradcheckResult run() {
    GradMode tracking(true);
    const Tensor output = call(given_);
    if (!is_floating(output.dtype()))
      throw std::invalid_argument(name_ + ": the output of shape " + to_string(output.shape()) + " is " +
                                  std::string(name_of(output.dtype())) + ", not floating");
    shape_ = output.shape();
    const Values first = values_of(output);
    if (!same_bits(first, evaluate(given_))) return fail("two calls with the same inputs gave different values");
    for (std::size_t o = 0; o < first.size(); ++o)
      if (!std::isfinite(first[o]))
        return fail("the output at index " + index_text(static_cast<std::int64_t>(o), shape_) + " is " + text(first[o]));

    record();
    Values v = signs(first.size());
    even_out(v, first);
    const std::vector<Values> gradient = backward(v);
    if (const std::string why = check_linear(v, gradient); !why.empty()) return fail(why);
    if (!projection_agrees(first, v, gradient))
      if (const std::string why = check_entries(first); !why.empty()) return fail(why);
    for (std::size_t k : checked_)
      if (!same_bits(values_of(given_[k]), values_[k])) return fail("the function altered input " + std::to_string(k));
    return {};
  }

 private:
  Tensor call(const std::vector<Tensor>& inputs) const {
    Tensor output = f_(inputs);
    detail::check_defined(name_, output);
    return output;
  }

  Values evaluate(const std::vector<Tensor>& inputs) const {
    const Tensor output = call(inputs);
    if (output.shape() != shape_)
      throw std::invalid_argument(name_ + ": the output's shape changes from " + to_string(shape_) + " to " +
                                  to_string(output.shape()));
    return values_of(output);
  }

  /// Records the function once; every analytic derivative is a pass through that recording.
  void record() {
    leaves_ = given_;
    for (const std::size_t k : checked_) leaves_[k] = tensor_of(values_[k], given_[k].shape()).set_requires_grad();
    recorded_ = call(leaves_);
  }

  /// The gradients of Σ cotangent · output by the tape, one for each input that is checked.
  std::vector<Values> backward(const Values& cotangent) const {
    std::vector<Values> result;
    std::vector<Tensor> gradients(checked_.size());
    if (recorded_.requires_grad()) {
      std::vector<Tensor> inputs;
      for (const std::size_t k : checked_) inputs.push_back(leaves_[k]);
      gradients = grad({recorded_}, inputs, {.cotangents = {tensor_of(cotangent, shape_)}, .retain_graph = true, .allow_unused = true});
    }
    for (std::size_t i = 0; i < checked_.size(); ++i)
      result.push_back(gradients[i].defined() ? values_of(gradients[i]) : Values(values_[checked_[i]].size(), 0.0));
    return result;
  }

  /// Random, no entry near 0.
  Values signs(std::size_t n) {
    std::uniform_real_distribution<double> magnitude(0.5, 1.5);
    Values result(n);
    for (double& value : result) value = (generator_() & 1 ? 1 : -1) * magnitude(generator_);
    return result;
  }

  /// Weighs large outputs less, so that they do not hide what is wrong with the others.
  static void even_out(Values& weights, const Values& output) {
    const auto size = [&](std::size_t o) { return std::max(1.0, std::abs(output[o])); };
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t o = 0; o < output.size(); ++o) least = std::min(least, size(o));
    for (std::size_t o = 0; o < output.size(); ++o) weights[o] *= least / size(o);
  }

  std::string check_linear(const Values& v, const std::vector<Values>& gradient) {
    const Values w = signs(v.size());
    Values both = v;
    for (std::size_t i = 0; i < v.size(); ++i) both[i] += 2 * w[i];
    const std::vector<Values> other = backward(w), together = backward(both);
    for (std::size_t i = 0; i < gradient.size(); ++i)
      for (std::size_t j = 0; j < gradient[i].size(); ++j) {
        const double expected = gradient[i][j] + 2 * other[i][j];
        const double size = std::abs(gradient[i][j]) + 2 * std::abs(other[i][j]);
        if (!std::isfinite(together[i][j]))
          return where(i, static_cast<std::int64_t>(j)) + ": the analytic gradient is " + text(together[i][j]);
        // Sums of many terms cancel differently; what a wrong rule does is far larger.
        if (std::abs(together[i][j] - expected) > 1e-7 * size + 1e-9 * static_cast<double>(v.size()))
          return where(i, static_cast<std::int64_t>(j)) + ": the gradient is not linear in the cotangent: " +
                 text(together[i][j]) + " for a sum, " + text(expected) + " for its parts";
      }
    return {};
  }

  double step(double chosen) const { return options_.step > 0 ? options_.step * chosen / steps[0] : chosen; }

  /// The bound on |analytic - numeric|. A stencil whose own error is large proves nothing, so little of it is allowed.
  double bound(double analytic, const Numeric& numeric) const {
    const double base = options_.atol + options_.rtol * std::max(std::abs(analytic), std::abs(numeric.value));
    return base + std::min(numeric.truncation, 10 * base) + std::min(numeric.rounding, numeric.least + 10 * base);
  }
  bool agrees(double analytic, const Numeric& numeric) const {
    return std::isfinite(analytic) && std::isfinite(numeric.value) && std::abs(analytic - numeric.value) <= bound(analytic, numeric);
  }

  /// One random direction of each input against one random cotangent: cheap, and blind to hardly anything.
  bool projection_agrees(const Values& output, const Values& v, const std::vector<Values>& gradient) {
    double magnitude = 0;
    for (std::size_t o = 0; o < output.size(); ++o) magnitude += std::abs(output[o] * v[o]);
    for (std::size_t i = 0; i < checked_.size(); ++i) {
      const Values& x = values_[checked_[i]];
      if (x.empty()) continue;
      Values direction = signs(x.size());
      // Shorter where the gradient is large, lest it hide the others, as far as the differences still tell them apart.
      const double even = 10 * (options_.atol + rounding(magnitude, step(steps[0]))) / options_.rtol;
      for (std::size_t j = 0; j < x.size(); ++j) {
        const double scale = std::max(1.0, std::abs(x[j])), slope = std::abs(gradient[i][j]) * scale;
        direction[j] *= slope > even ? scale * even / slope : scale;
      }
      const auto along = [&](double t) {
        std::vector<Tensor> inputs = given_;
        Values moved = x;
        for (std::size_t j = 0; j < x.size(); ++j) moved[j] += t * direction[j];
        inputs[checked_[i]] = tensor_of(moved, given_[checked_[i]].shape());
        return dot(evaluate(inputs), v);
      };
      const double analytic = dot(gradient[i], direction);
      if (std::none_of(std::begin(steps), std::end(steps), [&](double h) {
            return agrees(analytic, differentiate(along, step(h), step(steps[0]), magnitude));
          }))
        return false;
    }
    return true;
  }

  /// All outputs with one element of one input moved by `t`.
  Values moved(std::size_t input, std::size_t element, double t) const {
    std::vector<Tensor> inputs = given_;
    Values x = values_[input];
    x[element] += t;
    inputs[input] = tensor_of(x, given_[input].shape());
    return evaluate(inputs);
  }

  /// The whole Jacobian, entry by entry; the report of the worst, or nothing.
  std::string check_entries(const Values& output) {
    std::vector<std::vector<Values>> rows;  // [output][input]
    for (std::size_t o = 0; o < output.size(); ++o) {
      Values one(output.size(), 0.0);
      one[o] = 1;
      rows.push_back(backward(one));
    }
    std::string report;
    double worst = 0;
    std::size_t wrong = 0, entries = 0;
    for (std::size_t i = 0; i < checked_.size(); ++i) {
      const std::size_t input = checked_[i];
      for (std::size_t j = 0; j < values_[input].size(); ++j) {
        const double scale = std::max(1.0, std::abs(values_[input][j]));
        std::vector<Numeric> best(output.size());
        std::vector<bool> good(output.size(), false);
        for (const double chosen : steps) {
          const double h = step(chosen) * scale;
          Values at[6];
          for (int p = 0; p < 6; ++p) at[p] = moved(input, j, (p < 3 ? -(3 - p) : p - 2) * h);
          for (std::size_t o = 0; o < output.size(); ++o) {
            if (good[o]) continue;
            const auto value = [&](double t) {
              const auto n = static_cast<int>(std::lround(t / h));
              return at[n < 0 ? n + 3 : n + 2][o];
            };
            best[o] = differentiate(value, h, step(steps[0]) * scale, std::abs(output[o]));
            good[o] = agrees(rows[o][i][j], best[o]);
          }
          if (std::all_of(good.begin(), good.end(), [](bool ok) { return ok; })) break;
        }
        for (std::size_t o = 0; o < output.size(); ++o) {
          ++entries;
          if (good[o]) continue;
          ++wrong;
          const double analytic = rows[o][i][j], error = std::abs(analytic - best[o].value);
          const double excess = std::isfinite(error) ? error / bound(analytic, best[o]) : std::numeric_limits<double>::infinity();
          if (!report.empty() && !(excess > worst)) continue;
          worst = excess;
          report = entry(i, j, o, analytic, best[o], output[o]);
        }
      }
    }
    if (wrong == 0) return {};
    return std::to_string(wrong) + " of " + std::to_string(entries) + " entries of the Jacobian differ, worst of all:\n" + report;
  }

  std::string entry(std::size_t i, std::size_t j, std::size_t o, double analytic, const Numeric& numeric, double centre) const {
    std::ostringstream out;
    out << "  " << where(i, static_cast<std::int64_t>(j)) << ", output index " << index_text(static_cast<std::int64_t>(o), shape_)
        << "\n  analytic " << text(analytic) << "\n  numeric  " << text(numeric.value) << "\n  error    "
        << text(std::abs(analytic - numeric.value)) << ", bound " << text(bound(analytic, numeric));
    const double h = 1e-6 * std::max(1.0, std::abs(values_[checked_[i]][j]));
    const auto at = [&](double t) { return moved(checked_[i], j, t)[o]; };
    const double left = (3 * centre - 4 * at(-h) + at(-2 * h)) / (2 * h), right = (-3 * centre + 4 * at(h) - at(2 * h)) / (2 * h);
    if (std::abs(left - right) > 1e-3 * std::max({1.0, std::abs(left), std::abs(right)}))
      out << "\n  the function is not differentiable here: from the left " << text(left) << ", from the right " << text(right);
    return out.str();
  }

  std::string where(std::size_t i, std::int64_t j) const {
    const std::size_t input = checked_[i];
    return "input " + std::to_string(input) + " of shape " + to_string(given_[input].shape()) + ", index " +
           index_text(j, given_[input].shape());
  }
  static std::string text(double value) {
    if (std::isnan(value)) return "nan";  // its sign says nothing
    std::ostringstream out;
    out.precision(10);
    out << value;
    return out.str();
  }
  GradcheckResult fail(const std::string& why) const {
    return GradcheckResult(name_ + ": " + why + "\n  (seed " + std::to_string(options_.seed) + ")");
  }

  std::string name_;
  const TensorFunction& f_;
  GradcheckOptions options_;
  std::mt19937_64 generator_;
  std::vector<Tensor> given_;
  std::vector<Values> values_;
  std::vector<std::size_t> checked_;  ///< which inputs are floating
  std::vector<Tensor> leaves_;
  Tensor recorded_;
  Shape shape_;
};

GradcheckResult check(std::string name, const TensorFunction& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options) {
  if (!(options.rtol >= 0 && options.atol >= 0 && options.step >= 0))
    throw std::invalid_argument(name + ": tolerances and step must not be negative");
  return Checker(std::move(name), f, inputs, options).run();
}

}  // namespace

GradcheckResult gradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options) {
  return check("gradcheck", f, inputs, options);
}

GradcheckResult gradgradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options) {
  std::vector<Tensor> all = inputs;
  for (Tensor& input : all) {
    detail::check_defined("gradgradcheck", input);
    if (is_floating(input.dtype())) input = input.detach().to(DType::float64);
  }
  check_floating("gradgradcheck", all);
  const Tensor output = f(all);
  detail::check_defined("gradgradcheck", output);
  if (!is_floating(output.dtype()))
    throw std::invalid_argument("gradgradcheck: the output of shape " + to_string(output.shape()) + " is " +
                                std::string(name_of(output.dtype())) + ", not floating");
  // The cotangent is one more input: gradients depend on it too.
  std::mt19937_64 generator(options.seed);
  std::uniform_real_distribution<double> entry(-1, 1);
  Values cotangent(static_cast<std::size_t>(output.size()));
  for (double& value : cotangent) value = entry(generator);
  all.push_back(tensor_of(cotangent, output.shape()));

  const auto gradients = [&f](const std::vector<Tensor>& given) {
    GradMode tracking(true);
    std::vector<Tensor> in(given.begin(), given.end() - 1), targets;
    for (Tensor& input : in) {
      if (!is_floating(input.dtype())) continue;
      if (!input.requires_grad()) input = input.detach().set_requires_grad();
      targets.push_back(input);
    }
    const Tensor y = f(in);
    std::vector<Tensor> parts(targets.size());
    if (y.requires_grad())
      parts = grad({y}, targets, {.cotangents = {given.back()}, .create_graph = true, .allow_unused = true});
    for (std::size_t i = 0; i < parts.size(); ++i)
      parts[i] = flatten(parts[i].defined() ? parts[i] : zeros(targets[i].shape(), DType::float64));
    return concatenate(parts);
  };
  return check("gradgradcheck", gradients, all, options);
}

std::ostream& operator<<(std::ostream& stream, const GradcheckResult& result) {
  return stream << (result ? std::string("gradients agree") : result.report());
}

}  // namespace xgrad
