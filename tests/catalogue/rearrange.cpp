#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tests/catalogue/shape_row.hpp>

namespace xgrad::catalogue {
namespace {

/// Of the shape that `f` gives x's, filled by where each element comes from; an index out of range stands for 0.
Reference from(const std::function<Shape(const Shape&)>& shape, const std::function<Index(const Index&, const Shape&)>& source) {
  return [=](const std::vector<Plain>& x) {
    return fill(shape(x[0].shape), [&](const Index& index) {
      const Index at_source = source(index, x[0].shape);
      for (std::size_t i = 0; i < at_source.size(); ++i)
        if (at_source[i] < 0 || at_source[i] >= x[0].shape[i]) return 0.0;
      return at(x[0], at_source);
    });
  };
}
Shape same(const Shape& shape) { return shape; }

/// Sorted along the last axis.
Plain sorted(const Plain& x, bool descending) {
  Plain result = x;
  const std::int64_t n = x.shape.back();
  for (std::int64_t start = 0; n > 0 && start < static_cast<std::int64_t>(x.values.size()); start += n) {
    std::sort(result.values.begin() + start, result.values.begin() + start + n);
    if (descending) std::reverse(result.values.begin() + start, result.values.begin() + start + n);
  }
  return result;
}

}  // namespace

std::vector<Row> rearrange_rows() {
  using Inputs = const std::vector<Tensor>&;
  const std::vector<std::vector<Shape>> cubes{{{2, 3, 4}}, {{1, 1, 1}}, {{3, 0, 2}}, {{4, 5, 6}}}, squares{{{3, 4}}, {{4, 3}}, {{1, 1}}, {{5, 5}}, {{0, 3}}};
  std::vector<std::vector<Shape>> any = cubes;
  any.push_back({{}});
  std::vector<Row> rows = {
      row("flip", "flip", [](Inputs x) { return flip(x[0], {0, -1}); }, cubes,
          from(same, [](const Index& i, const Shape& s) { return Index{s[0] - 1 - i[0], i[1], s[2] - 1 - i[2]}; })),
      row("flipAll", "flip", [](Inputs x) { return flip(x[0]); }, any,
          [](const std::vector<Plain>& x) { return Plain{x[0].shape, std::vector<double>(x[0].values.rbegin(), x[0].values.rend())}; }),
      row("roll", "roll", [](Inputs x) { return roll(x[0], -4, 1); }, cubes, from(same, [](const Index& i, const Shape& s) { return Index{i[0], (i[1] + 4) % s[1], i[2]}; })),
      row("rollFlat", "roll", [](Inputs x) { return roll(x[0], 2); }, any,
          [](const std::vector<Plain>& x) {
            Plain result = x[0];
            if (result.values.size() > 1) std::rotate(result.values.rbegin(), result.values.rbegin() + 2 % static_cast<std::ptrdiff_t>(result.values.size()), result.values.rend());
            return result;
          }),
      row("repeat", "repeat", [](Inputs x) { return repeat(x[0], 3, -2); }, cubes,
          from([](const Shape& s) { return Shape{s[0], 3 * s[1], s[2]}; }, [](const Index& i, const Shape&) { return Index{i[0], i[1] / 3, i[2]}; })),
      row("tile", "tile", [](Inputs x) { return tile(x[0], {2, 1, 3}); }, cubes,
          from([](const Shape& s) { return Shape{2 * s[0], s[1], 3 * s[2]}; }, [](const Index& i, const Shape& s) { return Index{i[0] % s[0], i[1], i[2] % s[2]}; })),
      row("tileOfAScalar", "tile", [](Inputs x) { return tile(x[0], {2, 3}); }, {{{}}}, from([](const Shape&) { return Shape{2, 3}; }, [](const Index&, const Shape&) { return Index{}; })),
      row("moveaxis", "moveaxis", [](Inputs x) { return moveaxis(x[0], 0, -1); }, cubes,
          from([](const Shape& s) { return Shape{s[1], s[2], s[0]}; }, [](const Index& i, const Shape&) { return Index{i[2], i[0], i[1]}; })),
      row("swapaxes", "swapaxes", [](Inputs x) { return swapaxes(x[0], 0, 2); }, cubes,
          from([](const Shape& s) { return Shape{s[2], s[1], s[0]}; }, [](const Index& i, const Shape&) { return Index{i[2], i[1], i[0]}; })),
      row("split", "split", [](Inputs x) { return split(x[0], {1, 2}, -1)[1]; }, {{{2, 3, 4}}, {{2, 2, 2}}, {{2, 0, 2}}},
          from([](const Shape& s) { return Shape{s[0], s[1], 1}; }, [](const Index& i, const Shape&) { return Index{i[0], i[1], 1}; })),
      row("padWithZeros", "pad", [](Inputs x) { return pad(x[0], {{1, 2}, {0, 3}}); }, cubes,
          from([](const Shape& s) { return Shape{s[0], s[1] + 3, s[2] + 3}; }, [](const Index& i, const Shape&) { return Index{i[0], i[1] - 1, i[2]}; })),
      row("padReflected", "pad", [](Inputs x) { return pad(x[0], {{2, 1}}, PadMode::reflect); }, {{{2, 3, 4}}, {{1, 1, 3}}},
          from([](const Shape& s) { return Shape{s[0], s[1], s[2] + 3}; },
               [](const Index& i, const Shape& s) {
                 const std::int64_t k = std::abs(i[2] - 2);
                 return Index{i[0], i[1], k < s[2] ? k : 2 * s[2] - 2 - k};
               })),
      row("padWithTheEdge", "pad", [](Inputs x) { return pad(x[0], {{2, 1}, {0, 0}}, PadMode::edge); }, {{{2, 3, 4}}, {{1, 1, 1}}},
          from([](const Shape& s) { return Shape{s[0], s[1] + 3, s[2]}; },
               [](const Index& i, const Shape& s) { return Index{i[0], std::clamp<std::int64_t>(i[1] - 2, 0, s[1] - 1), i[2]}; })),
      row("diagonal", "diagonal", [](Inputs x) { return diagonal(x[0], 1, 0, 2); }, {{{2, 3, 4}}, {{4, 2, 4}}, {{3, 2, 1}}, {{0, 2, 3}}},
          from([](const Shape& s) { return Shape{s[1], std::max<std::int64_t>(0, std::min(s[0], s[2] - 1))}; }, [](const Index& i, const Shape&) { return Index{i[1], i[0], i[1] + 1}; })),
      row("diagonalBelow", "diagonal", [](Inputs x) { return diagonal(x[0], -1); }, squares,
          from([](const Shape& s) { return Shape{std::max<std::int64_t>(0, std::min(s[0] - 1, s[1]))}; }, [](const Index& i, const Shape&) { return Index{i[0] + 1, i[0]}; })),
      row("diagOfAVector", "diag", [](Inputs x) { return diag(x[0], 1); }, {{{3}}, {{1}}, {{0}}},
          from([](const Shape& s) { return Shape{s[0] + 1, s[0] + 1}; }, [](const Index& i, const Shape&) { return Index{i[1] == i[0] + 1 ? i[0] : -1}; })),
      row("diagBelow", "diag", [](Inputs x) { return diag(x[0], -2); }, {{{3}}, {{1}}, {{0}}},
          from([](const Shape& s) { return Shape{s[0] + 2, s[0] + 2}; }, [](const Index& i, const Shape&) { return Index{i[0] == i[1] + 2 ? i[1] : -1}; })),
      row("diagOfAMatrix", "diag", [](Inputs x) { return diag(x[0]); }, squares,
          from([](const Shape& s) { return Shape{std::min(s[0], s[1])}; }, [](const Index& i, const Shape&) { return Index{i[0], i[0]}; })),
      row("tril", "tril", [](Inputs x) { return tril(x[0], 1); }, cubes, from(same, [](const Index& i, const Shape&) { return i[2] <= i[1] + 1 ? i : Index{-1, 0, 0}; })),
      row("triu", "triu", [](Inputs x) { return triu(x[0]); }, cubes, from(same, [](const Index& i, const Shape&) { return i[2] >= i[1] ? i : Index{-1, 0, 0}; })),
      row("trace", "trace", [](Inputs x) { return trace(x[0]); }, {{{3, 3}}, {{2, 4}}, {{0, 3}}},
          [](const std::vector<Plain>& x) {
            double sum = 0;
            for (std::int64_t i = 0; i < std::min(x[0].shape[0], x[0].shape[1]); ++i) sum += at(x[0], {i, i});
            return Plain{{}, {sum}};
          }),
      row("sort", "sort", [](Inputs x) { return sort(x[0]); }, cubes, [](const std::vector<Plain>& x) { return sorted(x[0], false); }),
      row("sortDescending", "sort", [](Inputs x) { return swapaxes(sort(swapaxes(x[0], 0, 2), 0, true), 0, 2); }, cubes, [](const std::vector<Plain>& x) { return sorted(x[0], true); }),
      row("topk", "topk", [](Inputs x) { return topk(x[0], 2).first; }, {{{2, 3, 4}}, {{1, 1, 2}}, {{0, 3, 2}}},
          [](const std::vector<Plain>& x) {
            const Plain all = sorted(x[0], true);
            return fill({x[0].shape[0], x[0].shape[1], 2}, [&](const Index& i) { return at(all, i); });
          }),
      row("maskedFill", "masked_fill", [](Inputs x) { return masked_fill(x[0], x[0] > 0, -1); }, any,
          [](const std::vector<Plain>& x) { return fill(x[0].shape, [&](const Index& i) { return at(x[0], i) > 0 ? -1 : at(x[0], i); }); }),
      row("maskedSelect", "masked_select", [](Inputs x) { return masked_select(x[0], x[0] > 0); }, any,
          [](const std::vector<Plain>& x) {
            Plain result{{0}, {}};
            std::copy_if(x[0].values.begin(), x[0].values.end(), std::back_inserter(result.values), [](double v) { return v > 0; });
            result.shape[0] = static_cast<std::int64_t>(result.values.size());
            return result;
          }),
  };
  for (Row& each : rows)
    if (each.function == "masked_fill" || each.function == "masked_select") each.domains = {{-2, 2, {0}}};
  const auto edge = [&](const char* name, Edge added) {
    for (Row& each : rows)
      if (each.name == name) each.edges.push_back(std::move(added));
  };
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  edge("sort", {"ties keep their order and cotangents", everyone, {{{4}, {2, 1, 2, 1}}}, {{4}, {1, 1, 2, 2}}, {{100, 1, 1000, 10}}, {1, 10, 100, 1000}, {},
                [](Inputs x) { return sort(x[0]); }});
  edge("sort", {"NaN comes last", numpy, {{{3}, {nan, 2, 1}}}, {{3}, {1, 2, nan}}, {{100, 10, 1}}, {1, 10, 100}, {}, [](Inputs x) { return sort(x[0]); }});
  edge("topk", {"the first of ties", jax, {{{3}, {2, 5, 5}}}, {{2}, {5, 5}}, {{0, 1, 10}}, {1, 10}, {}, [](Inputs x) { return topk(x[0], 2).first; }});
  edge("maskedFill", {"what is filled may be NaN", everyone, {{{2}, {nan, 2}}}, {{2}, {0, 4}}, {{0, 4}}, {}, {}, [](Inputs x) { return square(masked_fill(x[0], isnan(x[0]), 0)); }});
  rows.push_back({.name = "argsort", .function = "argsort", .apply = [](Inputs x) { return argsort(x[0]); }, .domains = {{}}, .shapes = cubes,
                  .reference =
                      [](const std::vector<Plain>& x) {
                        Plain result = x[0];
                        const std::int64_t n = x[0].shape.back();
                        for (std::int64_t start = 0; n > 0 && start < static_cast<std::int64_t>(result.values.size()); start += n) {
                          std::vector<std::int64_t> order(static_cast<std::size_t>(n));
                          std::iota(order.begin(), order.end(), 0);
                          std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) { return x[0].values[static_cast<std::size_t>(start + a)] < x[0].values[static_cast<std::size_t>(start + b)]; });
                          for (std::int64_t i = 0; i < n; ++i) result.values[static_cast<std::size_t>(start + i)] = static_cast<double>(order[static_cast<std::size_t>(i)]);
                        }
                        return result;
                      },
                  .orders = 0});
  rows.push_back({.name = "nonzero", .function = "nonzero", .apply = [](Inputs x) { return nonzero(x[0] > 0); }, .domains = {{}}, .shapes = any,
                  .reference =
                      [](const std::vector<Plain>& x) {
                        Plain result{{0, static_cast<std::int64_t>(x[0].shape.size())}, {}};
                        fill(x[0].shape, [&](const Index& i) {
                          if (at(x[0], i) > 0) ++result.shape[0], result.values.insert(result.values.end(), i.begin(), i.end());
                          return 0.0;
                        });
                        return result;
                      },
                  .orders = 0});
  rows.push_back({.name = "searchsorted", .function = "searchsorted", .apply = [](Inputs x) { return searchsorted(sort(x[0]), x[1]); }, .domains = {{}},
                  .shapes = {{{7}, {3, 4}}, {{1}, {2}}, {{0}, {2}}, {{3}, {}}},
                  .reference =
                      [](const std::vector<Plain>& x) {
                        return fill(x[1].shape, [&](const Index& i) {
                          return static_cast<double>(std::count_if(x[0].values.begin(), x[0].values.end(), [&](double v) { return v < at(x[1], i); }));
                        });
                      },
                  .orders = 0});
  return rows;
}

