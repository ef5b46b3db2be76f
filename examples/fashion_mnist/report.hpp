// The run as a web page that needs nothing beside itself.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "metrics.hpp"

namespace fashion_mnist {

/// What an epoch of training came to.
struct EpochRecord {
  double train_loss = 0, train_accuracy = 0;  ///< over the epoch's own batches, as the model was changing
  double test_loss = 0, test_accuracy = 0;    ///< after the epoch
  double seconds = 0;                         ///< of training
};

/// How the model read one image.
struct Reading {
  std::int64_t truth = 0, prediction = 0;
  double confidence = 0;             ///< the probability the model gave its prediction
  double truth_probability = 0;      ///< the probability it gave what the image is
  std::vector<std::uint8_t> pixels;  ///< 28 × 28, row-major
};

struct Report {
  std::string title;
  std::vector<std::pair<std::string, std::string>> settings;  ///< what was run, by name
  std::vector<std::string> classes;
  std::vector<EpochRecord> epochs;
  ConfusionMatrix confusion{0};
  std::vector<Reading> misread;  ///< shown in the order given
};

/// The page. Throws std::invalid_argument when there is no epoch, the matrix does not have as many classes as there
/// are names, or a picture is not 28 × 28.
std::string html(const Report& report);

}  // namespace fashion_mnist
