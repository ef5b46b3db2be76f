// A model of one's own, with parameters that no ready-made layer has, and the proof that its gradients are right.
//
// A network of radial basis functions (Broomhead, Lowe 1988): y = Σ_k c_k exp(-((x - m_k) · e^s_k)²) + c_0. Centres m
// and logarithmic sharpness s are the module's own; the weighted sum is a Linear.
#include <iostream>
#include <nn/nn.hpp>

using namespace xgrad;

struct RadialBasis : nn::Module {
  Tensor centers, log_sharpness;
  nn::Linear readout;
  XGRAD_MODULE(centers, log_sharpness, readout)

  explicit RadialBasis(std::int64_t n)
      : centers(nn::parameter(linspace(-3, 3, n))), log_sharpness(nn::parameter(zeros({n}))), readout(n, 1) {}

  /// (rows, 1) to (rows, 1); the first subtraction broadcasts to (rows, n).
  Tensor operator()(const Tensor& x) const {
    const Tensor distance = (x - centers) * exp(log_sharpness);
    return readout(exp(-square(distance)));
  }
};

/// The same with a mistake that trains quietly on: the sharpness is cut off from the tape.
struct Forgetful : RadialBasis {
  using RadialBasis::RadialBasis;
  Tensor operator()(const Tensor& x) const {
    const Tensor distance = (x - centers) * exp(log_sharpness).detach();
    return readout(exp(-square(distance)));
  }
};

int main() {
  const Tensor x = linspace(-3, 3, 61).reshape({61, 1});
  const Tensor y = sin(2 * x) * exp(-0.1 * square(x));

  manual_seed(0);
  RadialBasis model(12);
  for (const auto& [name, tensor] : model.named_parameters())
    std::cout << name << ' ' << to_string(tensor.shape()) << '\n';

  nn::Adam optimizer(model.parameters(), {.learning_rate = 0.03});
  const auto loss_of = [&] { return nn::mse_loss(model(x), y); };
  for (int step = 0; step <= 500; ++step) {
    const Tensor loss = loss_of();
    if (step % 100 == 0) std::cout << "step " << step << "  loss " << loss.item() << '\n';
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
  }
  const double final_loss = loss_of().item();

  // One model class serves both: float32 to train, float64 to be checked to the digits that differences give.
  model.to(DType::float64);
  const Tensor x64 = x.to(DType::float64), y64 = y.to(DType::float64);
  const GradcheckResult check = nn::gradcheck(model, [&] { return nn::mse_loss(model(x64), y64); });
  std::cout << "\ngradient check: " << (check ? "passed" : "FAILED") << '\n' << check.report();

  Forgetful wrong(12);
  wrong.to(DType::float64);
  const GradcheckResult caught = nn::gradcheck(wrong, [&] { return nn::mse_loss(wrong(x64), y64); });
  std::cout << "\nof the model with a mistake: " << (caught ? "passed, though it SHOULD NOT" : "failed, as it should")
            << '\n'
            << caught.report() << '\n';

  return final_loss < 1e-3 && check && !caught ? 0 : 1;
}
