// Readers of data and scaling.
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nn/nn.hpp>
#include <string>
#include <vector>

namespace {

using namespace xgrad;
namespace fs = std::filesystem;

/// Files of one test, in a folder that goes with it.
class DataTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("xgrad_data_test_" + std::to_string(getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }
  fs::path write_gz(const std::string& name, const std::string& bytes) const {
    const fs::path path = folder_ / name;
    gzFile file = gzopen(path.c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
    return path;
  }
  std::string content(const fs::path& path) const {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  fs::path folder_;
};

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

template <class T>
std::vector<T> values(const Tensor& x) {
  const auto array = x.array<T>();
  return {array.begin(), array.end()};
}

/// What `f` throws, which must be an `Error`.
template <class Error, class F>
std::string message(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("another kind of exception: ") + error.what();
  }
  return "nothing thrown";
}

testing::AssertionResult contains(const std::string& text, const std::vector<std::string>& parts) {
  for (const auto& part : parts)
    if (text.find(part) == text.npos)
      return testing::AssertionFailure() << "\"" << text << "\" lacks \"" << part << "\"";
  return testing::AssertionSuccess();
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

TEST_F(Idx, DamagedCompressionIsRefused) {
  std::string noise;
  for (int i = 0; i < 5000; ++i) noise += static_cast<char>(i * i * 7 + i / 3);
  const fs::path path = write_gz("a.gz", idx_header(0x08, {5000}) + noise);
  const std::string whole = content(path);
  const auto refused = [&](const std::string& name, const std::string& bytes) {
    return message<std::runtime_error>([&] { nn::read_idx(write(name, bytes)); });
  };
  EXPECT_TRUE(contains(refused("cut.gz", whole.substr(0, whole.size() / 2)), {"read_idx", "cut.gz", "cut short"}));
  EXPECT_TRUE(contains(refused("tail.gz", whole.substr(0, whole.size() - 4)), {"read_idx", "tail.gz", "cut short"}));
  std::string checksum = whole;
  checksum[checksum.size() - 7] ^= 1;
  EXPECT_TRUE(contains(refused("checksum.gz", checksum), {"read_idx", "checksum.gz", "damaged"}));
}

TEST_F(Idx, AMissingFileAndAFolderAreNamed) {
  EXPECT_TRUE(contains(message<std::runtime_error>([&] { nn::read_idx(folder_ / "none"); }),
                       {"read_idx", "none", "no such file"}));
  EXPECT_TRUE(contains(message<std::runtime_error>([&] { nn::read_idx(folder_); }),
                       {"read_idx", folder_, "not a regular file"}));
}

// CSV

using Csv = DataTest;

TEST_F(Csv, NumbersAndNamesAreRead) {
  const nn::CsvTable table = nn::read_csv(write("a.csv", "height, width\n1,2.5\n-3e2, +4 \n"));
  EXPECT_EQ(table.names, (std::vector<std::string>{"height", "width"}));
  EXPECT_EQ(table.values.dtype(), DType::float64);
  EXPECT_EQ(table.values.shape(), (Shape{2, 2}));
  EXPECT_EQ(values<double>(table.values), (std::vector<double>{1, 2.5, -300, 4}));
  EXPECT_EQ(values<double>(table.column("width")), (std::vector<double>{2.5, 4}));
}

TEST_F(Csv, AGzippedFileAByteOrderMarkAndLineEndsOfWindowsMakeNoDifference) {
  const auto read = [](const fs::path& path) { return values<double>(nn::read_csv(path).values); };
  const std::vector<double> expected{1, 2, 3, 4};
  EXPECT_EQ(read(write_gz("a.csv.gz", "a,b\n1,2\n3,4\n")), expected);
  EXPECT_EQ(read(write("b.csv",
                       "\xEF\xBB\xBF"
                       "a,b\r\n1,2\r\n3,4")),
            expected);
  EXPECT_EQ(read(write("c.csv", "\na,b\n\n1,2\n\r\n3,4\n\n")), expected);
  EXPECT_EQ(nn::read_csv(write("d.csv",
                               "\xEF\xBB\xBF"
                               "a\n1\n"))
                .names,
            (std::vector<std::string>{"a"}));
}

TEST_F(Csv, WithoutAHeaderTheFirstLineIsData) {
  const nn::CsvTable table = nn::read_csv(write("a.tsv", "1\t2\n3\t4\n"), {.delimiter = '\t', .header = false});
  EXPECT_TRUE(table.names.empty());
  EXPECT_EQ(values<double>(table.values), (std::vector<double>{1, 2, 3, 4}));
}

TEST_F(Csv, QuotedFieldsHoldDelimitersQuotesAndLineBreaks) {
  const fs::path path = write("a.csv", "\"a,b\",\"the \"\"c\"\"\",note\n\"1\",2,\"two\nlines\"\n3,\"4\",\"\"\n");
  const nn::CsvTable table = nn::read_csv(path, {.columns = {0, 1}});
  EXPECT_EQ(table.names, (std::vector<std::string>{"a,b", "the \"c\""}));
  EXPECT_EQ(values<double>(table.values), (std::vector<double>{1, 2, 3, 4}));
}

TEST_F(Csv, ColumnsAreTakenByNameAndPositionInTheOrderAsked) {
  const fs::path path = write("a.csv", "kind,x,y\noak,1,2\nelm,3,4\n");
  const nn::CsvTable table = nn::read_csv(path, {.columns = {"y", 1}});
  EXPECT_EQ(table.names, (std::vector<std::string>{"y", "x"}));
  EXPECT_EQ(values<double>(table.values), (std::vector<double>{2, 1, 4, 3}));
}

TEST_F(Csv, AHeaderWithoutRowsGivesNone) {
  EXPECT_EQ(nn::read_csv(write("a.csv", "a,b\n")).values.shape(), (Shape{0, 2}));
}

TEST_F(Csv, WhatIsNoNumberIsNamedWithLineAndColumn) {
  const auto refused = [&](const std::string& text) {
    return message<std::runtime_error>([&] { nn::read_csv(write("bad.csv", text)); });
  };
  EXPECT_TRUE(contains(refused("a,b\n1,2\n3,x4\n"),
                       {"read_csv", "bad.csv", "line 3", "column 2 (b)", "\"x4\" is not a number"}));
  EXPECT_TRUE(contains(refused("a\n1.5mm\n"), {"line 2", "\"1.5mm\" is not a number"}));
  EXPECT_TRUE(contains(refused("a\n1e999\n"), {"line 2", "out of the range"}));
  EXPECT_TRUE(contains(refused("a\n+-1\n"), {"line 2", "is not a number"}));
  EXPECT_TRUE(contains(refused("a,b\n\"1\n\n\",2\n3,x\n"), {"line 2", "column 1 (a)"})) << "a row is where it begins";
  EXPECT_TRUE(contains(refused("a,b\n1,2,3\n"), {"line 2", "3 fields", "2"}));
  EXPECT_TRUE(contains(refused("a,b\n1\n"), {"line 2", "1 fields", "2"}));
  EXPECT_TRUE(contains(refused("a,b\n1,\"2\n3,4\n"), {"line 2", "quote is opened"}));
  EXPECT_TRUE(contains(refused("a,b\n1,\"2\"3\n"), {"line 2", "follows a closing quote"}));
  EXPECT_TRUE(contains(refused(""), {"read_csv", "bad.csv", "empty"}));
  EXPECT_TRUE(contains(message<std::runtime_error>([&] { nn::read_csv(folder_ / "none.csv"); }),
                       {"read_csv", "none.csv", "no such file"}));
}

TEST_F(Csv, AMissingValueIsRefusedOrBecomesNaN) {
  for (const std::string field : {"", " ", "NA", "n/a", "NaN", "null", "\"\""}) {
    const fs::path path = write("a.csv", "a,b\n" + field + ",2\n");
    EXPECT_TRUE(contains(message<std::runtime_error>([&] { nn::read_csv(path); }),
                         {"read_csv", "a.csv", "line 2", "column 1 (a)", "missing"}))
        << field;
    const Tensor x = nn::read_csv(path, {.missing = nn::CsvOptions::Missing::nan}).values;
    EXPECT_TRUE(std::isnan(values<double>(x)[0])) << field;
    EXPECT_EQ(values<double>(x)[1], 2) << field;
  }
}

TEST_F(Csv, ColumnsAndDelimitersThatCannotBeAreRefused) {
  const fs::path path = write("a.csv", "a,b,a\n1,2,3\n");
  const auto refused = [&](const nn::CsvOptions& options) {
    return message<std::invalid_argument>([&] { nn::read_csv(path, options); });
  };
  EXPECT_TRUE(contains(refused({.columns = {"c"}}), {"read_csv", "a.csv", "\"c\"", "a, b, a"}));
  EXPECT_TRUE(contains(refused({.columns = {"a"}}), {"read_csv", "2 columns", "\"a\""}));
  EXPECT_TRUE(contains(refused({.columns = {3}}), {"read_csv", "no column 3"}));
  EXPECT_TRUE(contains(refused({.columns = {-1}}), {"read_csv", "no column -1"}));
  EXPECT_TRUE(contains(refused({.header = false, .columns = {"a"}}), {"read_csv", "without a header"}));
  EXPECT_TRUE(contains(refused({.delimiter = '"'}), {"read_csv", "delimiter"}));
  EXPECT_TRUE(contains(message<std::invalid_argument>([&] { nn::read_csv(path).column("c"); }), {"\"c\"", "a, b, a"}));
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
