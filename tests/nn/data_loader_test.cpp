// Datasets and mini-batches.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nn/nn.hpp>
#include <string>
#include <tests/support/data_files.hpp>
#include <vector>

namespace {

using namespace xgrad;
using namespace xgrad::test;

/// Row i holds i and 100 i, its target i.
nn::Dataset numbered(std::int64_t rows) {
  const Tensor numbers = arange(0, static_cast<double>(rows), 1, DType::int64);
  return {stack({numbers.to(DType::float32), numbers.to(DType::float32) * 100}, 1), numbers};
}

/// The targets of each batch of an epoch.
std::vector<std::vector<std::int64_t>> batches(nn::DataLoader& loader) {
  std::vector<std::vector<std::int64_t>> result;
  for (const auto& [inputs, targets] : loader) {
    result.push_back(values<std::int64_t>(targets));
    EXPECT_EQ(inputs.shape(), (Shape{targets.size(), 2}));
    EXPECT_EQ(values<float>(inputs), values<float>(numbered(1000).take(targets).inputs))
        << "inputs and targets go together";
  }
  return result;
}

std::vector<std::int64_t> flat(const std::vector<std::vector<std::int64_t>>& batches) {
  std::vector<std::int64_t> all;
  for (const auto& batch : batches) all.insert(all.end(), batch.begin(), batch.end());
  return all;
}

std::vector<std::int64_t> sorted(std::vector<std::int64_t> numbers) {
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::vector<std::int64_t> first_numbers(std::int64_t n) {
  return values<std::int64_t>(arange(0, static_cast<double>(n), 1, DType::int64));
}

TEST(Dataset, TakesAndSlicesRows) {
  const nn::Dataset data = numbered(5);
  EXPECT_EQ(data.size(), 5);
  EXPECT_EQ(values<float>(data.take(Tensor{3, 0, 3}).inputs), (std::vector<float>{3, 300, 0, 0, 3, 300}));
  EXPECT_EQ(values<std::int64_t>(data.slice(1, 3).targets), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(data.slice(2, 2).size(), 0);
  EXPECT_THROW(data.take(Tensor{5}), std::out_of_range);
  EXPECT_TRUE(contains(message<std::out_of_range>([&] { data.slice(3, 6); }), {"Dataset::slice", "3", "6", "5"}));
  EXPECT_THROW(data.slice(-1, 2), std::out_of_range);
  EXPECT_THROW(data.slice(3, 2), std::out_of_range);
}

TEST(Dataset, RefusesInputsAndTargetsOfDifferentLength) {
  const auto refused = [](const Tensor& x, const Tensor& y) {
    return message<std::invalid_argument>([&] { nn::Dataset(x, y); });
  };
  EXPECT_TRUE(contains(refused(zeros({3, 2}), zeros({4})), {"Dataset", "(3, 2)", "(4,)"}));
  EXPECT_TRUE(contains(refused(zeros({}), zeros({})), {"Dataset", "()"}));
  EXPECT_TRUE(contains(refused(Tensor(), zeros({4})), {"Dataset", "undefined", "(4,)"}));
}

TEST(DataLoader, WithoutShufflingRowsComeInOrderAndTheLastBatchMayBeSmaller) {
  nn::DataLoader loader(numbered(7), {.batch_size = 3, .shuffle = false});
  EXPECT_EQ(loader.size(), 3);
  EXPECT_EQ(batches(loader), (std::vector<std::vector<std::int64_t>>{{0, 1, 2}, {3, 4, 5}, {6}}));
  EXPECT_EQ(batches(loader), (std::vector<std::vector<std::int64_t>>{{0, 1, 2}, {3, 4, 5}, {6}}));
}

TEST(DataLoader, DropsThePartialBatchWhenAsked) {
  nn::DataLoader loader(numbered(7), {.batch_size = 3, .shuffle = false, .drop_last = true});
  EXPECT_EQ(loader.size(), 2);
  EXPECT_EQ(batches(loader), (std::vector<std::vector<std::int64_t>>{{0, 1, 2}, {3, 4, 5}}));
  nn::DataLoader exact(numbered(6), {.batch_size = 3, .drop_last = true});
  EXPECT_EQ(sorted(flat(batches(exact))), first_numbers(6));
}

TEST(DataLoader, EachEpochShowsEveryRowOnceInAnotherOrder) {
  nn::DataLoader loader(numbered(50), {.batch_size = 8, .seed = 3});
  const auto first = flat(batches(loader)), second = flat(batches(loader));
  EXPECT_EQ(sorted(first), first_numbers(50));
  EXPECT_EQ(sorted(second), first_numbers(50));
  EXPECT_NE(first, second);
  EXPECT_NE(first, first_numbers(50));
  EXPECT_EQ(loader.epoch(), 2);
}

TEST(DataLoader, TheSeedDeterminesTheOrderOfEveryEpoch) {
  nn::DataLoader a(numbered(50), {.batch_size = 8, .seed = 3}), b = a,
                                                                other(numbered(50), {.batch_size = 8, .seed = 4});
  for (int epoch = 0; epoch < 3; ++epoch) {
    const auto order = batches(a);
    EXPECT_EQ(order, batches(b));
    EXPECT_NE(order, batches(other));
  }
}

TEST(DataLoader, AnInterruptedTrainingGoesOnInTheSameOrder) {
  nn::DataLoader whole(numbered(50), {.batch_size = 8, .seed = 3}), later = whole;
  batches(whole);
  batches(whole);
  later.set_epoch(2);
  EXPECT_EQ(batches(later), batches(whole));
}

TEST(DataLoader, AnEpochLeftEarlyCountsAsOne) {
  nn::DataLoader loader(numbered(50), {.batch_size = 8, .seed = 3}), whole = loader;
  for (const auto& batch : loader) {
    EXPECT_EQ(batch.size(), 8);
    break;
  }
  batches(whole);
  EXPECT_EQ(batches(loader), batches(whole));
}

TEST(DataLoader, NoRowsGiveNoBatchesAndALargeBatchTakesAll) {
  nn::DataLoader empty(numbered(10).slice(0, 0), {.batch_size = 4});
  EXPECT_EQ(empty.size(), 0);
  EXPECT_TRUE(batches(empty).empty());
  nn::DataLoader large(numbered(10), {.batch_size = std::numeric_limits<std::int64_t>::max()});
  EXPECT_EQ(batches(large).size(), 1u);
}

TEST(DataLoader, RefusesOptionsThatMakeNoSense) {
  EXPECT_TRUE(contains(message<std::invalid_argument>([] { nn::DataLoader(numbered(3), {.batch_size = 0}); }),
                       {"DataLoader", "batch size", "0"}));
  nn::DataLoader loader(numbered(3));
  EXPECT_TRUE(contains(message<std::invalid_argument>([&] { loader.set_epoch(-1); }), {"DataLoader", "-1"}));
}

TEST(TrainTestSplit, PartsEveryRowOnceBySeed) {
  const nn::Split split = nn::train_test_split(numbered(40), 0.3, 5);
  EXPECT_EQ(split.train.size(), 28);
  EXPECT_EQ(split.test.size(), 12);
  auto all = values<std::int64_t>(split.train.targets);
  for (const auto row : values<std::int64_t>(split.test.targets)) all.push_back(row);
  EXPECT_EQ(sorted(all), first_numbers(40));
  EXPECT_EQ(values<std::int64_t>(nn::train_test_split(numbered(40), 0.3, 5).test.targets),
            values<std::int64_t>(split.test.targets));
  EXPECT_NE(values<std::int64_t>(nn::train_test_split(numbered(40), 0.3, 6).test.targets),
            values<std::int64_t>(split.test.targets));
}

TEST(TrainTestSplit, RefusesSharesThatLeaveAPartEmpty) {
  for (const double share : {0.0, 1.0, -0.5, std::nan("")})
    EXPECT_TRUE(contains(message<std::invalid_argument>([&] { nn::train_test_split(numbered(10), share); }),
                         {"train_test_split", "between 0 and 1"}));
  EXPECT_TRUE(contains(message<std::invalid_argument>([] { nn::train_test_split(numbered(3), 0.01); }),
                       {"train_test_split", "3 rows", "empty"}));
}

}  // namespace
