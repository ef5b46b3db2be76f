#include "metrics.hpp"

#include <stdexcept>
#include <string>

namespace fashion_mnist {

namespace {

double share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

}  // namespace

void ConfusionMatrix::add(std::int64_t truth, std::int64_t prediction) {
  const auto classes = static_cast<std::int64_t>(classes_);
  for (const std::int64_t each : {truth, prediction})
    if (each < 0 || each >= classes)
      throw std::out_of_range("ConfusionMatrix: class " + std::to_string(each) + " of " + std::to_string(classes));
  ++counts_[static_cast<std::size_t>(truth * classes + prediction)];
}

std::int64_t ConfusionMatrix::images_of(std::size_t truth) const {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < classes_; ++i) sum += count(truth, i);
  return sum;
}

std::int64_t ConfusionMatrix::read_as(std::size_t prediction) const {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < classes_; ++i) sum += count(i, prediction);
  return sum;
}

std::int64_t ConfusionMatrix::total() const {
  std::int64_t sum = 0;
  for (const auto each : counts_) sum += each;
  return sum;
}

double ConfusionMatrix::accuracy() const {
  std::int64_t right = 0;
  for (std::size_t i = 0; i < classes_; ++i) right += count(i, i);
  return share(right, total());
}

double ConfusionMatrix::recall(std::size_t truth) const { return share(count(truth, truth), images_of(truth)); }

double ConfusionMatrix::precision(std::size_t prediction) const {
  return share(count(prediction, prediction), read_as(prediction));
}

std::size_t ConfusionMatrix::worst_class() const {
  std::size_t worst = 0;
  for (std::size_t i = 1; i < classes_; ++i)
    if (images_of(i) > 0 && (images_of(worst) == 0 || recall(i) < recall(worst))) worst = i;
  return worst;
}

std::size_t ConfusionMatrix::most_confused_with(std::size_t truth) const {
  std::size_t most = truth == 0 ? 1 : 0;
  for (std::size_t i = 0; i < classes_; ++i)
    if (i != truth && count(truth, i) > count(truth, most)) most = i;
  return most;
}

}  // namespace fashion_mnist
