#include "options.hpp"

#include <CLI/CLI.hpp>
#include <autodiff/evaluate/threads.hpp>
#include <cmath>
#include <iostream>
#include <limits>

#include "classifier.hpp"
#include "dataset.hpp"

namespace fashion_mnist {

namespace {

std::vector<std::string> activation_names() {
  std::vector<std::string> names;
  for (const auto& [name, function] : activations()) names.push_back(name);
  return names;
}

/// CLI11 says some things over several lines.
std::string one_line(std::string text) {
  for (char& c : text)
    if (c == '\n') c = ' ';
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

}  // namespace

std::variant<Options, int> parse(int argc, const char* const* argv) {
  Options options;
  options.data = default_folder;
  options.threads = xgrad::num_threads();
  CLI::App app("Trains a dense network on Fashion-MNIST and reports how well it reads the test images.\n"
               "Writes the model (safetensors) and a web page with curves, confusion matrix and misread images.", "fashion_mnist");
  app.get_formatter()->column_width(34);
  const auto at_least_1 = CLI::Range(std::int64_t{1}, std::numeric_limits<std::int64_t>::max()).description("");
  app.add_option("--data", options.data, "folder with the four IDX files, gzipped or plain")->capture_default_str();
  app.add_option("--epochs", options.epochs, "times to go through the training images")->check(at_least_1)->capture_default_str();
  app.add_option("--batch-size", options.batch_size, "images a step")->check(at_least_1)->capture_default_str();
  app.add_option("--learning-rate", options.learning_rate,
                 "at its highest; it rises over the first tenth of the steps and falls to almost 0 [0.002, sgd: 0.1]")
      ->check(CLI::Validator(
          [](std::string& text) {
            double value = 0;
            return CLI::detail::lexical_cast(text, value) && std::isfinite(value) && value > 0 ? "" : "must be a number above 0: " + text;
          }, ""));
  app.add_option("--optimizer", options.optimizer, "adam, adamw or sgd (with Nesterov's momentum 0.9)")
      ->check(CLI::IsMember({"adam", "adamw", "sgd"}).description(""))->capture_default_str();
  app.add_option("--widths", options.widths, "of the hidden layers, with commas between")
      ->delimiter(',')->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20).description(""))->capture_default_str();
  app.add_option("--activation", options.activation, "elu, gelu, leaky_relu, relu, sigmoid, silu, softplus or tanh")
      ->check(CLI::IsMember(activation_names()).description(""))->capture_default_str();
  app.add_option("--seed", options.seed, "of the initial weights and the order of the images; the same seed and number of "
                 "threads give the same model to the bit")->capture_default_str();
  app.add_option("--threads", options.threads, "threads BLAS may use")->check(CLI::Range(1, 1024).description(""))->capture_default_str();
  app.add_option("--output", options.output, "folder to write to; made when it is not there")->capture_default_str();
  app.add_option("--limit", options.limit, "use only so many images of each part, for a quick try")->check(at_least_1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    std::cerr << "fashion_mnist: " << one_line(error.what()) << "; see --help\n";
    return 2;
  }
  if (options.learning_rate == 0) options.learning_rate = options.optimizer == "sgd" ? 0.1 : 0.002;
  return options;
}

}  // namespace fashion_mnist
