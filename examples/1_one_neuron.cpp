// The classic first network, worked by hand: one sigmoid neuron is to learn y = x on x = 1 … 4 with squared error.
//
// Many write its gradient from memory as Σ 2(ŷ-y)·x. That forgets two factors: σ'(z) of the neuron and the 1/n of the
// mean. Here the tape's gradient is printed beside that shortcut, and a central difference, which knows nothing of
// either, says which is right. The neuron cannot learn the data all the same: σ stays below 1. The last part fits the
// right model, a linear output, which can.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <nn/nn.hpp>

using namespace xgrad;

namespace {

using Model = std::function<Tensor(const Tensor& x, const Tensor& w, const Tensor& b)>;

const Tensor x{1.0, 2.0, 3.0, 4.0};
const Tensor y = x;

Tensor loss_of(const Model& model, const Tensor& w, const Tensor& b) { return nn::mse_loss(model(x, w, b), y); }

/// dL/dw of the shortcut.
double shortcut(const Model& model, const Tensor& w, const Tensor& b) {
  return no_grad([&] { return sum(2 * (model(x, w, b) - y) * x); }).item();
}

/// dL/dw by a central difference.
double difference(const Model& model, const Tensor& w, const Tensor& b) {
  NoGrad guard;
  const double h = 1e-5;
  return (loss_of(model, w + h, b).item() - loss_of(model, w - h, b).item()) / (2 * h);
}

/// What gradient descent came to.
struct Fit {
  double w, b, loss;
  bool tape_right = true;      ///< the tape agreed with the difference at every step
  bool shortcut_wrong = true;  ///< the shortcut never did
};

Fit fit(const Model& model, double learning_rate, int steps, int print_every) {
  Tensor w = 0.1, b = 0.0;
  w.set_requires_grad();
  b.set_requires_grad();
  nn::SGD optimizer({w, b}, {.learning_rate = learning_rate});
  Fit result{};
  std::printf("%6s %12s %14s %14s %14s\n", "step", "loss", "tape dL/dw", "2(y'-y)x", "difference");
  for (int step = 0; step < steps; ++step) {
    const Tensor loss = loss_of(model, w, b);
    optimizer.zero_grad();
    loss.backward();
    const double by_tape = w.grad().item(), by_shortcut = shortcut(model, w, b),
                 by_difference = difference(model, w, b);
    if (step % print_every == 0)
      std::printf("%6d %12.4e %14.6e %14.6e %14.6e\n", step, loss.item(), by_tape, by_shortcut, by_difference);
    const double allowed = 1e-8 + 1e-6 * std::abs(by_difference);
    result.tape_right = result.tape_right && std::abs(by_tape - by_difference) <= allowed;
    result.shortcut_wrong = result.shortcut_wrong && std::abs(by_shortcut - by_difference) > allowed;
    optimizer.step();
  }
  result.w = w.item();
  result.b = b.item();
  result.loss = loss_of(model, w, b).item();
  return result;
}

bool claim(bool holds, const char* text) {
  std::printf("%s: %s\n", holds ? "yes" : "NO", text);
  return holds;
}

}  // namespace

int main() {
  std::puts("One sigmoid neuron, y' = sigmoid(w x + b):");
  const Fit neuron =
      fit([](const Tensor& x, const Tensor& w, const Tensor& b) { return sigmoid(w * x + b); }, 0.5, 20, 1);
  std::printf("w = %.4f, b = %.4f, loss %.4f\n\n", neuron.w, neuron.b, neuron.loss);

  std::puts("A linear output, y' = w x + b (every 50th step):");
  const Fit line = fit([](const Tensor& x, const Tensor& w, const Tensor& b) { return w * x + b; }, 0.1, 600, 50);
  std::printf("w = %.6f, b = %.6f, loss %.2e\n\n", line.w, line.b, line.loss);

  bool all = claim(neuron.tape_right && line.tape_right, "the tape agrees with the central difference at every step");
  all &= claim(neuron.shortcut_wrong, "the shortcut agrees at none of the neuron's");
  // σ < 1, so the mean of (y - ŷ)² stays above (0 + 1 + 4 + 9) / 4.
  all &= claim(neuron.loss > 3.5, "the neuron cannot get below a loss of 3.5");
  all &= claim(line.loss < 1e-6 && std::abs(line.w - 1) < 1e-3 && std::abs(line.b) < 1e-2,
               "the linear model finds y = 1 x + 0");
  return all ? 0 : 1;
}
