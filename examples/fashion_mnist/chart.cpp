#include "chart.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "text.hpp"

namespace fashion_mnist {

namespace {

constexpr double width = 480, height = 300, left = 52, right = 16, top = 44, bottom = 40;

std::string number(double value) { return fixed(value, 2); }

std::string text(double x, double y, const std::string& anchor, const std::string& css, const std::string& content) {
  return "<text x='" + number(x) + "' y='" + number(y) + "' text-anchor='" + anchor + "' class='" + css + "'>" +
         escape(content) + "</text>";
}

std::string line(double x1, double y1, double x2, double y2, const std::string& css) {
  return "<line x1='" + number(x1) + "' y1='" + number(y1) + "' x2='" + number(x2) + "' y2='" + number(y2) +
         "' class='" + css + "'/>";
}

void check(const std::vector<Series>& series) {
  if (series.empty()) throw std::invalid_argument("line_chart: no curve");
  for (const auto& each : series) {
    if (each.values.empty() || each.values.size() != series.front().values.size())
      throw std::invalid_argument("line_chart: " + each.name + " has " + std::to_string(each.values.size()) +
                                  " points; every curve needs as many, and at least one");
    for (const double value : each.values)
      if (!std::isfinite(value))
        throw std::invalid_argument("line_chart: " + each.name + " has a value that is not finite");
  }
}

}  // namespace

std::vector<double> ticks(double low, double high, int count) {
  if (!(low <= high)) throw std::invalid_argument("ticks: low must not exceed high");
  if (low == high) {
    const double margin = low == 0 ? 1 : std::abs(low) / 10;
    low -= margin;
    high += margin;
  }
  const double rough = (high - low) / std::max(1, count - 1);
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double factor = rough / power;
  const double step = power * (factor <= 1.0001 ? 1 : factor <= 2.0001 ? 2 : factor <= 5.0001 ? 5 : 10);
  const double first = std::floor(low / step + 1e-9);
  std::vector<double> result;
  // From whole multiples: adding the step would gather rounding errors.
  for (double i = first; i == first || (i - 1) * step < high - 1e-9 * step; ++i) result.push_back(i * step);
  return result;
}

std::string line_chart(const std::string& title, const std::vector<Series>& series, bool as_percent) {
  check(series);
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const auto& each : series)
    for (const double value : each.values) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
  const std::vector<double> marks = ticks(low, high, 6);
  const double step = marks[1] - marks[0];
  const int digits = std::max(0, static_cast<int>(std::ceil(-std::log10(as_percent ? 100 * step : step) - 1e-9)));
  const auto label = [&](double value) { return as_percent ? percent(value, digits) : fixed(value, digits); };

  const std::size_t points = series.front().values.size();
  const auto x_of = [&](std::size_t i) {
    if (points == 1) return (left + width - right) / 2;
    return left + (width - left - right) * static_cast<double>(i) / static_cast<double>(points - 1);
  };
  const auto y_of = [&](double value) {
    return height - bottom - (height - top - bottom) * (value - marks.front()) / (marks.back() - marks.front());
  };

  std::string svg = "<svg viewBox='0 0 " + fixed(width, 0) + " " + fixed(height, 0) + "' role='img' aria-label=\"" +
                    escape(title) + "\">";
  svg += text(left, 20, "start", "chart-title", title);
  for (const double mark : marks) {
    svg += line(left, y_of(mark), width - right, y_of(mark), mark == marks.front() ? "axis" : "grid");
    svg += text(left - 8, y_of(mark) + 4, "end", "tick", label(mark));
  }
  const std::size_t every = (points + 9) / 10;
  for (std::size_t i = 0; i < points; ++i)
    if ((i + 1) % every == 0 || points == 1)
      svg += text(x_of(i), height - bottom + 18, "middle", "tick", std::to_string(i + 1));
  svg += text((left + width - right) / 2, height - 6, "middle", "tick", "epoch");

  double legend = width - right;
  for (auto each = series.rbegin(); each != series.rend(); ++each) {
    svg += text(legend, 20, "end", "legend", each->name);
    legend -= 7 * static_cast<double>(each->name.size()) + 8;
    svg += "<line x1='" + number(legend - 18) + "' y1='16' x2='" + number(legend) + "' y2='16' stroke='" + each->color +
           "' stroke-width='3'/>";
    legend -= 34;
  }
  for (const auto& each : series) {
    std::string path, dots;
    for (std::size_t i = 0; i < points; ++i) {
      const std::string x = number(x_of(i)), y = number(y_of(each.values[i]));
      path += (i == 0 ? "M" : " L") + x + " " + y;
      dots += "<circle cx='" + x + "' cy='" + y + "' r='3' fill='" + each.color + "'><title>" +
              escape(each.name + ", epoch " + std::to_string(i + 1) + ": " +
                     (as_percent ? percent(each.values[i], 2) : fixed(each.values[i], 4))) +
              "</title></circle>";
    }
    svg += "<path d='" + path + "' fill='none' stroke='" + each.color + "' stroke-width='2' stroke-linejoin='round'/>" +
           dots;
  }
  return svg + "</svg>";
}

}  // namespace fashion_mnist
