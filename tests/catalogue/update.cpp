#include <limits>
#include <tests/catalogue/shape_row.hpp>

namespace xgrad::catalogue {

std::vector<Row> update_rows() {
  using Inputs = const std::vector<Tensor>&;
  using Change = std::function<double(const Index&, double, const Plain&)>;
  /// x (two axes) with what `change` makes of each element, given its index, the element, and the value.
  const auto changed = [](const Change& change) -> Reference {
    return [change](const std::vector<Plain>& x) { return fill(x[0].shape, [&](const Index& i) { return change(i, at(x[0], i), x[1]); }); };
  };
  const auto of = [](const Plain& value, std::int64_t i) { return value.values[value.values.size() == 1 ? 0 : static_cast<std::size_t>(i)]; };
  const Tensor indices{2, 0, -1}, mask{true, false, true};  // of three rows the last is named twice
  std::vector<Row> rows = {
      row("atARowSet", "at().set", [](Inputs x) { return x[0].at(1).set(x[1]); }, {{{3, 2}, {2}}, {{2, 3}, {}}, {{4, 1}, {1}}, {{2, 0}, {0}}},
          changed([=](const Index& i, double old, const Plain& value) { return i[0] == 1 ? of(value, i[1]) : old; })),
      row("atStepsSet", "at().set", [](Inputs x) { return x[0].at(xt::all(), xt::range(3, 0, -2)).set(x[1]); },
          {{{3, 4}, {2}}, {{1, 4}, {1}}, {{0, 4}, {}}},
          changed([=](const Index& i, double old, const Plain& value) { return i[1] % 2 ? of(value, (3 - i[1]) / 2) : old; })),
      row("atAMaskSet", "at().set", [=](Inputs x) { return x[0].at(mask).set(x[1]); }, {{{3, 2}, {2}}, {{3, 2}, {}}, {{3, 0}, {0}}},
          changed([=](const Index& i, double old, const Plain& value) { return i[0] != 1 ? of(value, i[1]) : old; })),
      row("atIndicesSet", "at().set", [=](Inputs x) { return x[0].at(indices).set(x[1]); }, {{{3, 2}, {2}}, {{3, 2}, {}}},
          changed([=](const Index& i, double old, const Plain& value) { return i[0] != 1 ? of(value, i[1]) : old; })),
      row("atARowAdd", "at().add", [](Inputs x) { return x[0].at(1, xt::range(0, 2)).add(x[1]); }, {{{3, 2}, {2}}, {{2, 3}, {}}, {{2, 0}, {}}},
          changed([=](const Index& i, double old, const Plain& value) { return i[0] == 1 && i[1] < 2 ? old + of(value, i[1]) : old; })),
      row("atAMaskAdd", "at().add", [=](Inputs x) { return x[0].at(mask).add(x[1]); }, {{{3, 2}, {2}}, {{3, 0}, {}}},
          changed([=](const Index& i, double old, const Plain& value) { return i[0] != 1 ? old + of(value, i[1]) : old; })),
      row("atIndicesAdd", "at().add", [=](Inputs x) { return x[0].at(indices).add(x[1]); }, {{{3, 2}, {2}}, {{3, 0}, {}}},
          changed([=](const Index& i, double old, const Plain& value) { return i[0] == 1 ? old : old + (i[0] == 2 ? 2 : 1) * of(value, i[1]); })),
  };
  const auto edge = [&](const char* name, Edge added) {
    for (Row& each : rows)
      if (each.name == name) each.edges.push_back(std::move(added));
  };
  edge("atIndicesSet", {"of indices given twice the last counts", numpy, {{{3}, {1, 2, 3}}, {{2}, {5, 7}}}, {{3}, {1, 2, 7}}, {{1, 1, 0}, {0, 1}}, {}, {},
                        [](Inputs x) { return x[0].at(Tensor{2, -1}).set(x[1]); }});
  edge("atIndicesSet", {"what is replaced may be NaN", everyone, {{{2}, {std::numeric_limits<double>::quiet_NaN(), 2}}, {{}, {5}}}, {{2}, {25, 4}},
                        {{0, 4}, {10}}, {}, {}, [](Inputs x) { return square(x[0].at(0).set(x[1])); }});
  edge("atAMaskSet", {"a mask of fewer axes than x selects along the first", numpy, {{{2, 2}, {1, 2, 3, 4}}, {{2}, {5, 7}}}, {{2, 2}, {5, 7, 3, 4}},
                      {{0, 0, 1, 1}, {1, 1}}, {}, {}, [](Inputs x) { return x[0].at(Tensor{true, false}).set(x[1]); }});
  edge("atAMaskSet", {"a value has a row for each that the mask selects", numpy, {{{3}, {1, 2, 3}}, {{2}, {5, 7}}}, {{3}, {5, 2, 7}}, {{0, 1, 0}, {1, 1}}, {}, {},
                      [=](Inputs x) { return x[0].at(mask).set(x[1]); }});
  edge("atAMaskSet", {"a value of x's shape has one for each element", ours, {{{3}, {1, 2, 3}}, {{3}, {5, 6, 7}}}, {{3}, {5, 2, 7}}, {{0, 1, 0}, {1, 0, 1}}, {}, {},
                      [=](Inputs x) { return x[0].at(mask).set(x[1]); }});
  edge("atAMaskAdd", {"a mask of fewer axes than x selects along the first", numpy, {{{2, 2}, {1, 2, 3, 4}}, {{2}, {5, 7}}}, {{2, 2}, {6, 9, 3, 4}},
                      {{1, 1, 1, 1}, {1, 1}}, {}, {}, [](Inputs x) { return x[0].at(Tensor{true, false}).add(x[1]); }});
  edge("atIndicesAdd", {"indices given twice add twice", everyone, {{{3}, {1, 2, 3}}, {{2}, {5, 7}}}, {{3}, {1, 2, 15}}, {{1, 1, 10}, {10, 10}}, {1, 1, 10}, {},
                        [](Inputs x) { return x[0].at(Tensor{2, -1}).add(x[1]); }});
  return rows;
}

}  // namespace xgrad::catalogue
