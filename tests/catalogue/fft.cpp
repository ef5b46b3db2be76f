#include <cmath>
#include <complex>
#include <numbers>
#include <tests/catalogue/shape_row.hpp>

namespace xgrad::catalogue {
namespace {

using Complex = std::complex<double>;
using Line = std::vector<Complex>;

/// By the definition, each factor at an angle within one turn.
Line transform(const Line& x, double sign) {
  const std::size_t n = x.size();
  Line y(n);
  for (std::size_t k = 0; k < n; ++k)
    for (std::size_t j = 0; j < n; ++j) y[k] += x[j] * std::polar(1.0, sign * 2 * std::numbers::pi * static_cast<double>(j * k % n) / static_cast<double>(n));
  return y;
}

/// What `f` makes of each line along `axis`. Complex arrays have their parts along a last axis.
Plain along(const Plain& x, std::size_t axis, bool from_complex, bool to_complex, const std::function<Line(const Line&)>& f) {
  Shape lines = x.shape;
  if (from_complex) lines.pop_back();
  const std::int64_t n = lines[axis];
  lines[axis] = 1;
  std::vector<std::pair<Index, Line>> results;
  fill(lines, [&](const Index& index) {
    Line line;
    for (std::int64_t j = 0; j < n; ++j) {
      Index where = index;
      where[axis] = j;
      if (from_complex) {
        where.push_back(0);
        const double real = at(x, where);
        where.back() = 1;
        line.emplace_back(real, at(x, where));
      } else {
        line.emplace_back(at(x, where));
      }
    }
    results.emplace_back(index, f(line));
    return 0.0;
  });
  Shape shape = lines;
  shape[axis] = static_cast<std::int64_t>(f(Line(static_cast<std::size_t>(n))).size());
  if (to_complex) shape.push_back(2);
  return fill(shape, [&](const Index& index) {
    Index line(index.begin(), index.begin() + static_cast<std::ptrdiff_t>(lines.size()));
    const auto k = static_cast<std::size_t>(line[axis]);
    line[axis] = 0;
    const Complex value = results[static_cast<std::size_t>(flat_of(line, lines))].second[k];
    return to_complex && index.back() == 1 ? value.imag() : value.real();
  });
}

Line half(Line x) {
  x = transform(x, -1);
  x.resize(x.size() / 2 + 1);
  return x;
}
/// The n real values of a half spectrum.
Line whole(const Line& y, std::size_t n) {
  Line all(n);
  for (std::size_t k = 0; k < y.size(); ++k) {
    all[k] = k == 0 || 2 * k == n ? y[k].real() : y[k];
    if (k > 0) all[n - k] = std::conj(all[k]);
  }
  Line x = transform(all, 1);
  for (Complex& value : x) value /= static_cast<double>(n);
  return x;
}
Line divided(Line x) {
  for (Complex& value : x) value /= static_cast<double>(x.size());
  return x;
}

}  // namespace

std::vector<Row> fft_rows() {
  using Inputs = const std::vector<Tensor>&;
  using Plains = const std::vector<Plain>&;
  std::vector<Row> rows;
  const auto add = [&](std::string name, std::string function, TensorFunction f, std::vector<std::vector<Shape>> shapes, Reference reference) {
    rows.push_back(row(std::move(name), std::move(function), std::move(f), std::move(shapes), std::move(reference)));
    rows.back().ulps = 256;  // of squares of sums of all elements
  };
  const std::vector<std::vector<Shape>> real{{{2, 8}}, {{7}}, {{6}}, {{1}}, {{2}}, {{3}}, {{2, 3, 5}}, {{0, 4}}, {{13, 1}}, {{60}}},
      complex{{{2, 4, 2}}, {{5, 2}}, {{1, 2}}, {{2, 2}}, {{3, 2}}, {{2, 3, 6, 2}}, {{0, 4, 2}}, {{13, 1, 2}}};
  add("rfft", "rfft", [](Inputs x) { return rfft(x[0]); }, real, [](Plains x) { return along(x[0], x[0].shape.size() - 1, false, true, half); });
  add("rfftFirstAxis", "rfft", [](Inputs x) { return rfft(x[0], 0); }, {{{8, 3}}, {{5, 2, 2}}, {{1, 2}}, {{4, 0}}},
      [](Plains x) { return along(x[0], 0, false, true, half); });
  for (const bool odd : {false, true}) {
    const auto length = [odd](std::int64_t bins) { return std::max<std::int64_t>(1, 2 * (bins - 1) + (odd ? 1 : 0)); };
    std::vector<std::vector<Shape>> shapes = complex;
    if (!odd) std::erase_if(shapes, [](const auto& set) { return set[0][set[0].size() - 2] == 1; });  // no even length has one bin
    add(odd ? "irfftOdd" : "irfftEven", "irfft", [length](Inputs x) { return irfft(x[0], length(x[0].shape(-2))); }, shapes, [length](Plains x) {
      const std::size_t axis = x[0].shape.size() - 2;
      const auto n = static_cast<std::size_t>(length(x[0].shape[axis]));
      return along(x[0], axis, true, false, [n](const Line& y) { return whole(y, n); });
    });
  }
  add("irfftFirstAxis", "irfft", [](Inputs x) { return irfft(x[0], 5, 0); }, {{{3, 4, 2}}, {{3, 2, 2, 2}}, {{3, 0, 2}}},
      [](Plains x) { return along(x[0], 0, true, false, [](const Line& y) { return whole(y, 5); }); });
  add("fft", "fft", [](Inputs x) { return fft(x[0]); }, complex,
      [](Plains x) { return along(x[0], x[0].shape.size() - 2, true, true, [](const Line& y) { return transform(y, -1); }); });
  add("ifft", "ifft", [](Inputs x) { return ifft(x[0]); }, complex,
      [](Plains x) { return along(x[0], x[0].shape.size() - 2, true, true, [](const Line& y) { return divided(transform(y, 1)); }); });
  add("fftFirstAxis", "fft", [](Inputs x) { return fft(x[0], -2); }, {{{6, 3, 2}}, {{5, 2, 2}}},
      [](Plains x) { return along(x[0], x[0].shape.size() - 3, true, true, [](const Line& y) { return transform(y, -1); }); });
  return rows;
}

}  // namespace xgrad::catalogue
