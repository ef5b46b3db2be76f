#include "options.hpp"

#include <CLI/CLI.hpp>
#include <examples/command_line.hpp>
#include <algorithm>
#include <autodiff/kernels/threads.hpp>
#include <charconv>
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

/// A check that says in plain words what is wanted.
CLI::Validator whole_number(std::int64_t low, std::int64_t high) {
  return {[low, high](std::string& text) -> std::string {
            std::int64_t value = 0;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
            if (error == std::errc() && end == text.data() + text.size() && value >= low && value <= high) return "";
            return "must be a whole number from " + std::to_string(low) + " to " + std::to_string(high) + ", not " +
                   text;
          },
          ""};
}

CLI::Validator positive_number() {
  return {[](std::string& text) -> std::string {
            double value = 0;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
            if (error == std::errc() && end == text.data() + text.size() && std::isfinite(value) && value > 0)
              return "";
            return "must be a number above 0, not " + text;
          },
          ""};
}

CLI::Validator one_of(const std::vector<std::string>& names) {
  return {[names](std::string& text) -> std::string {
            if (std::find(names.begin(), names.end(), text) != names.end()) return "";
            std::string all;
            for (const auto& name : names) all += (all.empty() ? "" : ", ") + name;
            return "must be one of " + all + ", not " + text;
          },
          ""};
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
  CLI::App app(
      "Trains a dense network on Fashion-MNIST and reports how well it reads the test images.\n"
      "Writes the model (safetensors) and a web page with curves, confusion matrix and misread images.",
      "fashion_mnist");
  app.get_formatter()->column_width(34);
  constexpr std::int64_t million = 1000000;
  app.add_option("--data", options.data, "folder with the four IDX files, gzipped or plain")->capture_default_str();
  app.add_option("--epochs", options.epochs, "times to go through the training images")
      ->check(whole_number(1, million))
      ->capture_default_str();
  app.add_option("--batch-size", options.batch_size, "images a step")
      ->check(whole_number(1, million))
      ->capture_default_str();
  app.add_option("--learning-rate", options.learning_rate,
                 "at its highest: it rises over the first tenth of the steps and falls to almost 0; 0.002 unless "
                 "given, for sgd 0.1")
      ->check(positive_number());
  app.add_option("--optimizer", options.optimizer, "adam, adamw, or sgd with Nesterov's momentum 0.9")
      ->check(one_of({"adam", "adamw", "sgd"}))
      ->capture_default_str();
  app.add_option("--widths", options.widths, "of the hidden layers, with commas between")
      ->delimiter(',')
      ->check(whole_number(1, million))
      ->capture_default_str();
  app.add_option("--activation", options.activation, "elu, gelu, leaky_relu, relu, sigmoid, silu, softplus or tanh")
      ->check(one_of(activation_names()))
      ->capture_default_str();
  app.add_option("--seed", options.seed,
                 "of the initial weights and the order of the images; the same seed and number of "
                 "threads give the same model to the bit")
      ->check(whole_number(0, std::numeric_limits<std::int64_t>::max()))
      ->capture_default_str();
  app.add_option("--threads", options.threads, "threads BLAS may use")
      ->check(whole_number(1, 1024))
      ->capture_default_str();
  app.add_option("--output", options.output, "folder to write to; made when it is not there")->capture_default_str();
  app.add_option("--limit", options.limit, "use only so many images of each part, for a quick try")
      ->check(whole_number(1, million));
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    std::cerr << "fashion_mnist: " << one_line(error.what()) << command_line::suggestion(app) << "; see --help\n";
    return 2;
  }
  if (options.learning_rate == 0) options.learning_rate = options.optimizer == "sgd" ? 0.1 : 0.002;
  return options;
}

}  // namespace fashion_mnist
