// XOR, which no single layer can express (Minsky, Papert 1969), learned by two.
#include <cstdio>
#include <nn/nn.hpp>

using namespace xgrad;

struct Xor : nn::Module {
  nn::Linear hidden{2, 8}, output{8, 1};
  XGRAD_MODULE(hidden, output)
  Tensor operator()(const Tensor& x) const { return output(tanh(hidden(x))); }
};

int main() {
  const Tensor inputs{{0.f, 0.f}, {0.f, 1.f}, {1.f, 0.f}, {1.f, 1.f}};
  const Tensor targets{{0.f}, {1.f}, {1.f}, {0.f}};

  manual_seed(1);
  Xor model;
  nn::Adam optimizer(model.parameters(), {.learning_rate = 0.05});
  for (int step = 0; step <= 300; ++step) {
    const Tensor loss = nn::binary_cross_entropy_with_logits(model(inputs), targets);
    if (step % 50 == 0) std::printf("step %3d  loss %.5f\n", step, loss.item());
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
  }

  const Tensor probabilities = no_grad([&] { return sigmoid(model(inputs)); });
  bool learned = true;
  for (std::size_t i = 0; i < 4; ++i) {
    const float p = probabilities.array<float>()(i, 0), target = targets.array<float>()(i, 0);
    std::printf("%.0f xor %.0f = %.0f, the model says %.4f\n", inputs.array<float>()(i, 0), inputs.array<float>()(i, 1),
                target, p);
    learned = learned && (target > 0.5f ? p > 0.95f : p < 0.05f);
  }
  std::puts(learned ? "learned" : "NOT learned");
  return learned ? 0 : 1;
}
