// Predators and prey: the rates of a differential equation fitted to what was observed of its solution, by the adjoint method
// (R. Chen, Y. Rubanova, J. Bettencourt, D. Duvenaud, "Neural ordinary differential equations", 2018). The gradient of a solution
// does not need the solver's steps: a = ∂loss/∂y obeys a' = -(∂f/∂y)ᵀ a, and is solved for backwards in time beside y itself, so that
// nothing is kept but the values that were asked for, however many steps there are. Backpropagation through the steps gives the
// same gradient, and keeps them all.
#include <autodiff/autodiff.hpp>
#include <cmath>
#include <cstdio>

using namespace xgrad;

using Field = std::function<Tensor(double t, const Tensor& y, const Tensor& theta)>;

/// Values that a step carries along, such as (y, a, θ̄).
using State = std::vector<Tensor>;
State add_scaled(const State& a, double factor, const State& b) {
  State result;
  for (std::size_t i = 0; i < a.size(); ++i) result.push_back(a[i] + factor * b[i]);
  return result;
}

/// From `start` to `stop` in steps of Runge and Kutta, of fourth order.
template <class F>
State integrate(const F& f, State y, double start, double stop, int steps) {
  const double h = (stop - start) / steps;
  for (int i = 0; i < steps; ++i) {
    const double t = start + i * h;
    const State k1 = f(t, y), k2 = f(t + h / 2, add_scaled(y, h / 2, k1)), k3 = f(t + h / 2, add_scaled(y, h / 2, k2)), k4 = f(t + h, add_scaled(y, h, k3));
    for (std::size_t j = 0; j < y.size(); ++j) y[j] = y[j] + h / 6 * (k1[j] + 2 * k2[j] + 2 * k3[j] + k4[j]);
    evaluate(y);
  }
  return y;
}

/// y at each time, a row for each, from y at the first; every step recorded.
Tensor odeint_recorded(const Field& f, const Tensor& y0, const Tensor& theta, const std::vector<double>& times, int steps) {
  const auto right_side = [&](double t, const State& y) { return State{f(t, y[0], theta)}; };
  std::vector<Tensor> rows{y0};
  for (std::size_t i = 1; i < times.size(); ++i) rows.push_back(integrate(right_side, {rows.back()}, times[i - 1], times[i], steps)[0]);
  return stack(rows);
}

/// The same with the adjoint equation as its derivative.
Tensor odeint(const Field& f, const Tensor& y0, const Tensor& theta, const std::vector<double>& times, int steps) {
  const auto forward = [=](const std::vector<Tensor>& in) {
    std::vector<Tensor> rows{in[0]};
    const auto right_side = [&](double t, const State& y) { return State{f(t, y[0], in[1])}; };
    for (std::size_t i = 1; i < times.size(); ++i) rows.push_back(integrate(right_side, {rows.back()}, times[i - 1], times[i], steps)[0]);
    return stack(rows);
  };
  const auto backward = [=](const Tensor& g, const std::vector<Tensor>& in, const Tensor& rows) {
    const Tensor rates = in[1].detach();
    // (y, a, θ̄)' = (f, -(∂f/∂y)ᵀ a, -(∂f/∂θ)ᵀ a), backwards; at each time that was asked for a gains that time's cotangent.
    const auto right_side = [&](double t, const State& s) {
      const Pullback pullback = vjp([&](const std::vector<Tensor>& at) { return f(t, at[0], at[1]); }, {s[0], rates});
      const std::vector<Tensor> parts = pullback.pull(s[1]);
      return State{pullback.value, -parts[0], -parts[1]};
    };
    Tensor a = g.slice(-1), gradient = zeros_like(rates);
    for (std::size_t i = times.size(); --i > 0;) {
      const State before = integrate(right_side, {rows.slice(i).detach(), a, gradient}, times[i], times[i - 1], steps);
      a = before[1] + g.slice(i - 1);
      gradient = before[2];
    }
    return std::vector<Tensor>{a, gradient};
  };
  return custom_function(forward, backward)({y0, theta});
}

/// A. Lotka and V. Volterra: prey multiply at rate α and are eaten at β, predators multiply on them at δ and die at γ.
Tensor lotka_volterra(double, const Tensor& y, const Tensor& theta) {
  const Tensor prey = y.slice(0), predators = y.slice(1), meetings = prey * predators;
  return stack({theta.slice(0) * prey - theta.slice(1) * meetings, theta.slice(2) * meetings - theta.slice(3) * predators});
}

using Solver = Tensor (*)(const Field&, const Tensor&, const Tensor&, const std::vector<double>&, int);

/// The gradient of a loss by the rates, and the most memory that finding it took at once.
std::pair<Tensor, std::size_t> gradient_and_memory(Solver solver, const Tensor& theta, const std::vector<double>& times, int steps) {
  const auto loss = [&](const Tensor& at) { return mean(square(solver(lotka_volterra, Tensor{1.0, 0.5}, at, times, steps))); };
  reset_peak_memory_statistics();
  const std::size_t before = memory_statistics().in_use;
  const Tensor gradient = grad(loss)(theta).evaluate();
  return {gradient, memory_statistics().peak_in_use - before};
}

int main() {
  std::vector<double> times;
  for (int i = 0; i <= 10; ++i) times.push_back(0.7 * i);
  const Tensor truth{1.1, 0.9, 0.8, 1.2}, start{1.0, 0.5};

  // Both gradients are those of the solution, but for the steps' errors, which fall with the fourth power of their length.
  double error = 0;
  std::size_t memory[2][2];
  for (const int longer : {0, 1}) {
    const int steps = longer ? 80 : 20;
    const auto [through, kept] = gradient_and_memory(odeint_recorded, truth, times, steps);
    const auto [adjoint, small] = gradient_and_memory(odeint, truth, times, steps);
    error = (norm(adjoint - through) / norm(through)).item();
    memory[0][longer] = kept;
    memory[1][longer] = small;
    std::printf("%4d steps: gradients differ by %.1e; memory through the steps %7zu bytes, by the adjoint %6zu\n", 10 * steps, error, kept, small);
  }

  const Tensor observed = odeint(lotka_volterra, start, truth, times, 8).evaluate();
  Tensor theta = log(Tensor{1.0, 1.0, 1.0, 1.0});  // of logarithms, for rates are positive
  const auto loss = [&](const Tensor& at) { return mean(square(odeint(lotka_volterra, start, exp(at), times, 8) - observed)); };
  Tensor first = zeros_like(theta), second = zeros_like(theta);  // Adam, by hand
  for (int step = 1; step <= 300; ++step) {
    const auto [value, gradient] = value_and_grad(loss)(theta);
    first = (0.9 * first + 0.1 * gradient).evaluate();
    second = (0.99 * second + 0.01 * square(gradient)).evaluate();
    theta = (theta - 0.03 * (first / (1 - std::pow(0.9, step))) / (sqrt(second / (1 - std::pow(0.99, step))) + 1e-8)).evaluate();
    if (step % 60 == 0) std::printf("step %3d  loss %.2e\n", step, value.item());
  }
  const double distance = max(abs(exp(theta) - truth)).item();
  std::printf("rates found to %.1e\n", distance);
  const bool flat = 2 * memory[1][1] <= 3 * memory[1][0] && memory[0][1] >= 3 * memory[0][0];
  return error < 1e-6 && flat && distance < 0.01 ? 0 : 1;
}
