// Trains a classifier on Fashion-MNIST, tests it, and writes the model and a report.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <system_error>

#include "classifier.hpp"
#include "dataset.hpp"
#include "options.hpp"
#include "report.hpp"
#include "text.hpp"
#include "training.hpp"

namespace {

using namespace fashion_mnist;
using xgrad::Tensor;
namespace nn = xgrad::nn;

std::string architecture(const Classifier& model) {
  std::string text = "784";
  for (const std::int64_t width : model.hidden_widths) text.append("-").append(std::to_string(width));
  return text + "-10";
}

void print_epoch(std::size_t epoch, const EpochRecord& record, const Options& options, std::int64_t images) {
  std::printf(
      "epoch %2zu/%lld  train loss %.4f  accuracy %.2f %%  test loss %.4f  accuracy %.2f %%  %.2f s  %s images/s\n",
      epoch, static_cast<long long>(options.epochs), record.train_loss, 100 * record.train_accuracy, record.test_loss,
      100 * record.test_accuracy, record.seconds,
      grouped(std::llround(static_cast<double>(images) / record.seconds)).c_str());
  std::fflush(stdout);
}

void print_confusion(const ConfusionMatrix& confusion) {
  std::printf("\nconfusion matrix: what it is (rows), what it was read as (columns)\n%-12s", "");
  for (const char* name : class_names) std::printf("%6.4s", name);
  std::printf("%8s\n", "recall");
  for (std::size_t truth = 0; truth < confusion.classes(); ++truth) {
    std::printf("%-12s", class_names[truth]);
    for (std::size_t guess = 0; guess < confusion.classes(); ++guess)
      std::printf("%6lld", static_cast<long long>(confusion.count(truth, guess)));
    std::printf("%8s\n", percent(confusion.recall(truth)).c_str());
  }
  const std::size_t worst = confusion.worst_class(), taken_for = confusion.most_confused_with(worst);
  std::printf("\nworst class: %s, %s of its images read rightly, %lld taken for %s\n", class_names[worst],
              percent(confusion.recall(worst)).c_str(), static_cast<long long>(confusion.count(worst, taken_for)),
              class_names[taken_for]);
}

/// The mistakes the model was surest of, at most three of a kind, with their pictures.
std::vector<Reading> surest_mistakes(std::vector<Reading> readings, const Tensor& pixels, std::size_t count) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < readings.size(); ++i)
    if (readings[i].prediction != readings[i].truth) order.push_back(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return readings[a].confidence > readings[b].confidence; });
  std::map<std::pair<std::int64_t, std::int64_t>, int> of_kind;
  std::vector<Reading> chosen;
  const auto values = pixels.array<float>();
  for (const std::size_t i : order) {
    if (chosen.size() == count) break;
    if (++of_kind[{readings[i].truth, readings[i].prediction}] > 3) continue;
    const float* image = values.data() + i * 784;
    readings[i].pixels.resize(784);
    std::transform(image, image + 784, readings[i].pixels.begin(),
                   [](float value) { return static_cast<std::uint8_t>(value); });
    chosen.push_back(std::move(readings[i]));
  }
  return chosen;
}

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) throw std::runtime_error(path.string() + ": cannot be written");
}

/// Makes the folder now, for to find out after the training that it cannot be made would be late.
void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error || !std::filesystem::is_directory(folder))
    throw std::runtime_error(folder.string() + ": cannot be made a folder" + (error ? ": " + error.message() : ""));
}

std::vector<std::pair<std::string, std::string>> settings(const Options& options, const Classifier& model,
                                                          const nn::Dataset& train, const nn::Dataset& test) {
  return {{"Layers", architecture(model)},
          {"Parameters", grouped(model.parameter_count())},
          {"Activation", options.activation},
          {"Optimiser", options.optimizer},
          {"Highest learning rate", detail::exact(options.learning_rate) + ", one cycle"},
          {"Batch size", std::to_string(options.batch_size)},
          {"Epochs", std::to_string(options.epochs)},
          {"Seed", std::to_string(options.seed)},
          {"Threads", std::to_string(options.threads)},
          {"Training images", grouped(train.size())},
          {"Test images", grouped(test.size())},
          {"Data", options.data.string()}};
}

void run(const Options& options) {
  xgrad::set_num_threads(options.threads);
  nn::Dataset train_data = read(options.data, "train", options.limit);
  const nn::Dataset test_data = read(options.data, "t10k", options.limit);
  make_folder(options.output);
  const nn::Standardize scaling(train_data.inputs, xgrad::Axes{});
  train_data.inputs = scaling(train_data.inputs).evaluate();
  const nn::Dataset test_scaled(scaling(test_data.inputs).evaluate(), test_data.targets);

  xgrad::manual_seed(options.seed);
  Classifier model(options.widths, options.activation);
  std::printf("Fashion-MNIST: %s training and %s test images from %s\n", grouped(train_data.size()).c_str(),
              grouped(test_data.size()).c_str(), options.data.c_str());
  std::printf("%s, %s, %s parameters; %s, learning rate up to %s, batches of %lld, seed %llu, %d thread%s\n\n",
              architecture(model).c_str(), options.activation.c_str(), grouped(model.parameter_count()).c_str(),
              options.optimizer.c_str(), detail::exact(options.learning_rate).c_str(),
              static_cast<long long>(options.batch_size), static_cast<unsigned long long>(options.seed),
              options.threads, options.threads == 1 ? "" : "s");

  Report report;
  report.epochs = train(model, train_data, test_scaled, options, [&](std::size_t epoch, const EpochRecord& record) {
    print_epoch(epoch, record, options, train_data.size());
  });
  Evaluation evaluation = evaluate(model, test_scaled);
  print_confusion(evaluation.confusion);

  report.title = "Fashion-MNIST, " + architecture(model);
  report.settings = settings(options, model, train_data, test_data);
  report.classes.assign(class_names.begin(), class_names.end());
  report.confusion = evaluation.confusion;
  report.misread = surest_mistakes(std::move(evaluation.readings), test_data.inputs, 42);
  const auto model_path = options.output / "model.safetensors", report_path = options.output / "report.html";
  save(model, scaling, model_path);
  write_file(report_path, html(report));
  std::printf("\nmodel:  %s\nreport: %s\n", model_path.c_str(), report_path.c_str());
  std::printf("test accuracy: %.4f\n", evaluation.confusion.accuracy());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto options = parse(argc, argv);
    if (const int* code = std::get_if<int>(&options)) return *code;
    run(std::get<Options>(options));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fashion_mnist: %s\n", error.what());
    return 1;
  }
}
