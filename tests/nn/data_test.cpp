// Readers of IDX files, and scaling.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <limits>
#include <nn/nn.hpp>
#include <string>
#include <tests/support/data_files.hpp>
#include <vector>

namespace {

using namespace xgrad;
using test::contains;
using test::DataTest;
using test::message;
using test::values;
namespace fs = std::filesystem;

std::string big_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) text += static_cast<char>(value >> shift & 0xFF);
  return text;
}

std::string idx_header(int type, const std::vector<std::uint32_t>& shape) {
  std::string bytes{'\0', '\0', static_cast<char>(type), static_cast<char>(shape.size())};
  for (const auto extent : shape) bytes += big_endian(extent, 4);
  return bytes;
}

// IDX

using Idx = DataTest;

TEST_F(Idx, BytesBecomeInt64InTheShapeOfTheHeader) {
  const Tensor x = nn::read_idx(write("a.idx", idx_header(0x08, {2, 3}) + std::string("\x00\x01\x7F\x80\xFE\xFF", 6)));
  EXPECT_EQ(x.dtype(), DType::int64);
  EXPECT_EQ(x.shape(), (Shape{2, 3}));
  EXPECT_EQ(values<std::int64_t>(x), (std::vector<std::int64_t>{0, 1, 127, 128, 254, 255}));
}

TEST_F(Idx, AGzippedFileReadsAsThePlainOne) {
  const std::string bytes = idx_header(0x08, {70000}) + std::string(70000, '\x2A');
  const Tensor plain = nn::read_idx(write("a.idx", bytes)), compressed = nn::read_idx(write_gz("a.gz", bytes));
  EXPECT_EQ(values<std::int64_t>(plain), std::vector<std::int64_t>(70000, 42));
  EXPECT_EQ(values<std::int64_t>(compressed), values<std::int64_t>(plain));
}

TEST_F(Idx, EveryElementTypeIsReadBigEndianAndSigned) {
  const auto read = [&](int type, const std::string& elements, std::uint32_t n) {
    return nn::read_idx(write("a.idx", idx_header(type, {n}) + elements));
  };
  EXPECT_EQ(values<std::int64_t>(read(0x09, "\xFF\x7F", 2)), (std::vector<std::int64_t>{-1, 127}));
  EXPECT_EQ(values<std::int64_t>(read(0x0B, big_endian(0xFFFE, 2) + big_endian(300, 2), 2)),
            (std::vector<std::int64_t>{-2, 300}));
  EXPECT_EQ(values<std::int64_t>(read(0x0C, big_endian(0x80000000u, 4) + big_endian(70000, 4), 2)),
            (std::vector<std::int64_t>{std::numeric_limits<std::int32_t>::min(), 70000}));
  EXPECT_EQ(values<float>(read(0x0D, big_endian(std::bit_cast<std::uint32_t>(-1.5f), 4), 1)),
            (std::vector<float>{-1.5f}));
  EXPECT_EQ(values<double>(read(0x0E, big_endian(std::bit_cast<std::uint64_t>(0.1), 8), 1)),
            (std::vector<double>{0.1}));
}

TEST_F(Idx, ElementsComeInTheTypeAskedFor) {
  const fs::path bytes = write("a.idx", idx_header(0x08, {2}) + "\x05\xFF");
  EXPECT_EQ(values<float>(nn::read_idx(bytes, DType::float32)), (std::vector<float>{5, 255}));
  EXPECT_EQ(values<double>(nn::read_idx(bytes, DType::float64)), (std::vector<double>{5, 255}));
  EXPECT_TRUE(
      contains(message<std::invalid_argument>([&] { nn::read_idx(bytes, DType::bool_); }), {"read_idx", "bool"}));
  const fs::path floats = write("b.idx", idx_header(0x0D, {1}) + big_endian(std::bit_cast<std::uint32_t>(2.5f), 4));
  EXPECT_EQ(values<double>(nn::read_idx(floats, DType::float64)), (std::vector<double>{2.5}));
  EXPECT_TRUE(contains(message<std::invalid_argument>([&] { nn::read_idx(floats, DType::int64); }),
                       {"read_idx", "b.idx", "float32", "int64"}));
}

TEST_F(Idx, AnEmptyArrayIsAllowed) {
  EXPECT_EQ(nn::read_idx(write("a.idx", idx_header(0x08, {0, 28, 28}))).shape(), (Shape{0, 28, 28}));
}

