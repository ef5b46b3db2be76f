// Training the classifier and testing it.
#pragma once

#include <functional>
#include <memory>

#include "classifier.hpp"
#include "metrics.hpp"
#include "options.hpp"
#include "report.hpp"

namespace fashion_mnist {

/// How a model reads a whole dataset.
struct Evaluation {
  double loss = 0;  ///< mean cross entropy
  ConfusionMatrix confusion{10};
  std::vector<Reading> readings;  ///< of each image in order, without pixels
};
Evaluation evaluate(const Classifier& model, const xgrad::nn::Dataset& data);

/// Adam, AdamW, or SGD with Nesterov's momentum 0.9.
std::unique_ptr<xgrad::nn::Optimizer> make_optimizer(const Options& options, const Classifier& model);

/// Trains on `train`; after each epoch tests on `test` and hands the record to `after_epoch`. Inputs are scaled. Throws
/// std::runtime_error, naming epoch and batch, when the loss is no longer finite.
std::vector<EpochRecord> train(Classifier& model, const xgrad::nn::Dataset& train, const xgrad::nn::Dataset& test,
                               const Options& options,
                               const std::function<void(std::size_t epoch, const EpochRecord&)>& after_epoch);

}  // namespace fashion_mnist
