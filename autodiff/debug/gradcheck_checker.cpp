#include <algorithm>
#include <autodiff/gradient/backward.hpp>
#include <autodiff/debug/gradcheck_differences.hpp>
#include <autodiff/debug/gradcheck_internal.hpp>
#include <autodiff/core/tape.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace xgrad::detail {
namespace {

bool same_bits(const Doubles& a, const Doubles& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

/// The first element whose bits differ.
std::size_t first_difference(const Doubles& a, const Doubles& b) {
  std::size_t i = 0;
  while (std::memcmp(&a[i], &b[i], sizeof(double)) == 0) ++i;
  return i;
}

/// Weighs large outputs less, so that they do not hide what is wrong with the others.
void even_out(Doubles& weights, const Doubles& output) {
  const auto size = [&](std::size_t o) { return std::max(1.0, std::abs(output[o])); };
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t o = 0; o < output.size(); ++o) least = std::min(least, size(o));
  for (std::size_t o = 0; o < output.size(); ++o) weights[o] *= least / size(o);
}

}  // namespace

Doubles values_of(const Tensor& tensor) {
  const Tensor wide = tensor.to(DType::float64);
  const double* data = wide.data<double>();
  return Doubles(data, data + wide.size());
}

Tensor tensor_of(const Doubles& values, const Shape& shape) { return make_leaf_copy(shape, DType::float64, values.data()); }

Disagreement disagreement(const GradientProblem& problem) { return GradientChecker(problem).run(); }

GradientChecker::GradientChecker(const GradientProblem& problem)
    : problem_(problem), options_(problem.options), generator_(problem.options.seed) {
  for (const Tensor& input : problem.inputs) {
    const bool checked = is_floating(input.dtype());
    given_.push_back(checked ? input.detach().to(DType::float64) : input.detach());
    values_.push_back(checked ? values_of(input) : Doubles());
    if (checked) checked_.push_back(given_.size() - 1);
  }
}

Disagreement GradientChecker::run() {
  GradMode tracking(true);
  const Tensor output = call(given_);
  if (!is_floating(output.dtype()))
    throw std::invalid_argument(problem_.check + ": the output of shape " + to_string(output.shape()) + " is " +
                                std::string(name_of(output.dtype())) + ", not floating");
  shape_ = output.shape();
  const Doubles first = values_of(output);
  if (!same_bits(first, evaluate(given_))) return {"two calls with the same inputs gave different values", false};
  for (std::size_t o = 0; o < first.size(); ++o)
    if (!std::isfinite(first[o])) return {output_text(o) + " is " + text(first[o])};

  record();
  Doubles v = signs(first.size());
  even_out(v, first);
  const std::vector<Doubles> gradient = backward(v);
  if (std::string why = check_linear(v, gradient); !why.empty()) return {std::move(why)};
  if (std::string why = check_same(gradient, backward(v)); !why.empty()) return {std::move(why)};
  const bool directions_alone = options_.fast || !options_.directions.empty();
  std::string why = check_directions(first, v, gradient);
  // Differences of single entries find no fault with a corner whose subgradient is the mean of both sides.
  if (!why.empty() && !directions_alone)
    if (std::string of_entries = check_entries(first); !found_corner_ || !of_entries.empty()) why = std::move(of_entries);
  if (why.empty() && options_.forward) why = check_forward(v, gradient);
  if (!why.empty()) return {std::move(why)};
  for (const std::size_t k : checked_)
    if (!same_bits(values_of(given_[k]), values_[k])) return {"the function altered " + problem_.name_of_input(k), false};
  return {};
}

Tensor GradientChecker::call(const std::vector<Tensor>& inputs) const {
  Tensor output = problem_.f(inputs);
  check_defined(problem_.check, output);
  return output;
}

Doubles GradientChecker::evaluate(const std::vector<Tensor>& inputs) const {
  const Tensor output = call(inputs);
  if (output.shape() != shape_)
    throw std::invalid_argument(problem_.check + ": the output's shape changes from " + to_string(shape_) + " to " +
                                to_string(output.shape()));
  return values_of(output);
}

/// Records the function once; every analytic derivative is a pass through that recording.
void GradientChecker::record() {
  leaves_ = given_;
  for (const std::size_t k : checked_) leaves_[k] = tensor_of(values_[k], given_[k].shape()).set_requires_grad();
  recorded_ = call(leaves_);
}