TEST_F(Idx, WhatIsNoIdxFileIsRefusedWithTheReason) {
  const auto refused = [&](const std::string& bytes) {
    return message<std::runtime_error>([&] { nn::read_idx(write("bad.idx", bytes)); });
  };
  EXPECT_TRUE(contains(refused(""), {"read_idx", "bad.idx", "header"}));
  EXPECT_TRUE(contains(refused("PK\x03\x04 and more"), {"read_idx", "bad.idx", "two zero bytes"}));
  EXPECT_TRUE(contains(refused(idx_header(0x0A, {1}) + "x"), {"read_idx", "bad.idx", "0x0A"}));
  EXPECT_TRUE(contains(refused(idx_header(0x08, {})), {"read_idx", "bad.idx", "no axes"}));
  EXPECT_TRUE(contains(refused(idx_header(0x08, {2, 3}).substr(0, 9)), {"read_idx", "bad.idx", "header"}));
}

TEST_F(Idx, ALengthOtherThanTheHeaderSaysIsRefused) {
  const std::string bytes = idx_header(0x0C, {3}) + std::string(12, '\1');
  const auto refused = [](const fs::path& path) { return message<std::runtime_error>([&] { nn::read_idx(path); }); };
  for (const std::size_t missing : {1, 4, 12}) {
    const std::string shorter = bytes.substr(0, bytes.size() - missing);
    EXPECT_TRUE(contains(refused(write("short.idx", shorter)), {"read_idx", "short.idx", "cut short", "(3,)"}))
        << missing;
    EXPECT_TRUE(contains(refused(write_gz("short.gz", shorter)), {"read_idx", "short.gz", "cut short", "(3,)"}))
        << missing;
  }
  EXPECT_TRUE(contains(refused(write("long.idx", bytes + "x")), {"read_idx", "long.idx", "follow", "(3,)"}));
  EXPECT_TRUE(contains(refused(write_gz("long.gz", bytes + "x")), {"read_idx", "long.gz", "follow", "(3,)"}));
}

TEST_F(Idx, ASizeThatNoFileCanHoldIsRefusedBeforeMemoryIsTaken) {
  const std::string huge = idx_header(0x0E, {0xFFFFFFFFu, 0xFFFFFFFFu, 0xFFFFFFFFu});
  for (const fs::path& path :
       {write("huge.idx", huge), write_gz("huge.gz", huge), write("big.idx", idx_header(0x08, {0x7FFFFFFFu}))})
    EXPECT_TRUE(contains(message<std::runtime_error>([&] { nn::read_idx(path); }),
                         {"read_idx", path.filename(), "more than the file can hold"}));
}

TEST_F(Idx, AShapeWhoseStridesOverflowIsRefusedEvenIfEmpty) {
  const std::uint32_t most = 0xFFFFFFFFu;
  EXPECT_TRUE(contains(message<std::runtime_error>([&] {
                         nn::read_idx(write("a.idx", idx_header(0x08, {0, most, most, most})));
                       }),
                       {"read_idx", "a.idx", "more than the file can hold"}));
}

TEST_F(Idx, AGzippedFileIsReadWholeOrRefused) {
  std::string noise;
  for (int i = 0; i < 5000; ++i) noise += static_cast<char>(i * i * 7 + i / 3);
  const std::string whole = test::read(write_gz("a.gz", idx_header(0x08, {5000}) + noise));
  const auto refused = [&](const std::string& name, const std::string& bytes) {
    return message<std::runtime_error>([&] { nn::read_idx(write(name, bytes)); });
  };
  EXPECT_TRUE(contains(refused("half.gz", whole.substr(0, whole.size() / 2)), {"read_idx", "half.gz", "cut short"}));
  for (std::size_t missing = 1; missing <= 20; ++missing)  // the trailer has 8 bytes
    EXPECT_TRUE(contains(refused("tail.gz", whole.substr(0, whole.size() - missing)), {"tail.gz", "cut short"}))
        << missing;
  for (std::size_t from_end = 1; from_end <= 8; ++from_end) {
    std::string changed = whole;
    changed[changed.size() - from_end] ^= 1;
    EXPECT_TRUE(contains(refused("changed.gz", changed), {"read_idx", "changed.gz", "damaged"})) << from_end;
  }
  for (std::size_t length = 2; length < 12; ++length)  // within the first bytes of gzip itself
    EXPECT_TRUE(contains(refused("head.gz", whole.substr(0, length)), {"head.gz", "cut short"})) << length;
}

