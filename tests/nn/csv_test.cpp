// The reader of CSV files.
#include <gtest/gtest.h>

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
  EXPECT_EQ(read(write("e.csv", "a,b\r1,2\r\r3,4\r")), expected);
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

TEST_F(Csv, AFirstLineWithANumberIsNamesOrDataOnlyWhenSaidSo) {
  for (const std::string first : {"1,2", "5.1,setosa", "name,-1e3", "\"7\",b", "a, inf"}) {
    const fs::path path = write("a.csv", first + "\n3,4\n");
    EXPECT_TRUE(contains(message<std::runtime_error>([&] { nn::read_csv(path); }),
                         {"read_csv", "a.csv", "first line", "{.header = false}", "{.header = true}"}))
        << first;
    EXPECT_EQ(values<double>(nn::read_csv(path, {.header = true}).values), (std::vector<double>{3, 4})) << first;
  }
  const fs::path path = write("b.csv", "1,2\n3,4\n");
  EXPECT_EQ(nn::read_csv(path, {.header = true}).names, (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(values<double>(nn::read_csv(path, {.header = false}).values), (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(nn::read_csv(write("c.csv", ",x,NaN\n0,1,2\n")).names, (std::vector<std::string>{"", "x", "NaN"}))
      << "a name may be missing";
}

TEST_F(Csv, ValuesComeInTheTypeAskedForRoundedOnce) {
  // Between two floats, nearer to the upper one by less than a double can tell.
  const fs::path path = write("a.csv", "a,b\n1.00000005960464477539062500001,0.1\n");
  const Tensor x = nn::read_csv(path, {.dtype = DType::float32}).values;
  EXPECT_EQ(x.dtype(), DType::float32);
  EXPECT_EQ(values<float>(x), (std::vector<float>{1.00000005960464477539062500001f, 0.1f}));
  EXPECT_NE(values<float>(x)[0], static_cast<float>(1.00000005960464477539062500001));
  for (const DType dtype : {DType::int64, DType::bool_})
    EXPECT_TRUE(contains(message<std::invalid_argument>([&] { nn::read_csv(path, {.dtype = dtype}); }),
                         {"read_csv", std::string(name_of(dtype)), "to()"}));
}

TEST_F(Csv, WhatIsTooSmallIsZeroAndWhatIsTooLargeIsRefused) {
  const auto read = [&](const std::string& field, DType dtype = DType::float64) {
    const Tensor x = nn::read_csv(write("a.csv", "a\n" + field + "\n"), {.dtype = dtype}).values;
    return dtype == DType::float32 ? static_cast<double>(values<float>(x)[0]) : values<double>(x)[0];
  };
  const std::string zeros(400, '0');
  for (const std::string& field :
       std::vector<std::string>{"1e-400", "+1E-400", "0.0001e-321", "1e-99999999999999999999", "." + zeros + "1",
                                "0." + zeros + "1e5", "1" + zeros + "e-800", "0e999"}) {
    EXPECT_EQ(read(field), 0) << field;
    EXPECT_FALSE(std::signbit(read(field))) << field;
  }
  EXPECT_TRUE(read("-1e-400") == 0 && std::signbit(read("-1e-400")));
  EXPECT_EQ(read("4.9406564584124654e-324"), std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(read("1e-46", DType::float32), 0);
  EXPECT_EQ(read("1e-45", DType::float32), static_cast<double>(std::numeric_limits<float>::denorm_min()));
  EXPECT_EQ(read("0." + zeros + "1e401"), 1);
  for (const std::string& field :
       std::vector<std::string>{"1e400", "-1e309", "1e99999999999999999999", "1" + zeros, "1" + zeros + "e-50"})
    EXPECT_TRUE(contains(message<std::runtime_error>([&] { read(field); }), {"out of the range of float64"})) << field;
  EXPECT_TRUE(contains(message<std::runtime_error>([&] { read("1e39", DType::float32); }), {"range of float32"}));
}

TEST_F(Csv, InfinityIsANumber) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(values<double>(nn::read_csv(write("a.csv", "a,b,c,d,e\ninf,-INF,+Infinity,-infinity,iNf\n")).values),
            (std::vector<double>{infinity, -infinity, infinity, -infinity, infinity}));
}

TEST_F(Csv, WideRowsAndLongLinesAreRead) {
  const int columns = 20000;
  std::string names, numbers;
  for (int i = 0; i < columns; ++i) {
    names += (i > 0 ? ",c" : "c") + std::to_string(i);
    numbers += (i > 0 ? "," : "") + std::to_string(i);
  }
  const nn::CsvTable table = nn::read_csv(write("a.csv", names + "\n" + numbers + "\n" + numbers + "\n"));
  EXPECT_EQ(table.values.shape(), (Shape{2, columns}));
  EXPECT_EQ(table.values.slice(1, 12345).item(), 12345);
  EXPECT_EQ(values<double>(
                nn::read_csv(write("b.csv", "a,b\n" + std::string(1000000, 'x') + ",1\n"), {.columns = {1}}).values),
            (std::vector<double>{1}));
  EXPECT_TRUE(contains(
      message<std::runtime_error>([&] { nn::read_csv(write("c.csv", std::string(std::size_t{1} << 20, ',') + "\n")); }),
      {"read_csv", "c.csv", "more than 1048576 columns"}));
}

TEST_F(Csv, AGzippedTableIsReadWholeOrRefused) {
  const std::string whole = test::read(write_gz("a.csv.gz", "a,b\n1,2\n3,4\n"));
  for (std::size_t missing = 1; missing <= 8; ++missing)
    EXPECT_TRUE(contains(message<std::runtime_error>(
                             [&] { nn::read_csv(write("cut.csv.gz", whole.substr(0, whole.size() - missing))); }),
                         {"read_csv", "cut.csv.gz", "cut short"}))
        << missing;
  const fs::path path = write("two.csv.gz", whole + test::read(write_gz("b.csv.gz", "5,6\n")));
  EXPECT_EQ(values<double>(nn::read_csv(path).values), (std::vector<double>{1, 2, 3, 4, 5, 6}));
  EXPECT_TRUE(contains(message<std::runtime_error>([&] { nn::read_csv(path, {.max_decompressed = 15}); }),
                       {"read_csv", "two.csv.gz", "grows beyond 15 bytes", "max_decompressed"}));
  EXPECT_EQ(nn::read_csv(path, {.max_decompressed = 16}).values.size(), 6);
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
  for (const std::string field :
       {"+-1", "0x10", "1_000", "1e", ".", "nan(", "nan1", "-na", "infin", "1 2", "--1", "1d5"})
    EXPECT_TRUE(contains(refused("a\n" + field + "\n"), {"line 2", "\"" + field + "\" is not a number"})) << field;
  EXPECT_TRUE(contains(refused(std::string("a\n1\0002\n", 6)), {"\"1?2\" is not a number"}));
  EXPECT_TRUE(contains(refused("a\n" + std::string(500, 'x') + "\n"), {"xxx… (500 bytes)\" is not a number"}));
  EXPECT_TRUE(contains(refused("a,b\r1,2\r3,x4\r"), {"line 3", "column 2 (b)"}));
  EXPECT_TRUE(contains(refused(std::string("\xFF\xFE"
                                           "a\0\n\0",
                                           6)),
                       {"UTF-16"}));
  EXPECT_TRUE(contains(refused("a,b\n\"1\n\n\",2\n3,x\n"), {"line 2", "column 1 (a)"})) << "a row is where it begins";
  EXPECT_TRUE(contains(refused("a,b\n1,2,3\n"), {"line 2", "3 fields", "2"}));
  EXPECT_TRUE(contains(refused("a,b\n1\n"), {"line 2", "1 fields", "2"}));
  EXPECT_TRUE(contains(refused("a,b\n1,\"2\n3,4\n"), {"line 2", "quote is opened"}));
  EXPECT_TRUE(contains(refused("a,b\n1,\"2\"3\n"), {"line 2", "follows a closing quote"}));
  EXPECT_TRUE(contains(refused(""), {"read_csv", "bad.csv", "empty"}));
  EXPECT_TRUE(contains(message<std::runtime_error>([&] { nn::read_csv(folder / "none.csv"); }),
                       {"read_csv", "none.csv", "no such file"}));
}

TEST_F(Csv, AMissingValueIsRefusedOrBecomesNaN) {
  for (const std::string field :
       {"", " ", "NA", "n/a", "NaN", "null", "\"\"", "nan", "-nan", "+nan", "nan(1)", "-NaN(ind)", "+nan(x)"}) {
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

}  // namespace
