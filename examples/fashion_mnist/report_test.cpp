// The figures and the page that the Fashion-MNIST demo reports with.
#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>
#include <string>
#include <vector>

#include "chart.hpp"
#include "image.hpp"
#include "metrics.hpp"
#include "report.hpp"
#include "text.hpp"

namespace {

using namespace fashion_mnist;

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

TEST(Text, NumbersReadAsPeopleWriteThem) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(-123456), "-123,456");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(percent(0.8967), "89.7 %");
  EXPECT_EQ(fixed(0.12351, 3), "0.124");
  EXPECT_EQ(escape("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
}

TEST(ConfusionMatrix, CountsAccuracyRecallAndPrecision) {
  ConfusionMatrix matrix(3);
  const std::int64_t readings[][2] = {{0, 0}, {0, 0}, {0, 1}, {1, 1}, {1, 2}, {1, 2}, {1, 0}, {2, 2}};
  for (const auto& [truth, prediction] : readings) matrix.add(truth, prediction);
  EXPECT_EQ(matrix.total(), 8);
  EXPECT_EQ(matrix.images_of(1), 4);
  EXPECT_EQ(matrix.read_as(2), 3);
  EXPECT_DOUBLE_EQ(matrix.accuracy(), 0.5);
  EXPECT_DOUBLE_EQ(matrix.recall(0), 2.0 / 3);
  EXPECT_DOUBLE_EQ(matrix.precision(0), 2.0 / 3);
  EXPECT_EQ(matrix.worst_class(), 1u);
  EXPECT_EQ(matrix.most_confused_with(1), 2u);
  EXPECT_EQ(matrix.most_confused_with(0), 1u);
}

TEST(ConfusionMatrix, AClassWithoutImagesIsNotTheWorst) {
  ConfusionMatrix matrix(3);
  matrix.add(1, 1);
  matrix.add(2, 2);
  matrix.add(2, 0);
  EXPECT_EQ(matrix.worst_class(), 2u);
  EXPECT_EQ(matrix.recall(0), 0);
  EXPECT_EQ(ConfusionMatrix(3).accuracy(), 0);
}

TEST(ConfusionMatrix, RefusesAClassThatIsNotThere) {
  ConfusionMatrix matrix(3);
  EXPECT_THROW(matrix.add(3, 0), std::out_of_range);
  EXPECT_THROW(matrix.add(0, -1), std::out_of_range);
  EXPECT_EQ(matrix.total(), 0);
}

TEST(Base64, FollowsTheExamplesOfRfc4648) {
  const auto encode = [](const std::string& text) {
    return base64(std::vector<std::uint8_t>(text.begin(), text.end()));
  };
  EXPECT_EQ(encode(""), "");
  EXPECT_EQ(encode("f"), "Zg==");
  EXPECT_EQ(encode("fo"), "Zm8=");
  EXPECT_EQ(encode("foo"), "Zm9v");
  EXPECT_EQ(encode("foobar"), "Zm9vYmFy");
}

/// The rows of a PNG as it stores them: a filter byte, then the pixels. Checks its chunks on the way.
std::vector<std::uint8_t> stored_rows(const std::vector<std::uint8_t>& file, std::size_t size) {
  const auto number = [&](std::size_t at) {
    return static_cast<std::uint32_t>(file[at]) << 24 | static_cast<std::uint32_t>(file[at + 1]) << 16 |
           static_cast<std::uint32_t>(file[at + 2]) << 8 | file[at + 3];
  };
  std::vector<std::uint8_t> rows(size);
  for (std::size_t at = 8; at < file.size();) {
    const std::size_t length = number(at);
    const std::string type(file.begin() + static_cast<std::ptrdiff_t>(at) + 4,
                           file.begin() + static_cast<std::ptrdiff_t>(at) + 8);
    EXPECT_EQ(number(at + 8 + length), crc32(0, file.data() + at + 4, static_cast<uInt>(length + 4))) << type;
    uLongf capacity = size;
    if (type == "IDAT") {
      EXPECT_EQ(uncompress(rows.data(), &capacity, file.data() + at + 8, length), Z_OK);
    }
    EXPECT_EQ(capacity, size);
    at += 12 + length;
  }
  return rows;
}

TEST(Png, HoldsThePixelsGiven) {
  EXPECT_EQ(stored_rows(png(std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6}, 3, 2), 8),
            (std::vector<std::uint8_t>{0, 1, 2, 3, 0, 4, 5, 6}));
  EXPECT_EQ(stored_rows(png(std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6}, 1, 2), 8),
            (std::vector<std::uint8_t>{0, 1, 2, 3, 0, 4, 5, 6}));
}

