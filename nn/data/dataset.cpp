#include <nn/data/dataset.hpp>

#include <algorithm>
#include <autodiff/ops/index.hpp>
#include <autodiff/ops/random.hpp>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

namespace xgrad::nn {

namespace {

std::int64_t rows_of(const Tensor& x) { return x.dim() == 0 ? 0 : x.shape(0); }

Tensor rows_between(const Tensor& x, std::int64_t first, std::int64_t last) { return x.slice(xt::range(first, last)); }

/// A seed for one epoch: the finaliser of SplitMix64 (Steele, Lea, Flood 2014) over a Weyl sequence, so that
/// neighbouring seeds and epochs share no order.
std::uint64_t epoch_seed(std::uint64_t seed, std::int64_t epoch) {
  const auto mix = [](std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  };
  return mix(mix(seed) + (static_cast<std::uint64_t>(epoch) + 1) * 0x9E3779B97F4A7C15u);
}

}  // namespace

Dataset::Dataset(Tensor inputs, Tensor targets) : inputs(std::move(inputs)), targets(std::move(targets)) {
  const auto describe = [](const Tensor& x) { return x.defined() ? to_string(x.shape()) : std::string("undefined"); };
  if (!this->inputs.defined() || !this->targets.defined() || this->inputs.dim() == 0 || this->targets.dim() == 0 ||
      rows_of(this->inputs) != rows_of(this->targets))
    throw std::invalid_argument("Dataset: inputs " + describe(this->inputs) + " and targets " +
                                describe(this->targets) + " do not have as many rows");
}

std::int64_t Dataset::size() const { return inputs.defined() ? rows_of(inputs) : 0; }

Dataset Dataset::take(const Tensor& rows) const { return {xgrad::take(inputs, rows), xgrad::take(targets, rows)}; }

Dataset Dataset::slice(std::int64_t first, std::int64_t last) const {
  if (first < 0 || first > last || last > size())
    throw std::out_of_range("Dataset::slice: rows " + std::to_string(first) + " to " + std::to_string(last) + " of " +
                            std::to_string(size()));
  if (first == 0 && last == size()) return *this;
  return {rows_between(inputs, first, last), rows_between(targets, first, last)};
}

Split train_test_split(const Dataset& data, double test_share, std::uint64_t seed) {
  if (!(test_share > 0 && test_share < 1))
    throw std::invalid_argument("train_test_split: the share to test with must lie between 0 and 1, given " +
                                std::to_string(test_share));
  const auto test_size = static_cast<std::int64_t>(std::llround(test_share * static_cast<double>(data.size())));
  if (test_size == 0 || test_size == data.size())
    throw std::invalid_argument("train_test_split: a share of " + std::to_string(test_share) + " of " +
                                std::to_string(data.size()) + " rows leaves one part empty");
  const Tensor order = Generator(seed).permutation(data.size());
  return {data.take(rows_between(order, test_size, data.size())), data.take(rows_between(order, 0, test_size))};
}

DataLoader::DataLoader(Dataset data, const DataLoaderOptions& options) : data_(std::move(data)), options_(options) {
  if (options_.batch_size < 1)
    throw std::invalid_argument("DataLoader: the batch size must be at least 1, given " +
                                std::to_string(options_.batch_size));
}

DataLoader::Iterator DataLoader::begin() {
  const std::int64_t epoch = epoch_++;
  if (!options_.shuffle) return {*this, Tensor()};
  return {*this, Generator(epoch_seed(options_.seed, epoch)).permutation(data_.size())};
}

std::int64_t DataLoader::size() const {
  const std::int64_t rows = data_.size(), whole = rows / options_.batch_size;
  return options_.drop_last || rows % options_.batch_size == 0 ? whole : whole + 1;
}

void DataLoader::set_epoch(std::int64_t epoch) {
  if (epoch < 0 || epoch == std::numeric_limits<std::int64_t>::max())
    throw std::invalid_argument("DataLoader: epochs count from 0 and must have a next one, given " + std::to_string(epoch));
  epoch_ = epoch;
}

Dataset DataLoader::Iterator::operator*() const {
  const std::int64_t first = batch_ * loader_->options_.batch_size;
  const std::int64_t last = first + std::min(loader_->options_.batch_size, loader_->data_.size() - first);
  if (!order_.defined()) return loader_->data_.slice(first, last);
  return loader_->data_.take(rows_between(order_, first, last));
}

DataLoader::Iterator& DataLoader::Iterator::operator++() {
  ++batch_;
  return *this;
}

}  // namespace xgrad::nn
