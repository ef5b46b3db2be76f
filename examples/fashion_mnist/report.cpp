#include "report.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "chart.hpp"
#include "image.hpp"
#include "text.hpp"

namespace fashion_mnist {

namespace {

constexpr std::size_t side = 28;
constexpr const char* train_color = "#2f6fb7";
constexpr const char* test_color = "#d9480f";

constexpr const char* style = R"(
  :root { color-scheme: light; }
  body { margin: 0; background: #f4f5f7; color: #1f2933; font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
  main { max-width: 1080px; margin: 0 auto; padding: 32px 24px 48px; }
  h1 { font-size: 26px; margin: 0 0 4px; }
  h2 { font-size: 18px; margin: 0 0 4px; }
  p { margin: 0 0 14px; color: #52606d; }
  section { background: #fff; border: 1px solid #e0e4e8; border-radius: 8px; padding: 20px 24px; margin-top: 20px; }
  .figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 20px; margin-top: 20px; }
  .figures section { margin: 0; }
  .figure { font-size: 30px; font-weight: 650; line-height: 1.25; }
  .label { color: #52606d; font-size: 13px; }
  .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(400px, 1fr)); gap: 24px; }
  svg { width: 100%; height: auto; display: block; }
  svg text { font-size: 12px; fill: #52606d; }
  svg .chart-title { font-size: 15px; font-weight: 600; fill: #1f2933; }
  svg .legend { fill: #1f2933; }
  svg .grid { stroke: #e6e9ec; } svg .axis { stroke: #7b8794; }
  .scroll { overflow-x: auto; }
  table { table-layout: fixed; min-width: 860px; border-collapse: separate; border-spacing: 2px; width: 100%; font-variant-numeric: tabular-nums; font-size: 13px; }
  th { font-weight: 600; padding: 4px 6px; }
  thead th { font-size: 12px; vertical-align: bottom; padding: 4px 0; } thead th:first-child { width: 104px; }
  tbody th, tfoot th { text-align: right; white-space: nowrap; }
  td { text-align: center; padding: 7px 4px; border-radius: 3px; min-width: 44px; }
  td.share { background: none; color: #52606d; }
  tr.worst th, tr.worst td.share { color: #b42318; font-weight: 700; }
  .settings { display: grid; grid-template-columns: repeat(auto-fill, minmax(220px, 1fr)); gap: 10px 24px; margin: 10px 0 0; }
  .settings div { border-top: 1px solid #e6e9ec; padding-top: 6px; }
  dt { color: #52606d; font-size: 13px; } dd { margin: 0; overflow-wrap: anywhere; }
  .images { display: grid; grid-template-columns: repeat(auto-fill, minmax(122px, 1fr)); gap: 18px 8px; }
  figure { margin: 0; white-space: nowrap; font-size: 12.5px; line-height: 1.4; }
  figure img { width: 84px; height: 84px; image-rendering: pixelated; display: block; margin-bottom: 6px; border: 1px solid #d5dae0; border-radius: 4px; }
  .wrong { color: #b42318; font-weight: 600; } .dim { color: #52606d; }
)";

std::string section(const std::string& heading, const std::string& text, const std::string& content) {
  return "<section>\n<h2>" + heading + "</h2>\n<p>" + text + "</p>\n" + content + "\n</section>\n";
}

std::string figure(const std::string& value, const std::string& label) {
  return "<section><div class=\"figure\">" + escape(value) + "</div><div class=\"label\">" + escape(label) +
         "</div></section>\n";
}

std::string figures(const Report& report) {
  const auto& confusion = report.confusion;
  const std::size_t worst = confusion.worst_class();
  double seconds = 0;
  for (const auto& epoch : report.epochs) seconds += epoch.seconds;
  return "<div class=\"figures\">\n" +
         figure(percent(confusion.accuracy(), 2), "of " + grouped(confusion.total()) + " test images read rightly") +
         figure(report.classes[worst], "the worst class: " + percent(confusion.recall(worst)) + " read rightly") +
         figure(fixed(seconds / static_cast<double>(report.epochs.size()), 2) + " s",
                "of training an epoch, " + std::to_string(report.epochs.size()) +
                    (report.epochs.size() == 1 ? " epoch" : " epochs")) +
         "</div>\n";
}

std::string charts(const std::vector<EpochRecord>& epochs) {
  Series train_loss{"train", train_color, {}}, test_loss{"test", test_color, {}};
  Series train_accuracy = train_loss, test_accuracy = test_loss;
  for (const auto& epoch : epochs) {
    train_loss.values.push_back(epoch.train_loss);
    test_loss.values.push_back(epoch.test_loss);
    train_accuracy.values.push_back(epoch.train_accuracy);
    test_accuracy.values.push_back(epoch.test_accuracy);
  }
  return section("Learning",
                 "Train: mean over the batches of the epoch, while the model was changing. Test: after the epoch.",
                 "<div class=\"charts\">\n" + line_chart("Loss", {train_loss, test_loss}, false) + "\n" +
                     line_chart("Accuracy", {train_accuracy, test_accuracy}, true) + "\n</div>");
}

/// Background of a cell: from white to the colour as `share` goes from 0 to 1; by the square root, so that few show
/// too.
std::string cell_style(double share, bool diagonal) {
  const double depth = std::sqrt(share);
  const int from[] = {255, 255, 255}, right[] = {38, 102, 176}, wrong[] = {217, 72, 15};
  std::string css = "background:rgb(";
  for (int i = 0; i < 3; ++i) {
    if (i > 0) css += ',';
    css += std::to_string(std::lround(from[i] + depth * ((diagonal ? right : wrong)[i] - from[i])));
  }
  return css + (depth > 0.62 ? ");color:#fff" : ")");
}

std::string confusion_table(const Report& report) {
  const auto& confusion = report.confusion;
  const std::size_t n = confusion.classes(), worst = confusion.worst_class();
  std::string table = "<div class=\"scroll\"><table>\n<thead><tr><th></th>";
  for (const auto& name : report.classes) table += "<th>" + escape(name) + "</th>";
  table += "<th>recall</th></tr></thead>\n<tbody>\n";
  for (std::size_t truth = 0; truth < n; ++truth) {
    table += std::string("<tr") + (truth == worst ? " class=\"worst\"" : "") + "><th>" + escape(report.classes[truth]) +
             "</th>";
    const double images = static_cast<double>(std::max<std::int64_t>(1, confusion.images_of(truth)));
    for (std::size_t guess = 0; guess < n; ++guess) {
      const auto count = confusion.count(truth, guess);
      table += "<td style=\"" + cell_style(static_cast<double>(count) / images, truth == guess) + "\">" +
               (count ? std::to_string(count) : "<span class=\"dim\">·</span>") + "</td>";
    }
    table += "<td class=\"share\">" + percent(confusion.recall(truth)) + "</td></tr>\n";
  }
  table += "</tbody>\n<tfoot><tr><th>precision</th>";
  for (std::size_t guess = 0; guess < n; ++guess)
    table += "<td class=\"share\">" + percent(confusion.precision(guess)) + "</td>";
  table += "<td></td></tr></tfoot>\n</table></div>";
  return section(
      "Confusion matrix",
      "Rows: what the image is. Columns: what it was read as. Blue is right, orange is wrong; the deeper, the "
      "larger the share of the row. The worst class is in red: " +
          escape(report.classes[worst]) + ", most often taken for " +
          escape(report.classes[confusion.most_confused_with(worst)]) + ".",
      table);
}

std::string misread_images(const Report& report) {
  if (report.misread.empty()) return section("Misread images", "None: every test image was read rightly.", "");
  std::string images = "<div class=\"images\">\n";
  for (const auto& reading : report.misread) {
    const std::string prediction = escape(report.classes.at(static_cast<std::size_t>(reading.prediction)));
    const std::string truth = escape(report.classes.at(static_cast<std::size_t>(reading.truth)));
    images += "<figure><img src=\"" + png_uri(reading.pixels, side, side) + "\" width=\"84\" height=\"84\" alt=\"" +
              truth + "\"><span class=\"wrong\">" + prediction + "</span> " + percent(reading.confidence) +
              "<br><span class=\"dim\">is " + truth + ", " + percent(reading.truth_probability) + "</span></figure>\n";
  }
  return section(
      "Misread images",
      "Mistakes the model was surest of, at most three of a kind. In red what it read, with the probability it "
      "gave; below what the image is.",
      images + "</div>");
}

std::string settings(const Report& report) {
  std::string list = "<dl class=\"settings\">\n";
  for (const auto& [name, value] : report.settings)
    list += "<div><dt>" + escape(name) + "</dt><dd>" + escape(value) + "</dd></div>\n";
  return section("Settings", "What this page was made with.", list + "</dl>");
}

void check(const Report& report) {
  if (report.epochs.empty()) throw std::invalid_argument("html: a report needs an epoch");
  if (report.confusion.classes() < 2 || report.confusion.classes() != report.classes.size())
    throw std::invalid_argument("html: a matrix of " + std::to_string(report.confusion.classes()) + " classes with " +
                                std::to_string(report.classes.size()) + " names");
  for (const auto& reading : report.misread)
    if (reading.pixels.size() != side * side)
      throw std::invalid_argument("html: a picture of " + std::to_string(reading.pixels.size()) +
                                  " pixels, not 28 x 28");
}

}  // namespace

std::string html(const Report& report) {
  check(report);
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
         escape(report.title) + "</title>\n<style>" + style + "</style>\n</head>\n<body>\n<main>\n<h1>" +
         escape(report.title) + "</h1>\n<p>Trained and tested with xgrad.</p>\n" + figures(report) +
         charts(report.epochs) + confusion_table(report) + misread_images(report) + settings(report) +
         "</main>\n</body>\n</html>\n";
}

}  // namespace fashion_mnist