std::vector<Row> product_rows() {
  using Inputs = const std::vector<Tensor>&;
  std::vector<Row> rows;
  const auto add = [&](std::string name, std::string function, TensorFunction f, std::vector<std::vector<Shape>> shapes, Reference reference) {
    rows.push_back({.name = std::move(name), .function = std::move(function), .apply = std::move(f), .domains = {{}}, .shapes = std::move(shapes),
                    .reference = std::move(reference), .ulps = 16});
  };
  add("dotOfVectors", "dot", [](Inputs x) { return dot(x[0], x[1]); }, {{{4}, {4}}, {{0}, {0}}},
      [](const std::vector<Plain>& x) { return Plain{{}, {std::inner_product(x[0].values.begin(), x[0].values.end(), x[1].values.begin(), 0.0)}}; });
  add("dotOfTensors", "dot", [](Inputs x) { return dot(x[0], x[1]); }, {{{2, 3}, {4, 3, 2}}},
      [](const std::vector<Plain>& x) {
        return fill({2, 4, 2}, [&](const Index& i) { double s = 0; for (std::int64_t k = 0; k < 3; ++k) s += at(x[0], {i[0], k}) * at(x[1], {i[1], k, i[2]}); return s; });
      });
  const Reference multiplied = [](const std::vector<Plain>& x) {
    return fill(x[1].shape, [&](const Index& i) { return x[0].values[0] * at(x[1], i); });
  };
  add("dotOfAScalar", "dot", [](Inputs x) { return dot(x[0], x[1]); }, {{{}, {}}, {{}, {2, 3}}}, multiplied);
  add("innerOfAScalar", "inner", [](Inputs x) { return inner(x[0], x[1]); }, {{{}, {}}, {{}, {2, 3}}}, multiplied);
  add("kronOfAScalar", "kron", [](Inputs x) { return kron(x[0], x[1]); }, {{{}, {}}, {{}, {2, 3}}}, multiplied);
  add("tensordotOfNoAxes", "tensordot", [](Inputs x) { return tensordot(x[0], x[1], 0); }, {{{}, {}}, {{}, {2, 3}}, {{}, {0, 2}}}, multiplied);
  add("inner", "inner", [](Inputs x) { return inner(x[0], x[1]); }, {{{2, 3}, {4, 3}}, {{2, 0}, {4, 0}}},
      [](const std::vector<Plain>& x) {
        return fill({2, 4}, [&](const Index& i) { double s = 0; for (std::int64_t k = 0; k < x[0].shape[1]; ++k) s += at(x[0], {i[0], k}) * at(x[1], {i[1], k}); return s; });
      });
  add("outer", "outer", [](Inputs x) { return outer(x[0], x[1]); }, {{{2, 3}, {4}}, {{}, {2}}, {{0}, {2}}},
      [](const std::vector<Plain>& x) {
        return fill({static_cast<std::int64_t>(x[0].values.size()), static_cast<std::int64_t>(x[1].values.size())},
                    [&](const Index& i) { return x[0].values[static_cast<std::size_t>(i[0])] * x[1].values[static_cast<std::size_t>(i[1])]; });
      });
  const Reference double_sum = [](const std::vector<Plain>& x) {
    return fill({2, 5}, [&](const Index& i) {
      double s = 0;
      for (std::int64_t k = 0; k < 3; ++k)
        for (std::int64_t l = 0; l < 4; ++l) s += at(x[0], {i[0], k, l}) * at(x[1], {k, l, i[1]});
      return s;
    });
  };
  add("tensordot", "tensordot", [](Inputs x) { return tensordot(x[0], x[1]); }, {{{2, 3, 4}, {3, 4, 5}}}, double_sum);
  add("tensordotOfAxes", "tensordot", [](Inputs x) { return tensordot(moveaxis(x[0], 1, 0), x[1], {2, 0}, {1, 0}); }, {{{2, 3, 4}, {3, 4, 5}}}, double_sum);
  add("kron", "kron", [](Inputs x) { return kron(x[0], x[1]); }, {{{2, 3}, {4, 2}}, {{3}, {2, 2}}, {{0, 2}, {2, 3}}},
      [](const std::vector<Plain>& x) {
        const std::int64_t rows_a = x[0].shape.size() == 2 ? x[0].shape[0] : 1, columns_a = x[0].shape.back(), rows_b = x[1].shape[0], columns_b = x[1].shape[1];
        const Plain a{{rows_a, columns_a}, x[0].values};
        return fill({rows_a * rows_b, columns_a * columns_b}, [&](const Index& i) { return at(a, {i[0] / rows_b, i[1] / columns_b}) * at(x[1], {i[0] % rows_b, i[1] % columns_b}); });
      });
  add("cross", "cross", [](Inputs x) { return cross(x[0], x[1]); }, {{{2, 3}, {2, 3}}, {{3}, {2, 3}}, {{0, 3}, {0, 3}}},
      [](const std::vector<Plain>& x) {
        return fill(x[1].shape, [&](const Index& i) {
          const auto a = [&](std::int64_t k) { return x[0].shape.size() == 1 ? at(x[0], {k % 3}) : at(x[0], {i[0], k % 3}); };
          const auto b = [&](std::int64_t k) { return at(x[1], {i[0], k % 3}); };
          return a(i[1] + 1) * b(i[1] + 2) - a(i[1] + 2) * b(i[1] + 1);
        });
      });
  const auto spelled = [&](std::string name, const std::string& subscripts, std::vector<Shape> shapes, Reference reference) {
    add(std::move(name), "einsum", [subscripts](Inputs x) { return einsum(subscripts, x); }, {std::move(shapes)}, std::move(reference));
  };
  const Reference three = [](const std::vector<Plain>& x) {
    return fill({2, 5}, [&](const Index& i) {
      double s = 0;
      for (std::int64_t j = 0; j < 3; ++j)
        for (std::int64_t k = 0; k < 4; ++k) s += at(x[0], {i[0], j}) * at(x[1], {j, k}) * at(x[2], {k, i[1]});
      return s;
    });
  };
  spelled("einsumOfThree", "ij,jk,kl->il", {{2, 3}, {3, 4}, {4, 5}}, three);
  spelled("einsumImplicit", " ij , jk,kl", {{2, 3}, {3, 4}, {4, 5}}, three);
  spelled("einsumOfABatch", "...ij,...kj->...ki", {{2, 1, 3, 4}, {5, 2, 4}}, [](const std::vector<Plain>& x) {
    return fill({2, 5, 2, 3}, [&](const Index& i) { double s = 0; for (std::int64_t j = 0; j < 4; ++j) s += at(x[0], {i[0], 0, i[3], j}) * at(x[1], {i[1], i[2], j}); return s; });
  });
  spelled("einsumOfADiagonal", "iji->j", {{3, 2, 3}}, [](const std::vector<Plain>& x) {
    return fill({2}, [&](const Index& i) { double s = 0; for (std::int64_t k = 0; k < 3; ++k) s += at(x[0], {k, i[0], k}); return s; });
  });
  spelled("einsumOfScalars", ",->", {{}, {}}, multiplied);
  spelled("einsumOverNothing", "ij,jk->ik", {{2, 0}, {0, 3}}, [](const std::vector<Plain>&) { return Plain{{2, 3}, std::vector<double>(6)}; });
  spelled("einsumTransposed", "ba", {{2, 3}}, [](const std::vector<Plain>& x) { return fill({3, 2}, [&](const Index& i) { return at(x[0], {i[1], i[0]}); }); });
  spelled("einsumElementwise", "ij,ij,j->ij", {{2, 3}, {2, 3}, {3}}, [](const std::vector<Plain>& x) { return fill({2, 3}, [&](const Index& i) { return at(x[0], i) * at(x[1], i) * at(x[2], {i[1]}); }); });
  spelled("einsumOfOneInstead", "ij,jk->ik", {{2, 1}, {3, 4}}, [](const std::vector<Plain>& x) {
    return fill({2, 4}, [&](const Index& i) { double s = 0; for (std::int64_t j = 0; j < 3; ++j) s += at(x[0], {i[0], 0}) * at(x[1], {j, i[1]}); return s; });
  });
  return rows;
}

}  // namespace xgrad::catalogue
