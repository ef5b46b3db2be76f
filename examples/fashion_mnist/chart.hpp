#pragma once

#include <string>
#include <vector>

namespace fashion_mnist {

/// One curve: a value an epoch, from epoch 1.
struct Series {
  std::string name, color;
  std::vector<double> values;
};

/// A line chart over epochs as an SVG element, with axes, grid and legend; each point tells its value to the pointer.
/// `as_percent` prints shares as per cent. Throws std::invalid_argument without a curve, for curves of different
/// lengths or without points, and for values that are not finite.
std::string line_chart(const std::string& title, const std::vector<Series>& series, bool as_percent);

/// Round values, at equal steps of 1, 2 or 5 times a power of ten, of which the first is at or below `low` and the last
/// at or above `high`; about `count` of them. Throws std::invalid_argument unless low <= high.
std::vector<double> ticks(double low, double high, int count);

}  // namespace fashion_mnist
