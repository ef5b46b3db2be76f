// What a classifier got right and wrong.
#pragma once

#include <cstdint>
#include <vector>

namespace fashion_mnist {

/// Counts of images by what they are (row) and what they were read as (column).
class ConfusionMatrix {
 public:
  explicit ConfusionMatrix(std::size_t classes) : classes_(classes), counts_(classes * classes, 0) {}

  /// Throws std::out_of_range for a class that is not there.
  void add(std::int64_t truth, std::int64_t prediction);

  std::size_t classes() const { return classes_; }
  std::int64_t count(std::size_t truth, std::size_t prediction) const { return counts_[truth * classes_ + prediction]; }
  std::int64_t images_of(std::size_t truth) const;
  std::int64_t read_as(std::size_t prediction) const;
  std::int64_t total() const;

  /// Share of all images read rightly; 0 of none.
  double accuracy() const;
  /// Share of the images of a class read rightly; 0 of none.
  double recall(std::size_t truth) const;
  /// Share of what was read as a class that is of it; 0 of none.
  double precision(std::size_t prediction) const;

  /// The class of the lowest recall among those with images; the first of several.
  std::size_t worst_class() const;
  /// What the images of a class are most often misread as.
  std::size_t most_confused_with(std::size_t truth) const;

 private:
  std::size_t classes_;
  std::vector<std::int64_t> counts_;
};

}  // namespace fashion_mnist
