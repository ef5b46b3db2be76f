// What an epoch of the Fashion-MNIST demo takes, over what its matrix products alone take through BLAS: the bar that a
// training step can approach but not pass. Both are timed in turn, on random images of the same number and size, and the
// median of the ratios counts, since a machine's speed drifts.
//
//     benchmark_epoch [threads]
#include <cblas.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <nn/nn.hpp>
#include <vector>

using namespace xgrad;

namespace {

constexpr std::int64_t batch = 128, rounds = 9, steps_of_round = 60000 / batch / 3;
constexpr int widths[] = {784, 256, 128, 10};

struct Classifier : nn::Module {
  nn::Linear first{784, 256}, second{256, 128}, output{128, 10};
  XGRAD_MODULE(first, second, output)
  Tensor operator()(const Tensor& x) const { return output(relu(second(relu(first(x))))); }
};

template <class F>
double seconds(F&& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The products of one step, on buffers laid out beforehand: forward, by the weights, and by the inputs but the first.
class Products {
 public:
  Products() {
    for (const int width : widths) activations_.emplace_back(static_cast<std::size_t>(batch * width), 0.5f);
    for (int i = 0; i < 3; ++i) weights_.emplace_back(static_cast<std::size_t>(widths[i] * widths[i + 1]), 0.25f);
    gradients_ = activations_;
    weight_gradients_ = weights_;
  }
  void step() {
    for (int i = 0; i < 3; ++i)  // y = x · Wᵀ
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, batch, widths[i + 1], widths[i], 1, activations_[i].data(), widths[i],
                  weights_[i].data(), widths[i], 0, activations_[i + 1].data(), widths[i + 1]);
    for (int i = 3; i-- > 0;) {  // dW = dyᵀ · x, dx = dy · W
      cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, widths[i + 1], widths[i], batch, 1, gradients_[i + 1].data(), widths[i + 1],
                  activations_[i].data(), widths[i], 0, weight_gradients_[i].data(), widths[i]);
      if (i > 0)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, batch, widths[i], widths[i + 1], 1, gradients_[i + 1].data(),
                    widths[i + 1], weights_[i].data(), widths[i], 0, gradients_[i].data(), widths[i]);
    }
  }

 private:
  std::vector<std::vector<float>> activations_, weights_, gradients_, weight_gradients_;
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  set_num_threads(argc > 1 ? std::max(1, std::atoi(argv[1])) : num_threads());
  Generator generator(1);
  const nn::Dataset data(generator.normal({60000, 784}), generator.integers({60000}, 0, 10));
  nn::DataLoader loader(data, {.batch_size = batch, .drop_last = true});
  Classifier model;
  nn::Adam optimizer(model.parameters());
  Products products;

  std::vector<double> ratios, training;
  double loss_sum = 0;
  auto batches = loader.begin();
  for (int round = -1; round < rounds; ++round) {  // the first warms up
    const double ours = seconds([&] {
      for (int step = 0; step < steps_of_round; ++step, ++batches) {
        if (batches == loader.end()) batches = loader.begin();
        const auto [images, labels] = *batches;
        const Tensor loss = nn::cross_entropy(model(images), labels);
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();
        loss_sum += loss.item();
      }
    });
    const double bar = seconds([&] {
      for (int step = 0; step < steps_of_round; ++step) products.step();
    });
    if (round < 0) continue;
    ratios.push_back(ours / bar);
    training.push_back(ours * 3);
  }
  std::printf("%d threads, batches of %d, Adam: an epoch of 60,000 images takes %.2f s, %.2f times its matrix products alone\n",
              num_threads(), static_cast<int>(batch), median(training), median(ratios));
  std::printf("(mean loss %.3f)\n", loss_sum / (steps_of_round * (rounds + 1)));
}
