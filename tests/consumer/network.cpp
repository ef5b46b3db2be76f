// A user's program that includes everything: a model of its own, trained, checked, saved and read back.
#include <autodiff/autodiff.hpp>
#include <filesystem>
#include <iostream>
#include <nn/nn.hpp>

using namespace xgrad;

struct Classifier : nn::Module {
  nn::Linear hidden{2, 8}, output{8, 2};
  XGRAD_MODULE(hidden, output)
  Tensor operator()(const Tensor& x) const { return output(tanh(hidden(x))); }
};

int main() {
  manual_seed(1);
  const Tensor points = xt::xarray<float>{{0, 0}, {0, 1}, {1, 0}, {1, 1}};
  const Tensor labels{0, 1, 1, 0};
  Classifier model;
  nn::Adam optimizer(model.parameters(), {.learning_rate = 0.05});
  for (int step = 0; step < 100; ++step) {
    optimizer.zero_grad();
    nn::cross_entropy(model(points), labels).backward();
    optimizer.step();
  }
  const xt::xarray<float> probabilities = softmax(model(points)).array<float>();

  const auto path = std::filesystem::current_path() / "network.safetensors";
  nn::save(model, path.string());
  Classifier again;
  nn::load(again, path.string());
  const xt::xarray<float> same = softmax(again(points)).array<float>();

  const Tensor x = points.to(DType::float64);
  const auto curved = [](const std::vector<Tensor>& in) { return sum(exp(-square(in[0])), 1); };
  std::cout << probabilities(0, 0) << ' ' << probabilities(1, 1) << '\n';
  return probabilities(0, 0) > 0.8f && probabilities(1, 1) > 0.8f && same == probabilities && gradcheck(curved, {x}) ? 0 : 1;
}
