#include "training.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "dataset.hpp"
#include "progress.hpp"
#include "text.hpp"

namespace fashion_mnist {

namespace {

using xgrad::Tensor;
namespace nn = xgrad::nn;

constexpr std::size_t class_count = class_names.size();

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// How many rows of logits have their largest entry where the label says.
std::int64_t count_right(const Tensor& logits, const Tensor& labels) {
  return xgrad::no_grad([&] { return sum(argmax(logits.detach(), 1) == labels); }).item<std::int64_t>();
}

}  // namespace

Evaluation evaluate(const Classifier& model, const nn::Dataset& data) {
  xgrad::NoGrad guard;
  Evaluation result;
  nn::DataLoader batches(data, {.batch_size = 1000, .shuffle = false});
  for (const auto& [images, labels] : batches) {
    const Tensor logits = model(images);
    result.loss += nn::cross_entropy(logits, labels, {.reduction = nn::Reduction::sum}).item();
    const auto probabilities = softmax(logits).array<float>();
    const auto truths = labels.array<std::int64_t>();
    for (std::size_t i = 0; i < truths.size(); ++i) {
      const float* row = probabilities.data() + i * class_count;
      const auto prediction = std::max_element(row, row + class_count) - row;
      result.confusion.add(truths(i), prediction);
      result.readings.push_back({truths(i), prediction, row[prediction], row[truths(i)], {}});
    }
  }
  result.loss /= static_cast<double>(data.size());
  return result;
}

std::unique_ptr<nn::Optimizer> make_optimizer(const Options& options, const Classifier& model) {
  const double rate = options.learning_rate;
  if (options.optimizer == "sgd")
    return std::make_unique<nn::SGD>(model.parameters(),
                                     nn::SGDOptions{.learning_rate = rate, .momentum = 0.9, .nesterov = true});
  if (options.optimizer == "adamw")
    return std::make_unique<nn::AdamW>(model.parameters(), nn::AdamWOptions{.learning_rate = rate});
  return std::make_unique<nn::Adam>(model.parameters(), nn::AdamOptions{.learning_rate = rate});
}

std::vector<EpochRecord> train(Classifier& model, const nn::Dataset& train, const nn::Dataset& test,
                               const Options& options,
                               const std::function<void(std::size_t, const EpochRecord&)>& after_epoch) {
  nn::DataLoader loader(train, {.batch_size = options.batch_size, .seed = options.seed});
  const auto optimizer = make_optimizer(options, model);
  const std::int64_t total_steps = options.epochs * loader.size();
  // One step has no cycle to go through.
  nn::OneCycleLR schedule(*optimizer, options.learning_rate, std::max<std::int64_t>(2, total_steps), {.warm_up = 0.1});

  std::vector<EpochRecord> records;
  Progress progress;
  for (std::int64_t epoch = 1; epoch <= options.epochs; ++epoch) {
    const std::string label = "epoch " + std::to_string(epoch) + "/" + std::to_string(options.epochs);
    const auto start = Clock::now();
    double loss_sum = 0;
    std::int64_t seen = 0, right = 0, batch = 0;
    for (const auto& [images, labels] : loader) {
      ++batch;
      const Tensor logits = model(images);
      const Tensor loss = nn::cross_entropy(logits, labels);
      const double value = loss.item();
      if (!std::isfinite(value))
        throw std::runtime_error(label + ", batch " + std::to_string(batch) + ": the loss is " +
                                 (std::isnan(value) ? "NaN" : "infinite") + "; try a --learning-rate below " +
                                 detail::exact(options.learning_rate));
      optimizer->zero_grad();
      loss.backward();
      optimizer->step();
      if (schedule.steps() + 1 < total_steps) schedule.step();

      const std::int64_t size = labels.size();
      loss_sum += value * static_cast<double>(size);
      right += count_right(logits, labels);
      seen += size;
      progress.show(label, seen, train.size(), loss_sum / static_cast<double>(seen),
                    static_cast<double>(seen) / seconds_since(start));
    }
    EpochRecord record;
    record.seconds = seconds_since(start);
    record.train_loss = loss_sum / static_cast<double>(seen);
    record.train_accuracy = static_cast<double>(right) / static_cast<double>(seen);
    const Evaluation evaluation = evaluate(model, test);
    if (!std::isfinite(evaluation.loss))
      throw std::runtime_error(label + ": the loss on the test images is not finite" +
                               "; try a --learning-rate below " + detail::exact(options.learning_rate));
    record.test_loss = evaluation.loss;
    record.test_accuracy = evaluation.confusion.accuracy();
    progress.clear();
    records.push_back(record);
    after_epoch(records.size(), record);
  }
  return records;
}

}  // namespace fashion_mnist
