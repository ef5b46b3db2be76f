#pragma once

#include <autodiff/core/tensor.hpp>
#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

namespace xgrad::nn {

/// Rows of inputs and the targets that go with them; a batch of them is one too:
/// `for (const auto& [inputs, targets] : loader)`.
struct Dataset {
  Tensor inputs, targets;

  Dataset() = default;
  /// Throws std::invalid_argument unless both have as many rows (extent of the first axis).
  Dataset(Tensor inputs, Tensor targets);

  /// Number of rows.
  std::int64_t size() const;
  /// The rows of these numbers, copied. Throws std::out_of_range for a number that is not there.
  Dataset take(const Tensor& rows) const;
  /// Rows `first` … `last` - 1, not copied. Throws std::out_of_range unless 0 <= first <= last <= size().
  Dataset slice(std::int64_t first, std::int64_t last) const;
};

/// Two parts of a dataset.
struct Split {
  Dataset train, test;
};

/// Parts the rows at random: a share of `test_share` (rounded to whole rows) to test with and the others to train with.
/// A seed always gives the same parts. Throws std::invalid_argument unless 0 < test_share < 1 and each part gets a row.
Split train_test_split(const Dataset& data, double test_share = 0.25, std::uint64_t seed = 0);

/// Options of `DataLoader`.
struct DataLoaderOptions {
  std::int64_t batch_size = 32;
  bool shuffle = true;
  bool drop_last = false;  ///< leave out the rows that do not fill a batch; otherwise they come as a smaller one
  std::uint64_t seed = 0;
};

/// A dataset in mini-batches. Each loop over it is one epoch, which shows every row once (but for `drop_last`) in an
/// order of its own that follows from the seed and the number of the epoch alone:
/// ```cpp
/// nn::DataLoader loader({images, labels}, {.batch_size = 128, .seed = 7});
/// for (int epoch = 0; epoch < 10; ++epoch)
///   for (const auto& [inputs, targets] : loader) …
/// ```
class DataLoader {
 public:
  /// Throws std::invalid_argument for a batch size below 1.
  explicit DataLoader(Dataset data, const DataLoaderOptions& options = {});

  /// Walks over the batches of one epoch.
  class Iterator {
   public:
    using value_type = Dataset;
    using difference_type = std::ptrdiff_t;

    Dataset operator*() const;
    Iterator& operator++();
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return batch_ == batches_; }

   private:
    friend class DataLoader;
    Iterator(const DataLoader& loader, Tensor order)
        : loader_(&loader), order_(std::move(order)), batches_(loader.size()) {}

    const DataLoader* loader_;
    Tensor order_;  ///< row numbers; undefined when they come as they are
    std::int64_t batch_ = 0, batches_;
  };

  /// Begins an epoch, the next one with each call.
  Iterator begin();
  std::default_sentinel_t end() const { return {}; }

  /// Batches in an epoch.
  std::int64_t size() const;
  const Dataset& data() const { return data_; }

  /// The epoch, from 0, that the next `begin` shows.
  std::int64_t epoch() const { return epoch_; }
  /// Goes on from another epoch: training that was interrupted sees the order it would have seen.
  /// Throws std::invalid_argument below 0.
  void set_epoch(std::int64_t epoch);

 private:
  Dataset data_;
  DataLoaderOptions options_;
  std::int64_t epoch_ = 0;
};

}  // namespace xgrad::nn
