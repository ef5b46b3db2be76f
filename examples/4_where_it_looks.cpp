// Where the network looks: the gradient of what it says with respect to the pixels it saw.
//
// For one test image of each class, the derivative of the predicted class's logit by each pixel is drawn beside the
// image: red where more light would make the network surer, blue where less would (Simonyan, Vedaldi, Zisserman 2013).
// A single gradient is grainy; the mean over noisy copies shows the shape (SmoothGrad: Smilkov et al. 2017).
// Takes the model that the Fashion-MNIST demo saved, or trains one for some seconds.
#include <CLI/CLI.hpp>
#include <examples/command_line.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <nn/nn.hpp>

#include "fashion_mnist/classifier.hpp"
#include "fashion_mnist/dataset.hpp"
#include "fashion_mnist/image.hpp"
#include "fashion_mnist/text.hpp"

using namespace xgrad;

namespace {

using fashion_mnist::class_names;
using fashion_mnist::Classifier;
using fashion_mnist::TrainedClassifier;

/// Two passes over some of the images: enough to see by.
TrainedClassifier train_briefly(const std::string& data) {
  const nn::Dataset raw = fashion_mnist::read(data, "train", 12000);
  const nn::Standardize scaling(raw.inputs, Axes{});
  manual_seed(0);
  TrainedClassifier trained{Classifier({128}, "relu"), scaling};
  nn::Adam optimizer(trained.model.parameters(), {.learning_rate = 1e-3});
  nn::DataLoader loader({scaling(raw.inputs).evaluate(), raw.targets}, {.batch_size = 64});
  for (int epoch = 0; epoch < 2; ++epoch)
    for (const auto& [images, labels] : loader) {
      optimizer.zero_grad();
      nn::cross_entropy(trained.model(images), labels).backward();
      optimizer.step();
    }
  return trained;
}

/// The logit that `trained` gives each image's class, (n, 1), as a function of the pixels.
Tensor logit_of(const TrainedClassifier& trained, const Tensor& pixels, const Tensor& classes) {
  return take_along_axis(trained.model(trained.scaling(pixels)), classes.reshape({classes.size(), 1}), 1);
}

/// d logit / d pixel, (n, 784).
Tensor input_gradient(const TrainedClassifier& trained, const Tensor& pixels, const Tensor& classes) {
  Tensor x = pixels.detach();
  x.set_requires_grad();
  return grad(sum(logit_of(trained, x, classes)), x);
}

/// The mean of the input gradients of noisy copies.
Tensor smooth_gradient(const TrainedClassifier& trained, const Tensor& pixels, const Tensor& classes) {
  constexpr int copies = 40;
  Generator generator(0);
  Tensor total = zeros(pixels.shape());
  for (int i = 0; i < copies; ++i)
    total = total + input_gradient(trained, pixels + generator.normal(pixels.shape(), 0, 0.15 * 255), classes);
  return (total / copies).evaluate();
}

/// Row numbers of the first image of each class that the network reads rightly.
std::vector<std::int64_t> choose(const TrainedClassifier& trained, const nn::Dataset& test) {
  const Tensor guesses = no_grad([&] { return argmax(trained.model(trained.scaling(test.inputs)), 1); });
  const auto guess = guesses.array<std::int64_t>(), truth = test.targets.array<std::int64_t>();
  std::vector<std::int64_t> rows;
  for (std::int64_t each = 0; each < 10; ++each)
    for (std::size_t i = 0; i < truth.size(); ++i)
      if (truth(i) == each && guess(i) == each) {
        rows.push_back(static_cast<std::int64_t>(i));
        break;
      }
  return rows;
}

/// The largest relative error of the gradient along itself, g·g, against a central difference of the logit, in float64.
double worst_error(TrainedClassifier& trained, const Tensor& pixels, const Tensor& classes) {
  trained.model.to(DType::float64);
  const Tensor x = pixels.to(DType::float64), g = input_gradient(trained, x, classes);
  NoGrad guard;
  // A short step: the network is linear but where a relu bends.
  const Tensor h = 1e-4 / sqrt(sum(square(g), 1, true));
  const Tensor difference = (logit_of(trained, x + h * g, classes) - logit_of(trained, x - h * g, classes)) / (2 * h);
  const Tensor expected = sum(square(g), 1, true);
  return max(abs(difference - expected) / expected).item();
}

std::string picture(const std::vector<std::uint8_t>& pixels) {
  return "<img src=\"" + fashion_mnist::png_uri(pixels, 28, 28) + "\" alt=\"\">";
}

std::string grey(const float* image) {
  std::vector<std::uint8_t> pixels(784);
  std::transform(image, image + 784, pixels.begin(),
                 [](float value) { return static_cast<std::uint8_t>(std::lround(value)); });
  return picture(pixels);
}

/// From blue over white to red; the 99th percentile is full colour.
std::string signed_heat(const float* gradient) {
  std::vector<float> sizes(784);
  std::transform(gradient, gradient + 784, sizes.begin(), [](float value) { return std::abs(value); });
  std::nth_element(sizes.begin(), sizes.begin() + 776, sizes.end());
  const float full = std::max(sizes[776], 1e-30f);
  std::vector<std::uint8_t> pixels;
  for (std::size_t i = 0; i < 784; ++i) {
    const float depth = std::min(1.f, std::abs(gradient[i]) / full);
    const int color[2][3] = {{33, 102, 172}, {178, 24, 43}};
    for (const int channel : color[gradient[i] > 0])
      pixels.push_back(static_cast<std::uint8_t>(std::lround(255 + depth * static_cast<float>(channel - 255))));
  }
  return picture(pixels);
}

constexpr const char* page_begin = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Where the network looks</title>
<style>
  body { margin: 0 auto; max-width: 1000px; padding: 28px 24px; color: #1f2933; font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
  h1 { font-size: 24px; margin: 0 0 6px; } p { color: #52606d; max-width: 760px; margin: 0 0 20px; }
  .all { display: grid; grid-template-columns: repeat(auto-fill, minmax(440px, 1fr)); gap: 20px; }
  figure { margin: 0; } figcaption { font-weight: 600; margin-bottom: 4px; } figcaption span { font-weight: 400; color: #52606d; }
  .row { display: flex; gap: 8px; }
  img { width: 140px; height: 140px; image-rendering: pixelated; border: 1px solid #d5dae0; border-radius: 4px; }
</style></head><body>
<h1>Where the network looks</h1>
<p>Left the image, in the middle the gradient of the predicted class's logit with respect to its pixels, right the mean
of such gradients over noisy copies. Red: more light there makes the network surer. Blue: less light does.</p>
<div class="all">
)";

void write_page(const std::string& path, const nn::Dataset& chosen, const Tensor& probabilities, const Tensor& plain,
                const Tensor& smooth) {
  std::string page = page_begin;
  for (std::int64_t i = 0; i < chosen.size(); ++i) {
    const auto label = chosen.targets.data<std::int64_t>()[i];
    page += std::string("<figure><figcaption>") + class_names[static_cast<std::size_t>(label)] + " <span>" +
            fashion_mnist::percent(probabilities.data<float>()[10 * i + label]) +
            "</span></figcaption><div class=\"row\">" + grey(chosen.inputs.data<float>() + 784 * i) +
            signed_heat(plain.data<float>() + 784 * i) + signed_heat(smooth.data<float>() + 784 * i) +
            "</div></figure>\n";
  }
  std::ofstream file(path, std::ios::binary);
  file << page << "</div></body></html>\n";
  file.close();
  if (!file) throw std::runtime_error(path + ": cannot be written");
}

int run(const std::string& model_path, const std::string& data, const std::string& output) {
  TrainedClassifier trained = model_path.empty() ? train_briefly(data) : fashion_mnist::load(model_path);
  const nn::Dataset test = fashion_mnist::read(data, "t10k", 2000);
  const auto rows = choose(trained, test);
  if (rows.size() < 10) {
    std::fputs("4_where_it_looks: the network reads no image of some class rightly\n", stderr);
    return 1;
  }
  const nn::Dataset chosen = test.take(Tensor(xt::adapt(rows)));
  const Tensor plain = input_gradient(trained, chosen.inputs, chosen.targets);
  const Tensor smooth = smooth_gradient(trained, chosen.inputs, chosen.targets);
  const Tensor probabilities = no_grad([&] { return softmax(trained.model(trained.scaling(chosen.inputs))); });
  write_page(output, chosen, probabilities, plain, smooth);
  std::printf("picture: %s\n", output.c_str());

  const double error = worst_error(trained, chosen.inputs, chosen.targets);
  std::printf("the gradients agree with central differences to %.1e\n", error);
  return error < 1e-5 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::string model, data = fashion_mnist::default_folder, output = "where_it_looks.html";
  CLI::App app("Draws which pixels of an image a classifier's answer hangs on.", "4_where_it_looks");
  app.add_option("--model", model, "what the Fashion-MNIST demo saved; without it a small one is trained");
  app.add_option("--data", data, "folder with the IDX files of Fashion-MNIST")->capture_default_str();
  app.add_option("--output", output, "the page to write")->capture_default_str();
  app.failure_message(command_line::failure_message);
  CLI11_PARSE(app, argc, argv);
  try {
    return run(model, data, output);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "4_where_it_looks: %s\n", error.what());
    return 1;
  }
}
