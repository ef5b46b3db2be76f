#include <algorithm>
#include <tests/catalogue/shape_row.hpp>

namespace xgrad::catalogue {
namespace {

Reference same_order(const std::function<Shape(const Shape&)>& shape) {
  return [shape](const std::vector<Plain>& x) { return Plain{shape(x[0].shape), x[0].values}; };
}

/// Product of matrices or vectors with broadcast leading axes, by the definition.
Plain product(const std::vector<Plain>& x) {
  Plain a = x[0], b = x[1];
  const bool row = a.shape.size() == 1, column = b.shape.size() == 1;
  if (row) a.shape = {1, a.shape[0]};
  if (column) b.shape = {b.shape[0], 1};
  const Shape batch = broadcast_shapes("reference", Shape(a.shape.begin(), a.shape.end() - 2), Shape(b.shape.begin(), b.shape.end() - 2));
  const std::int64_t n = a.shape[a.shape.size() - 2], k = a.shape.back(), m = b.shape.back();
  Shape full = batch;
  full.push_back(n);
  full.push_back(m);
  Plain result = fill(full, [&](const Index& index) {
    const auto pick = [&](const Plain& matrix, std::int64_t i, std::int64_t j) {
      Index where(index.end() - static_cast<std::ptrdiff_t>(matrix.shape.size()), index.end());
      for (std::size_t axis = 0; axis < where.size(); ++axis)
        if (matrix.shape[axis] == 1) where[axis] = 0;
      where[where.size() - 2] = i;
      where[where.size() - 1] = j;
      return at(matrix, where);
    };
    double sum = 0;
    for (std::int64_t l = 0; l < k; ++l) sum += pick(a, index[index.size() - 2], l) * pick(b, l, index.back());
    return sum;
  });
  result.shape = batch;
  if (!row) result.shape.push_back(n);
  if (!column) result.shape.push_back(m);
  return result;
}

}  // namespace

std::vector<Row> shape_rows() {
  std::vector<Row> rows;
  rows.push_back({.name = "matmul",
                  .function = "matmul",
                  .apply = [](const std::vector<Tensor>& x) { return matmul(x[0], x[1]); },
                  .domains = {{}},
                  .shapes = {{{3, 4}, {4, 2}}, {{4}, {4}}, {{3, 4}, {4}}, {{4}, {4, 2}}, {{1, 1}, {1, 1}}, {{2, 3, 4}, {4, 5}},
                             {{2, 1, 3, 4}, {3, 4, 2}}, {{4}, {2, 4, 3}}, {{2, 3, 4}, {4}}, {{0, 3}, {3, 2}}, {{2, 0}, {0, 3}},
                             {{3, 4}, {2, 4, 1}}, {{40, 33}, {33, 50}}},
                  .reference = product,
                  .ulps = 40});
  rows.push_back({.name = "matmulOfTransposes",
                  .function = "matmul",
                  .apply = [](const std::vector<Tensor>& x) { return matmul(matrix_transpose(x[0]), matrix_transpose(x[1])); },
                  .domains = {{}},
                  .shapes = {{{4, 3}, {2, 4}}, {{2, 4, 3}, {5, 4}}, {{33, 40}, {50, 33}}},
                  .reference =
                      [](const std::vector<Plain>& x) {
                        std::vector<Plain> turned;
                        for (const Plain& matrix : x) {
                          Shape shape = matrix.shape;
                          std::swap(shape[shape.size() - 1], shape[shape.size() - 2]);
                          turned.push_back(fill(shape, [&](Index index) {
                            std::swap(index[index.size() - 1], index[index.size() - 2]);
                            return at(matrix, index);
                          }));
                        }
                        return product(turned);
                      },
                  .ulps = 40});
  rows.push_back({.name = "matmulWithItsTranspose",
                  .function = "matmul",
                  .apply = [](const std::vector<Tensor>& x) { return matmul(x[0], transpose(x[0])); },
                  .domains = {{}},
                  .shapes = {{{3, 4}}},
                  .reference =
                      [](const std::vector<Plain>& x) {
                        return product({x[0], fill({x[0].shape[1], x[0].shape[0]}, [&](const Index& i) { return at(x[0], {i[1], i[0]}); })});
                      },
                  .ulps = 16});
  rows.back().edges = {{"x by its own transpose", everyone, {{{1, 2}, {3, 4}}}, {{1, 1}, {25}}, {{6, 8}}, {}, {2, 2}}};
  rows.push_back(row("reshape", "reshape", [](const std::vector<Tensor>& x) { return reshape(x[0], {2, -1}); },
                     {{{3, 4}}, {{2, 3, 5}}, {{2}}, {{0, 3}}}, same_order([](const Shape& s) { return Shape{2, size_of(s) / 2}; })));
  rows.push_back(row("reshapeOfOneElement", "reshape", [](const std::vector<Tensor>& x) { return reshape(x[0], {1, 1}); }, {{{}}, {{1}}},
                     same_order([](const Shape&) { return Shape{1, 1}; })));
  rows.push_back(row("reshapeOfATranspose", "reshape", [](const std::vector<Tensor>& x) { return reshape(transpose(x[0]), {6, 2}); },
                     {{{3, 4}}}, [](const std::vector<Plain>& x) {
                       Plain result = fill({4, 3}, [&](const Index& i) { return at(x[0], {i[1], i[0]}); });
                       result.shape = {6, 2};
                       return result;
                     }));
  rows.push_back(row("transpose", "transpose", [](const std::vector<Tensor>& x) { return transpose(x[0]); },
                     {{{3, 4}}, {{2, 3, 5}}, {{}}, {{4}}, {{0, 3}}}, [](const std::vector<Plain>& x) {
                       return fill(Shape(x[0].shape.rbegin(), x[0].shape.rend()),
                                   [&](const Index& i) { return at(x[0], Index(i.rbegin(), i.rend())); });
                     }));
  rows.push_back(row("permute", "transpose", [](const std::vector<Tensor>& x) { return transpose(x[0], {1, -1, 0}); }, {{{2, 3, 5}}},
                     [](const std::vector<Plain>& x) {
                       return fill({x[0].shape[1], x[0].shape[2], x[0].shape[0]}, [&](const Index& i) { return at(x[0], {i[2], i[0], i[1]}); });
                     }));
  rows.push_back(row("matrixTranspose", "matrix_transpose", [](const std::vector<Tensor>& x) { return matrix_transpose(x[0]); },
                     {{{2, 3, 5}}, {{2, 0, 5}}}, [](const std::vector<Plain>& x) {
                       return fill({x[0].shape[0], x[0].shape[2], x[0].shape[1]}, [&](const Index& i) { return at(x[0], {i[0], i[2], i[1]}); });
                     }));
  rows.push_back(row("broadcastTo", "broadcast_to", [](const std::vector<Tensor>& x) { return broadcast_to(x[0], {2, 3, 4}); },
                     {{{3, 1}}, {{}}, {{4}}, {{2, 3, 4}}, {{1, 1, 4}}}, [](const std::vector<Plain>& x) {
                       return fill({2, 3, 4}, [&](const Index& i) {
                         Index from(i.end() - static_cast<std::ptrdiff_t>(x[0].shape.size()), i.end());
                         for (std::size_t axis = 0; axis < from.size(); ++axis)
                           if (x[0].shape[axis] == 1) from[axis] = 0;
                         return at(x[0], from);
                       });
                     }));
  rows.push_back(row("broadcastToNothing", "broadcast_to", [](const std::vector<Tensor>& x) { return broadcast_to(x[0], {3, 0}); },
                     {{{3, 1}}, {{}}, {{0}}, {{3, 0}}}, [](const std::vector<Plain>&) { return Plain{{3, 0}, {}}; }));
  rows.push_back(row("squeeze", "squeeze", [](const std::vector<Tensor>& x) { return squeeze(x[0]); }, {{{1, 3, 1, 4}}, {{1}}, {{1, 0}}, {{}}},
                     same_order([](const Shape& s) {
                       Shape kept;
                       for (const std::int64_t extent : s)
                         if (extent != 1) kept.push_back(extent);
                       return kept;
                     })));
  rows.push_back(row("squeezeOneAxis", "squeeze", [](const std::vector<Tensor>& x) { return squeeze(x[0], -2); }, {{{1, 3, 1, 4}}},
                     same_order([](const Shape&) { return Shape{1, 3, 4}; })));
  rows.push_back(row("expandDims", "expand_dims", [](const std::vector<Tensor>& x) { return expand_dims(x[0], {0, -1}); }, {{{3, 4}}, {{}}, {{0}}},
                     same_order([](Shape s) {
                       s.insert(s.begin(), 1);
                       s.push_back(1);
                       return s;
                     })));
  rows.push_back(row("flatten", "flatten", [](const std::vector<Tensor>& x) { return flatten(x[0], 1); }, {{{2, 3, 4}}, {{2, 0, 3}}},
                     same_order([](const Shape& s) { return Shape{2, s[1] * s[2]}; })));
  rows.push_back(row("flattenAll", "flatten", [](const std::vector<Tensor>& x) { return flatten(x[0]); }, {{{2, 3}}, {{}}, {{0, 2}}},
                     same_order([](const Shape& s) { return Shape{size_of(s)}; })));
  rows.push_back(row("concatenate", "concatenate", [](const std::vector<Tensor>& x) { return concatenate({x[0], x[1], x[0]}, 1); },
                     {{{2, 3}, {2, 1}}, {{2, 3}, {2, 0}}}, [](const std::vector<Plain>& x) {
                       const std::int64_t first = x[0].shape[1], second = x[1].shape[1];
                       return fill({2, 2 * first + second}, [&](const Index& i) {
                         if (i[1] < first) return at(x[0], i);
                         return i[1] < first + second ? at(x[1], {i[0], i[1] - first}) : at(x[0], {i[0], i[1] - first - second});
                       });
                     }));
  rows.back().edges = {{"x behind itself", everyone, {{{2}, {1, 2}}}, {{4}, {1, 2, 1, 2}}, {{101, 1010}}, {1, 10, 100, 1000}, {},
                        [](const std::vector<Tensor>& x) { return concatenate({x[0], x[0]}); }}};
  rows.push_back(row("stack", "stack", [](const std::vector<Tensor>& x) { return stack({x[0], x[1]}, -1); }, {{{2, 3}, {2, 3}}, {{}, {}}, {{0, 2}, {0, 2}}},
                     [](const std::vector<Plain>& x) {
                       Shape shape = x[0].shape;
                       shape.push_back(2);
                       return fill(shape, [&](const Index& i) { return at(x[static_cast<std::size_t>(i.back())], Index(i.begin(), i.end() - 1)); });
                     }));
  return rows;
}

std::vector<Row> index_rows() {
  std::vector<Row> rows;
  rows.push_back(row("sliceRange", "slice", [](const std::vector<Tensor>& x) { return x[0].slice(xt::range(1, 100)); },
                     {{{4, 3}}, {{5}}, {{1, 2}}, {{3, 0}}}, [](const std::vector<Plain>& x) {
                       Shape shape = x[0].shape;
                       shape[0] -= 1;
                       return fill(shape, [&](Index i) {
                         ++i[0];
                         return at(x[0], i);
                       });
                     }));
  rows.push_back(row("sliceOfAScalar", "slice", [](const std::vector<Tensor>& x) { return x[0].slice(xt::newaxis(), xt::ellipsis()); }, {{{}}, {{2}}},
                     same_order([](Shape s) {
                       s.insert(s.begin(), 1);
                       return s;
                     })));
  rows.push_back(row("sliceStepsAndNewAxes", "slice",
                     [](const std::vector<Tensor>& x) {
                       return x[0].slice(xt::range(0, 4, 2), xt::newaxis(), -1, xt::ellipsis(), xt::range(3, 0, -1));
                     },
                     {{{4, 3, 2, 4}}}, [](const std::vector<Plain>& x) {
                       return fill({2, 1, 2, 3}, [&](const Index& i) { return at(x[0], {2 * i[0], 2, i[2], 3 - i[3]}); });
                     }));
  rows.push_back(row("sliceOfASlice", "slice",
                     [](const std::vector<Tensor>& x) { return x[0].slice(xt::all(), xt::range(1, 4)).slice(1, xt::range(0, 3, 2)); },
                     {{{3, 5}}}, [](const std::vector<Plain>& x) {
                       return fill({2}, [&](const Index& i) { return at(x[0], {1, 1 + 2 * i[0]}); });
                     }));
  const Tensor indices{2, 0, -1, 2};
  const auto picked = [](std::int64_t i) { return std::vector<std::int64_t>{2, 0, 2, 2}[static_cast<std::size_t>(i)]; };
  rows.push_back(row("take", "take", [=](const std::vector<Tensor>& x) { return take(x[0], indices); }, {{{3, 4}}, {{3}}, {{3, 0}}},
                     [=](const std::vector<Plain>& x) {
                       Shape shape = x[0].shape;
                       shape[0] = 4;
                       return fill(shape, [&](Index i) {
                         i[0] = picked(i[0]);
                         return at(x[0], i);
                       });
                     }));
  rows.back().edges = {{"indices given twice add their cotangents", everyone, {{{3}, {1, 2, 3}}}, {{4}, {3, 1, 3, 3}}, {{10, 0, 1101}}, {1, 10, 100, 1000}, {},
                        [=](const std::vector<Tensor>& x) { return take(x[0], indices); }}};
  rows.push_back(row("takeAMatrixOfIndices", "take",
                     [=](const std::vector<Tensor>& x) { return take(x[0], reshape(indices, {2, 2}), 1); }, {{{2, 3, 2}}},
                     [=](const std::vector<Plain>& x) {
                       return fill({2, 2, 2, 2}, [&](const Index& i) { return at(x[0], {i[0], picked(2 * i[1] + i[2]), i[3]}); });
                     }));
  rows.push_back(row("takeAlongAxis", "take_along_axis",
                     [=](const std::vector<Tensor>& x) { return take_along_axis(x[0], reshape(indices, {2, 2}), 1); }, {{{2, 3}}},
                     [=](const std::vector<Plain>& x) {
                       return fill({2, 2}, [&](const Index& i) { return at(x[0], {i[0], picked(2 * i[0] + i[1])}); });
                     }));
  rows.back().edges = {{"indices given twice add their cotangents", everyone, {{{3}, {1, 2, 3}}}, {{4}, {3, 1, 3, 3}}, {{10, 0, 1101}}, {1, 10, 100, 1000}, {},
                        [=](const std::vector<Tensor>& x) { return take_along_axis(x[0], indices); }}};
  rows.push_back(row("takeAlongAxisOfAll", "take_along_axis",
                     [=](const std::vector<Tensor>& x) { return take_along_axis(x[0], reshape(indices, {1, 4}), 1); }, {{{2, 3}}, {{1, 3}}, {{0, 3}}},
                     [=](const std::vector<Plain>& x) { return fill({x[0].shape[0], 4}, [&](const Index& i) { return at(x[0], {i[0], picked(i[1])}); }); }));
  rows.push_back(row("indexAdd", "index_add", [=](const std::vector<Tensor>& x) { return index_add(x[0], indices, x[1]); },
                     {{{3, 2}, {4, 2}}, {{3, 0}, {4, 0}}}, [=](const std::vector<Plain>& x) {
                       Plain result = x[0];
                       const std::int64_t width = x[0].shape[1];
                       for (std::int64_t i = 0; i < 4; ++i)
                         for (std::int64_t j = 0; j < width; ++j) result.values[static_cast<std::size_t>(picked(i) * width + j)] += at(x[1], {i, j});
                       return result;
                     }));
  rows.back().edges = {{"indices given twice add twice", everyone, {{{3}, {1, 2, 3}}, {{4}, {1, 10, 100, 1000}}}, {{3}, {11, 2, 1104}}, {{1, 2, 3}, {3, 1, 3, 3}},
                        {1, 2, 3}, {}, [=](const std::vector<Tensor>& x) { return index_add(x[0], indices, x[1]); }}};
  rows.push_back(row("scatterAdd", "scatter_add",
                     [=](const std::vector<Tensor>& x) { return scatter_add(x[0], reshape(indices, {2, 2}), x[1], 1); },
                     {{{2, 3}, {2, 2}}}, [=](const std::vector<Plain>& x) {
                       Plain result = x[0];
                       for (std::int64_t i = 0; i < 2; ++i)
                         for (std::int64_t j = 0; j < 2; ++j) result.values[static_cast<std::size_t>(i * 3 + picked(2 * i + j))] += at(x[1], {i, j});
                       return result;
                     }));
  rows.back().edges = {{"indices given twice add twice", everyone, {{{3}, {1, 2, 3}}, {{4}, {1, 10, 100, 1000}}}, {{3}, {11, 2, 1104}}, {{1, 2, 3}, {3, 1, 3, 3}},
                        {1, 2, 3}, {}, [=](const std::vector<Tensor>& x) { return scatter_add(x[0], indices, x[1]); }}};
  rows.push_back(row("scatterAddOfNothing", "scatter_add",
                     [](const std::vector<Tensor>& x) { return scatter_add(x[0], zeros({2, 0}, DType::int64), x[1], 1); }, {{{2, 3}, {2, 0}}},
                     [](const std::vector<Plain>& x) { return x[0]; }));
  rows.push_back({.name = "oneHot",
                  .function = "one_hot",
                  .apply = [](const std::vector<Tensor>& x) { return one_hot((x[0] * 0).to(DType::int64) + 1, 3); },
                  .domains = {{}},
                  .shapes = {{{2, 3}}, {{}}, {{0}}},
                  .reference =
                      [](const std::vector<Plain>& x) {
                        Shape shape = x[0].shape;
                        shape.push_back(3);
                        return fill(shape, [](const Index& i) { return i.back() == 1 ? 1.0 : 0.0; });
                      },
                  .orders = 0});
  rows.push_back(row("castToFloat32", "to", [](const std::vector<Tensor>& x) { return (3 * x[0]).to(DType::float64); }, {{{3, 4}}, {{}}, {{0, 3}}},
                     [](const std::vector<Plain>& x) {
                       Plain result = x[0];
                       for (double& value : result.values) value *= 3;
                       return result;
                     }));
  return rows;
}

}  // namespace xgrad::catalogue