TEST(Png, RefusesAnotherNumberOfPixels) {
  EXPECT_THROW(png(std::vector<std::uint8_t>(5), 3, 2), std::invalid_argument);
  EXPECT_THROW(png({}, 0, 2), std::invalid_argument);
}

TEST(Ticks, AreRoundAndCoverTheRange) {
  EXPECT_EQ(ticks(0, 10, 6), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(ticks(0.1, 0.9, 5), (std::vector<double>{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1}));
  for (const auto& [low, high] : {std::pair{0.83, 0.897}, {1e-9, 3e-9}, {-5.0, 1e6}, {2.0, 2.0}, {0.0, 0.0}}) {
    const auto marks = ticks(low, high, 6);
    EXPECT_LE(marks.front(), low);
    EXPECT_GE(marks.back(), high - 1e-9 * (high - low));
    EXPECT_GE(marks.size(), 2u);
    EXPECT_LE(marks.size(), 14u);
  }
  EXPECT_THROW(ticks(1, 0, 5), std::invalid_argument);
}

TEST(LineChart, DrawsAPointForEachValueAndNamesTheCurves) {
  const std::string svg =
      line_chart("Loss", {{"train", "#00f", {0.5, 0.4, 0.3}}, {"a<b", "#f00", {0.6, 0.5, 0.45}}}, false);
  EXPECT_EQ(count(svg, "<circle"), 6u);
  EXPECT_EQ(count(svg, "<path"), 2u);
  EXPECT_EQ(count(svg, "a<b"), 0u);
  EXPECT_NE(svg.find(">train<"), svg.npos);
  EXPECT_NE(svg.find("train, epoch 3: 0.3000"), svg.npos);
  EXPECT_EQ(count(svg, "nan"), 0u);
}

TEST(LineChart, OnePointIsEnough) { EXPECT_EQ(count(line_chart("Loss", {{"train", "#00f", {0.5}}}, true), "nan"), 0u); }

TEST(LineChart, RefusesWhatCannotBeDrawn) {
  EXPECT_THROW(line_chart("Loss", {}, false), std::invalid_argument);
  EXPECT_THROW(line_chart("Loss", {{"a", "#00f", {}}}, false), std::invalid_argument);
  EXPECT_THROW(line_chart("Loss", {{"a", "#00f", {1, 2}}, {"b", "#00f", {1}}}, false), std::invalid_argument);
  EXPECT_THROW(line_chart("Loss", {{"a", "#00f", {1, std::nan("")}}}, false), std::invalid_argument);
}

Report small_report() {
  Report report;
  report.title = "Cats & dogs";
  report.settings = {{"Seed", "7"}};
  report.classes = {"cat", "<dog>"};
  report.epochs = {{0.6, 0.7, 0.5, 0.75, 1.5}, {0.4, 0.8, 0.45, 0.8, 2.5}};
  report.confusion = ConfusionMatrix(2);
  for (int i = 0; i < 3; ++i) report.confusion.add(0, 0);
  report.confusion.add(1, 1);
  report.confusion.add(1, 0);
  report.misread = {{1, 0, 0.97, 0.03, std::vector<std::uint8_t>(784, 128)}};
  return report;
}

TEST(Report, ShowsAccuracyMatrixWorstClassAndMisreadImages) {
  const std::string page = html(small_report());
  EXPECT_NE(page.find("80.00 %"), page.npos);
  EXPECT_NE(page.find("2.00 s"), page.npos) << "mean seconds an epoch";
  EXPECT_EQ(count(page, "<svg"), 2u);
  EXPECT_EQ(count(page, "<td style="), 4u);
  EXPECT_EQ(count(page, "data:image/png;base64,"), 1u);
  EXPECT_NE(page.find("<tr class=\"worst\"><th>&lt;dog&gt;</th>"), page.npos);
  EXPECT_NE(page.find("<span class=\"wrong\">cat</span> 97.0 %"), page.npos);
}

TEST(Report, NeedsNothingBesideItselfAndEscapesNames) {
  const std::string page = html(small_report());
  for (const char* reference : {"http:", "https:", "src=\"/", "<link", "<script", "@import", "url("})
    EXPECT_EQ(page.find(reference), page.npos) << reference;
  EXPECT_EQ(page.find("<dog>"), page.npos);
  EXPECT_NE(page.find("<title>Cats &amp; dogs</title>"), page.npos);
}

TEST(Report, RefusesPartsThatDoNotFit) {
  Report no_epoch = small_report(), no_name = small_report(), small_picture = small_report();
  no_epoch.epochs.clear();
  no_name.classes.pop_back();
  small_picture.misread[0].pixels.pop_back();
  for (const Report& report : {no_epoch, no_name, small_picture}) EXPECT_THROW(html(report), std::invalid_argument);
}

}  // namespace