/// The gradients of Σ cotangent · output by the tape, one for each input that is checked.
std::vector<Doubles> GradientChecker::backward(const Doubles& cotangent) const {
  std::vector<Doubles> result;
  std::vector<Tensor> gradients(checked_.size());
  if (recorded_.requires_grad()) {
    std::vector<Tensor> inputs;
    for (const std::size_t k : checked_) inputs.push_back(leaves_[k]);
    gradients = grad({recorded_}, inputs, {.cotangents = {tensor_of(cotangent, shape_)}, .retain_graph = true, .allow_unused = true});
  }
  for (std::size_t i = 0; i < checked_.size(); ++i)
    result.push_back(gradients[i].defined() ? values_of(gradients[i]) : Doubles(values_[checked_[i]].size(), 0.0));
  return result;
}

/// All outputs with one element of one input moved by `t`.
Doubles GradientChecker::moved(std::size_t input, std::size_t element, double t) const {
  std::vector<Tensor> inputs = given_;
  Doubles x = values_[input];
  x[element] += t;
  inputs[input] = tensor_of(x, given_[input].shape());
  return evaluate(inputs);
}

/// Random, no entry near 0.
Doubles GradientChecker::signs(std::size_t n) {
  std::uniform_real_distribution<double> magnitude(0.5, 1.5);
  Doubles result(n);
  for (double& value : result) value = (generator_() & 1 ? 1 : -1) * magnitude(generator_);
  return result;
}

/// The direction in which input `i` is moved: the one given, its longest entry 1 beside max(1, |x|), or one at random.
Doubles GradientChecker::direction(std::size_t i, const Doubles& gradient, double magnitude) {
  const std::size_t input = checked_[i];
  const Doubles& x = values_[input];
  const auto scale = [&](std::size_t j) { return std::max(1.0, std::abs(x[j])); };
  if (!options_.directions.empty() && options_.directions[input].defined()) {
    Doubles given = values_of(options_.directions[input]);
    double longest = 0;
    for (std::size_t j = 0; j < x.size(); ++j) longest = std::max(longest, std::abs(given[j]) / scale(j));
    if (longest == 0) return {};
    for (double& entry : given) entry /= longest;
    return given;
  }
  Doubles direction = signs(x.size());
  // Shorter where the gradient is large, lest it hide the others, as far as the differences still tell them apart.
  const Tolerance tolerance = options_.tolerances[input];
  const double even = 10 * (tolerance.atol + rounding(magnitude, step(steps[0]))) / tolerance.rtol;
  for (std::size_t j = 0; j < x.size(); ++j) {
    const double slope = std::abs(gradient[j]) * scale(j);
    direction[j] *= slope > even ? scale(j) * even / slope : scale(j);
  }
  return direction;
}

std::string GradientChecker::check_same(const std::vector<Doubles>& gradient, const std::vector<Doubles>& again) const {
  for (std::size_t i = 0; i < gradient.size(); ++i)
    if (!same_bits(gradient[i], again[i])) {
      const std::size_t j = first_difference(gradient[i], again[i]);
      return where(i, j) + ": two backward passes with the same cotangent gave different gradients, " + text(gradient[i][j]) + " and " +
             text(again[i][j]);
    }
  return {};
}

std::string GradientChecker::check_linear(const Doubles& v, const std::vector<Doubles>& gradient) {
  const Doubles w = signs(v.size());
  Doubles both = v;
  for (std::size_t i = 0; i < v.size(); ++i) both[i] += 2 * w[i];
  const std::vector<Doubles> other = backward(w), together = backward(both);
  for (std::size_t i = 0; i < gradient.size(); ++i)
    for (std::size_t j = 0; j < gradient[i].size(); ++j) {
      const double expected = gradient[i][j] + 2 * other[i][j];
      const double size = std::abs(gradient[i][j]) + 2 * std::abs(other[i][j]);
      if (!std::isfinite(together[i][j])) return where(i, j) + ": the analytic gradient is " + text(together[i][j]);
      // Sums of many terms cancel differently; what a wrong rule does is far larger.
      if (std::abs(together[i][j] - expected) > 1e-7 * size + 1e-9 * static_cast<double>(v.size()))
        return where(i, j) + ": the gradient is not linear in the cotangent: " + text(together[i][j]) + " for a sum, " + text(expected) +
               " for its parts";
    }
  return {};
}

double GradientChecker::step(double chosen) const { return options_.step > 0 ? options_.step * chosen / steps[0] : chosen; }

/// The bound on |analytic - numeric|. A stencil whose own error is large proves nothing, so little of it is allowed.
double GradientChecker::bound(std::size_t i, double analytic, const Numeric& numeric) const {
  const Tolerance tolerance = options_.tolerances[checked_[i]];
  const double base = tolerance.atol + tolerance.rtol * std::max(std::abs(analytic), std::abs(numeric.value));
  return base + std::min(numeric.truncation, 10 * base) + std::min(numeric.rounding, numeric.least + 10 * base);
}