TEST_F(Idx, AGzippedFileMayHaveSeveralMembersAndZerosBehind) {
  const std::string bytes = idx_header(0x08, {6}) + "abcdef";
  const std::string first = test::read(write_gz("1.gz", bytes.substr(0, 5))), second = test::read(write_gz("2.gz", "")),
                    third = test::read(write_gz("3.gz", bytes.substr(5)));
  const std::string members = first + second + third;
  const std::vector<std::int64_t> expected{'a', 'b', 'c', 'd', 'e', 'f'};
  EXPECT_EQ(values<std::int64_t>(nn::read_idx(write("a.gz", members))), expected);
  EXPECT_EQ(values<std::int64_t>(nn::read_idx(write("b.gz", members + std::string(600, '\0')))), expected);
  const auto refused = [&](const std::string& file) {
    return message<std::runtime_error>([&] { nn::read_idx(write("bad.gz", file)); });
  };
  EXPECT_TRUE(contains(refused(members + "x"), {"read_idx", "bad.gz", "something else follows"}));
  EXPECT_TRUE(contains(refused(members + std::string(3, '\0') + "x"), {"something else follows"}));
  EXPECT_TRUE(contains(refused(members + "\x1F"), {"cut short"}));
  EXPECT_TRUE(contains(refused(members + second.substr(0, second.size() - 1)), {"cut short"}));
  EXPECT_TRUE(contains(refused(members + third), {"bytes follow", "(6,)"}));
}

TEST_F(Idx, AGzippedFileGrowsNoFurtherThanTheLimit) {
  const fs::path path = write_gz("a.gz", idx_header(0x08, {100000}) + std::string(100000, '\1'));
  EXPECT_TRUE(contains(message<std::runtime_error>([&] { nn::read_idx(path, {}, 100007); }),
                       {"read_idx", "a.gz", "100007 bytes", "max_decompressed"}));
  EXPECT_TRUE(contains(message<std::runtime_error>([&] { nn::read_idx(path, {}, 99999); }), {"99999 bytes"}));
  EXPECT_EQ(nn::read_idx(path, {}, 100008).size(), 100000);
  EXPECT_EQ(nn::read_idx(write("a.idx", idx_header(0x08, {3}) + "abc"), {}, 0).size(), 3)
      << "a plain file has no limit";
}

TEST_F(Idx, AMissingFileAndAFolderAreNamed) {
  EXPECT_TRUE(contains(message<std::runtime_error>([&] { nn::read_idx(folder / "none"); }),
                       {"read_idx", "none", "no such file"}));
  EXPECT_TRUE(
      contains(message<std::runtime_error>([&] { nn::read_idx(folder); }), {"read_idx", folder, "not a regular file"}));
}

// Scaling

TEST(Standardize, GivesEachFeatureZeroMeanAndUnitDeviation) {
  const Tensor x{{1.0, 10.0}, {2.0, 30.0}, {3.0, 50.0}, {6.0, 30.0}};
  const nn::Standardize scaling(x);
  const Tensor y = scaling(x);
  EXPECT_NEAR(max(abs(mean(y, 0))).item(), 0, 1e-15);
  EXPECT_NEAR(max(abs(mean(square(y), 0) - 1)).item(), 0, 1e-15);
  EXPECT_EQ(values<double>(scaling.shift()), (std::vector<double>{3, 30}));
  EXPECT_EQ(values<double>(scaling.scale()), (std::vector<double>{std::sqrt(3.5), std::sqrt(200.0)}));
}

TEST(Standardize, AppliesTheFiguresOfTheTrainingDataToOtherData) {
  const nn::Standardize scaling(Tensor{{0.0}, {2.0}});
  EXPECT_EQ(values<double>(scaling(Tensor{{5.0}, {1.0}, {0.0}})), (std::vector<double>{4, 0, -1}));
}

TEST(Standardize, OverEverythingTakesOneFigure) {
  const nn::Standardize scaling(Tensor{{0.0, 1.0}, {3.0, 4.0}}, Axes{});
  EXPECT_EQ(scaling.shift().size(), 1);
  EXPECT_EQ(scaling.shift().item(), 2);
  EXPECT_DOUBLE_EQ(scaling.scale().item(), std::sqrt(2.5));
}

TEST(Standardize, AConstantFeatureBecomesExactlyZero) {
  // 0.1f summed a thousand times and divided does not come back as 0.1f.
  const Tensor x = full({1000, 1}, 0.1);
  const nn::Standardize scaling(x);
  EXPECT_EQ(values<float>(scaling(x)), std::vector<float>(1000, 0));
  EXPECT_EQ(scaling.scale().item(), 1);
}