bool GradientChecker::agrees(std::size_t i, double analytic, const Numeric& numeric) const {
  return std::isfinite(analytic) && std::isfinite(numeric.value) &&
         std::abs(analytic - numeric.value) <= bound(i, analytic, numeric);
}

template <class F>
GradientChecker::Sides GradientChecker::sides(const F& f, double scale, double magnitude, double error) const {
  const double h = step(steps[2]) * scale, centre = f(0);
  const double left = (3 * centre - 4 * f(-h) + f(-2 * h)) / (2 * h), right = (-3 * centre + 4 * f(h) - f(2 * h)) / (2 * h);
  // Where a smooth function's gradient is wrong, its sides agree far better than the error.
  return {left, right, std::abs(left - right) > std::max(0.1 * error, rounding(magnitude, h))};
}

bool GradientChecker::accepts(std::size_t i, double analytic, const Numeric& numeric, const Sides& sides) const {
  const auto [low, high] = std::minmax(sides.left, sides.right);
  const double slack = bound(i, analytic, numeric);
  return options_.accept_kinks && sides.differ && analytic >= low - slack && analytic <= high + slack;
}

/// The derivative from the right less that from the left at 0 of `f`, whose value there is `centre`; 0 where it is no larger than its error.
template <class F>
double GradientChecker::corner_of(const F& f, double centre, double h, double magnitude) const {
  const auto even = [&](double t) { return (f(t) - centre) + (f(-t) - centre); };
  const double one = even(h), two = even(2 * h), three = even(3 * h);
  // Of a smooth function the terms of second order vanish from both, those of fourth order from the first.
  const double six = (2.5 * one - two + three / 6) / h, four = (2 * one - 0.5 * two) / h;
  return std::abs(six) > 4 * std::abs(six - four) + rounding(magnitude, h) ? six : 0;
}

/// One direction of each input against one random cotangent: cheap, and, where they are random, blind to hardly anything.
std::string GradientChecker::check_directions(const Doubles& output, const Doubles& v, const std::vector<Doubles>& gradient) {
  const double magnitude = dot_size(output, v), centre = dot(output, v);
  for (std::size_t i = 0; i < checked_.size(); ++i) {
    const Doubles& x = values_[checked_[i]];
    if (x.empty()) continue;
    const Doubles along = direction(i, gradient[i], magnitude);
    if (along.empty()) continue;
    const auto value = [&](double t) {
      std::vector<Tensor> inputs = given_;
      Doubles moved = x;
      for (std::size_t j = 0; j < x.size(); ++j) moved[j] += t * along[j];
      inputs[checked_[i]] = tensor_of(moved, given_[checked_[i]].shape());
      return dot(evaluate(inputs), v);
    };
    const double analytic = dot(gradient[i], along);
    Numeric best;
    bool good = false;
    double corner = 0;
    for (const double chosen : steps) {
      const double h = step(chosen);
      double at[6];
      for (int p = 0; p < 6; ++p) at[p] = value((p < 3 ? -(3 - p) : p - 2) * h);
      const auto known = [&](double t) { return at[std::lround(t / h) + (t < 0 ? 3 : 2)]; };
      const Numeric numeric = differentiate(known, h, step(steps[0]), magnitude);
      good = agrees(i, analytic, numeric);
      if (good || chosen == steps[0] || more_exact(numeric, best)) best = numeric;
      if (!options_.accept_kinks) corner = corner_of(known, centre, h, magnitude);
      if (good) break;
    }
    // A subgradient between both sides may be their mean, which is what differences give. A corner stays one as it is looked at closer.
    const double least = 10 * bound(i, analytic, best);
    const auto is_corner_at = [&](double h) { return std::abs(corner_of(value, centre, h, magnitude)) > std::max(0.5 * std::abs(corner), least); };
    const bool is_corner = std::abs(corner) > least && is_corner_at(step(steps[1])) && is_corner_at(step(steps[2]));
    if (good && !is_corner) continue;
    found_corner_ = is_corner;
    const Sides from = sides(value, 1, magnitude, is_corner ? std::abs(corner) : std::abs(analytic - best.value));
    if (accepts(i, analytic, best, from)) continue;
    const bool given = !options_.directions.empty() && options_.directions[checked_[i]].defined();
    return "the derivative along a direction differs:\n  " + input_text(i) + (given ? ", along the direction given" : ", along a random direction") +
           ", of a random sum of the outputs" + compared(i, analytic, best, from);
  }
  return {};
}