TEST(Standardize, KeepsFloat32AndTurnsIntegersIntoFloat64) {
  const Tensor floats{{1.f}, {3.f}}, integers{{1}, {3}};
  EXPECT_EQ(nn::Standardize(floats)(floats).dtype(), DType::float32);
  EXPECT_EQ(nn::Standardize(integers)(integers).dtype(), DType::float64);
  EXPECT_EQ(values<double>(nn::Standardize(integers)(integers)), (std::vector<double>{-1, 1}));
}

TEST(Normalize, MapsTheRangeOfTheDataToTheOneAsked) {
  const Tensor x{{1.0, 7.0}, {3.0, 7.0}, {2.0, 7.0}};
  EXPECT_EQ(values<double>(nn::Normalize(x)(x)), (std::vector<double>{0, 0, 1, 0, 0.5, 0}));
  EXPECT_EQ(values<double>(nn::Normalize(x, 0, -1, 1)(x)), (std::vector<double>{-1, -1, 1, -1, 0, -1}));
  EXPECT_EQ(values<double>(nn::Normalize(x, Axes{}, 0, 6)(x)), (std::vector<double>{0, 6, 2, 6, 1, 6}));
}

TEST(Normalize, DoesNotClipWhatLiesOutside) {
  EXPECT_EQ(values<double>(nn::Normalize(Tensor{{0.0}, {2.0}})(Tensor{{-2.0}, {4.0}})), (std::vector<double>{-1, 2}));
}

TEST(Scaling, InverseUndoesIt) {
  const Tensor x{{1.0, 7.0}, {3.0, 7.0}, {2.5, 7.0}};
  for (const nn::Scaling& scaling : {nn::Scaling(nn::Standardize(x)), nn::Scaling(nn::Normalize(x, 0, -2, 5))})
    EXPECT_LT(max(abs(scaling.inverse(scaling(x)) - x)).item(), 1e-15);
}

TEST(Scaling, IsDifferentiable) {
  const nn::Scaling scaling(Tensor{1.0, 2.0}, Tensor{2.0, 4.0}, 3);
  EXPECT_TRUE(
      gradcheck([&](const std::vector<Tensor>& in) { return scaling(in[0]); }, {Tensor{{1.0, 2.0}, {3.0, 4.0}}}));
}

TEST(Scaling, RefusesWhatItCannotFitOrApply) {
  const double nan = std::nan("");
  const auto refused = [](auto f) { return message<std::invalid_argument>(f); };
  EXPECT_TRUE(contains(refused([] { nn::Standardize(zeros({0, 3})); }), {"Standardize", "(0, 3)"}));
  EXPECT_TRUE(contains(refused([&] { nn::Standardize(Tensor{{1.0}, {nan}}); }), {"Standardize", "NaN"}));
  EXPECT_TRUE(contains(refused([] { nn::Standardize(Tensor{{1.0}}, 2); }), {"axis"}));
  EXPECT_TRUE(contains(refused([] { nn::Normalize(zeros({0, 3})); }), {"Normalize", "(0, 3)"}));
  EXPECT_TRUE(contains(refused([&] { nn::Normalize(Tensor{{1.0}, {HUGE_VAL}}); }), {"Normalize", "infinity"}));
  EXPECT_TRUE(contains(refused([] { nn::Normalize(Tensor{{1.0}, {2.0}}, 0, 1, 1); }), {"Normalize", "low"}));
  EXPECT_TRUE(contains(refused([] { nn::Scaling(Tensor{1.0}, Tensor{0.0}); }), {"Scaling", "0"}));
  EXPECT_TRUE(contains(refused([&] { nn::Scaling(Tensor{nan}, Tensor{1.0}); }), {"Scaling", "finite"}));
  const nn::Standardize scaling(Tensor{{1.0, 2.0}, {3.0, 4.0}});
  EXPECT_TRUE(contains(refused([&] { scaling(Tensor{{1.0, 2.0, 3.0}}); }), {"Scaling", "(1, 3)", "(1, 2)"}));
  EXPECT_TRUE(contains(refused([&] { scaling(Tensor{{1.0}}); }), {"Scaling", "(1, 1)", "(1, 2)"}))
      << "it must not broadcast";
  EXPECT_TRUE(contains(refused([&] { scaling.inverse(Tensor{{1.0}}); }), {"Scaling::inverse", "(1, 1)", "(1, 2)"}));
}

}  // namespace