/// The whole Jacobian, entry by entry; the report of the worst, or nothing.
std::string GradientChecker::check_entries(const Doubles& output) {
  std::vector<std::vector<Doubles>> rows;  // [output][input]
  for (std::size_t o = 0; o < output.size(); ++o) {
    Doubles one(output.size(), 0.0);
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
        Doubles at[6];
        for (int p = 0; p < 6; ++p) at[p] = moved(input, j, (p < 3 ? -(3 - p) : p - 2) * h);
        for (std::size_t o = 0; o < output.size(); ++o) {
          if (good[o]) continue;
          const auto value = [&](double t) {
            const auto n = static_cast<int>(std::lround(t / h));
            return at[n < 0 ? n + 3 : n + 2][o];
          };
          const Numeric numeric = differentiate(value, h, step(steps[0]) * scale, std::abs(output[o]));
          good[o] = agrees(i, rows[o][i][j], numeric);
          if (good[o] || chosen == steps[0] || more_exact(numeric, best[o])) best[o] = numeric;
        }
        if (std::all_of(good.begin(), good.end(), [](bool ok) { return ok; })) break;
      }
      for (std::size_t o = 0; o < output.size(); ++o) {
        ++entries;
        if (good[o]) continue;
        const double analytic = rows[o][i][j], error = std::abs(analytic - best[o].value);
        const double excess = std::isfinite(error) ? error / bound(i, analytic, best[o]) : std::numeric_limits<double>::infinity();
        const bool reported = report.empty() || excess > worst;
        if (!reported && !options_.accept_kinks) {
          ++wrong;
          continue;
        }
        const auto value = [&](double t) { return t == 0 ? output[o] : moved(input, j, t)[o]; };
        const Sides from = sides(value, scale, std::abs(output[o]), error);
        if (accepts(i, analytic, best[o], from)) continue;
        ++wrong;
        if (!reported) continue;
        worst = excess;
        report = "  " + where(i, j) + ", " + output_text(o) + compared(i, analytic, best[o], from);
      }
    }
  }
  if (wrong == 0) return {};
  return std::to_string(wrong) + " of " + std::to_string(entries) + " entries of the Jacobian differ, worst of all:\n" + report;
}

/// <v, J u> by forward mode against <Jᵀ v, u> by reverse mode, u a random direction of one input after the other.
std::string GradientChecker::check_forward(const Doubles& v, const std::vector<Doubles>& gradient) {
  if (!recorded_.requires_grad()) return {};
  const Tensor cotangent = tensor_of(v, shape_).set_requires_grad();
  std::vector<Tensor> inputs;
  for (const std::size_t k : checked_) inputs.push_back(leaves_[k]);
  const std::vector<Tensor> pulled =
      grad({recorded_}, inputs, {.cotangents = {cotangent}, .create_graph = true, .retain_graph = true, .allow_unused = true});
  for (std::size_t i = 0; i < checked_.size(); ++i) {
    if (!pulled[i].defined() || !pulled[i].requires_grad()) continue;
    const Doubles u = signs(gradient[i].size());
    const Tensor pushed =
        grad(pulled[i], cotangent, {.cotangents = {tensor_of(u, pulled[i].shape())}, .retain_graph = true, .allow_unused = true});
    if (!pushed.defined()) continue;
    const Doubles tangent = values_of(pushed);
    const double forward = dot(v, tangent), reverse = dot(gradient[i], u);
    const double size = dot_size(v, tangent) + dot_size(gradient[i], u);
    if (!(std::abs(forward - reverse) <= 1e-12 * (size + 1)))
      return input_text(i) + ": forward mode disagrees with reverse mode: <v, J u> is " + text(forward) + ", <J^T v, u> is " + text(reverse) +
             ".\n  The gradient agrees with differences, but is not differentiable in its cotangent: jvp and second derivatives are wrong."
             "\n  (The option forward = false leaves this out.)";
  }
  return {};
}

std::string GradientChecker::compared(std::size_t i, double analytic, const Numeric& numeric, const Sides& sides) const {
  std::string result = "\n  analytic " + text(analytic) + "\n  numeric  " + text(numeric.value) + "\n  error    " +
                       text(std::abs(analytic - numeric.value)) + ", bound " + text(bound(i, analytic, numeric));
  if (sides.differ)
    result += "\n  the function is not differentiable here: from the left " + text(sides.left) + ", from the right " + text(sides.right);
  return result;
}

std::string GradientChecker::input_text(std::size_t i) const {
  return problem_.name_of_input(checked_[i]) + " of shape " + to_string(given_[checked_[i]].shape());
}

std::string GradientChecker::where(std::size_t i, std::size_t element) const {
  return input_text(i) + ", index " + index_text(element, given_[checked_[i]].shape());
}

std::string GradientChecker::output_text(std::size_t element) const {
  return problem_.output_at ? problem_.output_at(static_cast<std::int64_t>(element)) : "output index " + index_text(element, shape_);
}

}  // namespace xgrad::detail
