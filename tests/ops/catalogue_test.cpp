// What the catalogue of ops says, tested: values, gradients of both orders, broadcasting, dtypes, strides, edges.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <tests/catalogue/catalogue.hpp>
#include <tests/support/throws.hpp>

using namespace xgrad;
using namespace xgrad::catalogue;

namespace {

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

/// Values within `bound` times the largest of `scale` and the value itself.
testing::AssertionResult close(const Plain& actual, const Plain& expected, double relative, double scale) {
  if (actual.shape != expected.shape)
    return testing::AssertionFailure() << "shape " << to_string(actual.shape) << ", expected " << to_string(expected.shape);
  for (std::size_t i = 0; i < expected.values.size(); ++i) {
    const double x = actual.values[i], y = expected.values[i];
    if (!same(x, y) && !(std::abs(x - y) <= relative * std::max(std::abs(y), scale)))
      return testing::AssertionFailure() << "element " << i << " is " << x << ", expected " << y << ", relative error "
                                         << std::abs(x - y) / std::abs(y);
  }
  return testing::AssertionSuccess();
}

std::vector<Plain> plain_inputs(const std::vector<Tensor>& inputs) {
  std::vector<Plain> result;
  for (const Tensor& input : inputs) result.push_back(plain(input));
  return result;
}

/// Errors of sums are relative to their terms, which are about 1; of elementwise functions to the result.
double scale_of(const Row& row) { return row.elementwise ? std::numeric_limits<double>::min() : 1; }

/// Gradients of Σ weights · output, the weights fixed by the seed.
std::vector<Tensor> gradients(const Row& row, std::vector<Tensor> inputs) {
  for (Tensor& input : inputs)
    if (!input.requires_grad()) input.set_requires_grad();
  const Tensor output = row.apply(inputs);
  if (!output.requires_grad()) return {};
  Generator generator(11);
  return grad({output}, inputs, {.cotangents = {generator.normal(output.shape(), 0, 1, DType::float64).to(output.dtype())}, .allow_unused = true});
}

/// Differences take few elements (large shapes are there for the kernels) and finite values (not the mean of nothing).
bool checkable(const Row& row, const std::vector<Shape>& shapes) {
  if (size_of(shapes[0]) > 200) return false;
  const Plain value = row.reference(plain_inputs(draw(row, shapes, 3)));
  return std::all_of(value.values.begin(), value.values.end(), [](double x) { return std::isfinite(x); });
}

class EveryOp : public testing::TestWithParam<Row> {};

std::string row_name(const testing::TestParamInfo<Row>& info) {
  std::string name = info.param.name;
  std::erase(name, '_');
  return name;
}

TEST_P(EveryOp, HasTheValuesOfTheReference) {
  const Row& row = GetParam();
  for (const auto& shapes : row.shapes) {
    SCOPED_TRACE("first shape " + to_string(shapes[0]));
    const std::vector<Tensor> inputs = draw(row, shapes, 1);
    EXPECT_TRUE(close(plain(row.apply(inputs)), row.reference(plain_inputs(inputs)), 4e-15 * (1 + row.ulps), scale_of(row)));
  }
}

TEST_P(EveryOp, HasTheValuesOfTheReferenceInFloat32) {
  const Row& row = GetParam();
  for (const auto& shapes : row.shapes) {
    SCOPED_TRACE("first shape " + to_string(shapes[0]));
    const std::vector<Tensor> inputs = draw(row, shapes, 2, DType::float32);
    const Tensor output = row.apply(inputs);
    EXPECT_TRUE(close(plain(output), row.reference(plain_inputs(inputs)), 0.6e-7 * (1 + 2 * row.ulps), scale_of(row)));
  }
}

TEST_P(EveryOp, HasTheGradientThatDifferencesShow) {
  const Row& row = GetParam();
  if (row.orders < 1) {
    EXPECT_FALSE(row.apply(draw(row, row.shapes[0], 3)).requires_grad());
    return;
  }
  for (const auto& shapes : row.shapes) {
    if (!checkable(row, shapes)) continue;
    SCOPED_TRACE("first shape " + to_string(shapes[0]));
    EXPECT_TRUE(gradcheck(row.apply, draw(row, shapes, 3)));
  }
}

TEST_P(EveryOp, HasTheSecondDerivativesThatDifferencesShow) {
  const Row& row = GetParam();
  if (row.orders < 2) return;
  for (const auto& shapes : row.shapes) {
    if (!checkable(row, shapes)) continue;
    SCOPED_TRACE("first shape " + to_string(shapes[0]));
    EXPECT_TRUE(gradgradcheck(row.apply, draw(row, shapes, 4), {.atol = 1e-7}));
  }
}

TEST_P(EveryOp, HasNearlyTheSameGradientInFloat32) {
  const Row& row = GetParam();
  for (const auto& shapes : row.shapes) {
    SCOPED_TRACE("first shape " + to_string(shapes[0]));
    const auto wide = gradients(row, draw(row, shapes, 5)), narrow = gradients(row, draw(row, shapes, 5, DType::float32));
    ASSERT_EQ(wide.size(), narrow.size());
    for (std::size_t i = 0; i < wide.size(); ++i) {
      ASSERT_EQ(wide[i].defined(), narrow[i].defined());
      if (!wide[i].defined()) continue;
      EXPECT_EQ(narrow[i].dtype(), DType::float32);
      EXPECT_TRUE(close(plain(narrow[i]), plain(wide[i]), 2e-5, 10)) << "input " << i;
    }
  }
}

/// The same values, reached by strides: transposed, backwards, and as every second of a longer row.
std::vector<Tensor> strided(const std::vector<Tensor>& inputs, int way) {
  std::vector<Tensor> result;
  for (const Tensor& x : inputs) {
    if (way == 0) {
      result.push_back(transpose(concatenate({reshape(transpose(x), {-1})}, 0).reshape(Shape(x.shape().rbegin(), x.shape().rend()))));
    } else if (x.dim() == 0) {
      result.push_back(stack({x, x}).slice(1));
    } else if (way == 1) {
      const Tensor turned = x.slice(xt::range(xt::placeholders::_, xt::placeholders::_, -1)).evaluate();
      result.push_back(concatenate({turned}, 0).slice(xt::range(xt::placeholders::_, xt::placeholders::_, -1)));
    } else {
      const Tensor doubled = stack({x, 3 * x}, -1);
      result.push_back(doubled.slice(xt::ellipsis(), 0));
    }
    EXPECT_EQ(result.back().shape(), x.shape());
  }
  return result;
}

TEST_P(EveryOp, DoesNotMindStrides) {
  const Row& row = GetParam();
  for (const auto& shapes : row.shapes) {
    if (std::any_of(shapes.begin(), shapes.end(), [](const Shape& shape) { return size_of(shape) == 0; })) continue;
    SCOPED_TRACE("first shape " + to_string(shapes[0]));
    const std::vector<Tensor> inputs = draw(row, shapes, 6);
    const Plain expected = plain(row.apply(inputs));
    const auto expected_gradients = gradients(row, inputs);
    for (int way = 0; way < 3; ++way) {
      SCOPED_TRACE("way " + std::to_string(way));
      const std::vector<Tensor> reached = strided(inputs, way);
      EXPECT_TRUE(close(plain(row.apply(reached)), expected, 1e-14, 1));
      std::vector<Tensor> leaves = draw(row, shapes, 6);
      for (Tensor& leaf : leaves) leaf.set_requires_grad();
      const Tensor output = row.apply(strided(leaves, way));
      if (!output.requires_grad()) continue;
      Generator generator(11);
      const Tensor cotangent = strided({generator.normal(output.shape(), 0, 1, DType::float64)}, way)[0];
      const auto through = grad({output}, leaves, {.cotangents = {cotangent}, .allow_unused = true});
      for (std::size_t i = 0; i < leaves.size(); ++i)
        if (through[i].defined()) {
          EXPECT_TRUE(close(plain(through[i]), plain(expected_gradients[i]), 1e-12, 1));
        }
    }
  }
}

/// The first slice along an axis, as often as the axis is long: by strides of 0, or copied.
Tensor spread(const Tensor& x, std::int64_t axis, bool copied) {
  if (axis >= static_cast<std::int64_t>(x.dim())) return x;
  std::vector<Slice> first(x.dim(), Slice(xt::all()));
  first[static_cast<std::size_t>(axis)] = Slice(xt::range(0, 1));
  const Tensor wide = broadcast_to(x.slice(first), x.shape());
  return copied ? concatenate({reshape(wide, {-1})}).reshape(x.shape()) : wide;
}

TEST_P(EveryOp, DoesNotMindInputsThatAreBroadcast) {
  const Row& row = GetParam();
  for (const auto& shapes : row.shapes) {
    // Of a matrix of equal rows decompositions are at a point without derivative: stacks are broadcast.
    const bool whole_matrices = row.function == "qr" || row.function == "lstsq" || row.function == "svd" || row.function == "eigh" || row.function == "pinv";
    const std::size_t last = whole_matrices ? shapes[0].size() - 2 : shapes[0].size();
    for (std::size_t axis = 0; axis < last; ++axis) {
      if (std::any_of(shapes.begin(), shapes.end(), [](const Shape& shape) { return size_of(shape) == 0; })) continue;
      SCOPED_TRACE("first shape " + to_string(shapes[0]) + ", axis " + std::to_string(axis));
      const auto result = [&](bool copied) {
        std::vector<Tensor> leaves = draw(row, shapes, 12), inputs;
        for (Tensor& leaf : leaves) inputs.push_back(spread(leaf.set_requires_grad(), static_cast<std::int64_t>(axis), copied));
        const Tensor output = row.apply(inputs);
        std::vector<Tensor> found{output};
        if (!output.requires_grad()) return found;
        Generator generator(13);
        for (const Tensor& gradient : grad({output}, leaves, {.cotangents = {generator.normal(output.shape(), 0, 1, DType::float64)}, .allow_unused = true}))
          found.push_back(gradient);
        return found;
      };
      const auto by_strides = result(false), by_copies = result(true);
      ASSERT_EQ(by_strides.size(), by_copies.size());
      for (std::size_t i = 0; i < by_strides.size(); ++i) {
        ASSERT_EQ(by_strides[i].defined(), by_copies[i].defined());
        if (by_strides[i].defined()) {
          EXPECT_TRUE(close(plain(by_strides[i]), plain(by_copies[i]), 1e-12, 1)) << (i ? "gradient " + std::to_string(i) : "value");
        }
      }
    }
  }
}

TEST_P(EveryOp, GivesEmptyTensorsGradientsOfTheirShape) {
  const Row& row = GetParam();
  for (const auto& shapes : row.shapes) {
    if (std::all_of(shapes.begin(), shapes.end(), [](const Shape& shape) { return size_of(shape) != 0; })) continue;
    SCOPED_TRACE("first shape " + to_string(shapes[0]));
    for (const DType dtype : {DType::float64, DType::float32}) {
      const std::vector<Tensor> found = gradients(row, draw(row, shapes, 14, dtype));
      for (std::size_t i = 0; i < found.size(); ++i)
        if (found[i].defined()) {
          EXPECT_EQ(found[i].shape(), shapes[i]);
          EXPECT_EQ(found[i].dtype(), dtype);
        }
    }
  }
}

TEST_P(EveryOp, BroadcastsAsBroadcastToDoes) {
  const Row& row = GetParam();
  if (!row.elementwise || row.shapes[0].size() < 2) return;
  for (const auto& shapes : row.shapes) {
    SCOPED_TRACE("shapes " + to_string(shapes[0]) + " and " + to_string(shapes[1]));
    Shape shape;
    for (const Shape& other : shapes) shape = broadcast_shapes("test", shape, other);
    const std::vector<Tensor> inputs = draw(row, shapes, 7);
    std::vector<Tensor> full;
    for (const Tensor& input : inputs) full.push_back(concatenate({reshape(broadcast_to(input, shape), {-1})}).reshape(shape));
    const Tensor output = row.apply(inputs);
    EXPECT_EQ(output.shape(), shape);
    EXPECT_EQ(plain(output).values, plain(row.apply(full)).values);
    for (const auto& gradient : {gradients(row, inputs)})
      for (std::size_t i = 0; i < gradient.size(); ++i)
        if (gradient[i].defined()) {
          EXPECT_EQ(gradient[i].shape(), shapes[i]);
        }
  }
}

TEST_P(EveryOp, KeepsItsConventionsAtEdges) {
  const Row& row = GetParam();
  for (const Edge& edge : row.edges)
    for (const DType dtype : {DType::float64, DType::float32}) {
      SCOPED_TRACE(edge.what + " in " + std::string(name_of(dtype)));
      std::vector<Tensor> inputs;
      for (const Plain& input : edge.inputs) inputs.push_back(tensor(input, dtype).set_requires_grad());
      const auto apply = [&] { return edge.apply ? edge.apply(inputs) : row.apply(inputs); };
      if (!edge.error.empty()) {
        EXPECT_TRUE(test::throws<std::domain_error>([&] { apply().evaluate(); }, {edge.error}));
        continue;
      }
      const Tensor output = apply();
      const double precision = dtype == DType::float64 ? 1e-14 : 1e-6;
      EXPECT_TRUE(close(plain(output), edge.value, precision, 0));
      if (edge.gradients.empty()) continue;
      const bool no_gradient = !output.requires_grad();  // which is a gradient of 0
      std::vector<Tensor> gradients(inputs.size());
      const Tensor cotangent = edge.cotangent.empty() ? ones(output.shape(), dtype) : tensor({output.shape(), edge.cotangent}, dtype);
      if (!no_gradient) gradients = grad({output}, inputs, {.cotangents = {cotangent}, .create_graph = true, .allow_unused = true});
      const auto is = [&](const Tensor& gradient, const Plain& expected) { return close(plain(gradient.defined() ? gradient : zeros(expected.shape)), expected, precision, 0); };
      for (std::size_t i = 0; i < edge.gradients.size(); ++i)
        if (!edge.gradients[i].empty() && !std::isnan(edge.gradients[i][0])) {
          EXPECT_TRUE(is(gradients[i], {edge.inputs[i].shape, edge.gradients[i]})) << "gradient of input " << i;
        }
      if (edge.second.empty()) continue;
      Tensor second;
      if (gradients[0].defined() && gradients[0].requires_grad()) second = grad(sum(gradients[0]), inputs[0], {.allow_unused = true});
      EXPECT_TRUE(is(second, {edge.inputs[0].shape, edge.second})) << "second derivative";
    }
}

TEST_P(EveryOp, IsComputedInGroupsAsAlone) {
  const Row& row = GetParam();
  for (const auto& shapes : row.shapes) {
    SCOPED_TRACE("first shape " + to_string(shapes[0]));
    std::vector<Tensor> inputs = draw(row, shapes, 8);
    const auto chain = [&](bool step_by_step) {
      std::vector<Tensor> scaled;
      for (const Tensor& input : inputs) scaled.push_back(step_by_step ? (input * 0.75).evaluate() : input * 0.75);
      Tensor output = row.apply(scaled);
      if (step_by_step) output.evaluate();
      if (output.dtype() == DType::bool_) return plain(output);
      return plain(output * 2 + 1);
    };
    const Plain alone = chain(true), grouped = chain(false);
    ASSERT_EQ(alone.values.size(), grouped.values.size());
    for (std::size_t i = 0; i < alone.values.size(); ++i) EXPECT_TRUE(same(alone.values[i], grouped.values[i]));
  }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, EveryOp, testing::ValuesIn(rows()), row_name);

TEST(Catalogue, ThirdDerivativesAreRight) {
  std::set<std::string> names{"exp", "log", "sqrt", "tanh", "sigmoid", "sin", "erf", "powerOfAFraction", "divide", "softmaxLast", "arctan2", "hypot",
                              "sinc", "lgamma", "logaddexp", "logsumexpAll", "prodAll", "norm", "cumprod", "matmul", "solve", "inv", "cholesky"};
  for (const Row& row : rows()) {
    if (names.erase(row.name) == 0) continue;
    SCOPED_TRACE(row.name);
    const auto first = [&row](const std::vector<Tensor>& inputs) {
      GradMode tracking(true);
      Tensor x = inputs[0].requires_grad() ? inputs[0] : inputs[0].detach().set_requires_grad();
      std::vector<Tensor> all = inputs;
      all[0] = x;
      return grad(sum(square(row.apply(all))), x, {.create_graph = true});
    };
    EXPECT_TRUE(gradgradcheck(first, draw(row, row.shapes[0], 9), {.rtol = 1e-5, .atol = 1e-6}));
  }
  EXPECT_TRUE(names.empty()) << *names.begin() << " has no row";
}

TEST(Promotion, FloatingFunctionsTurnIntegersIntoFloat64) {
  const Tensor integers{1, 2, 3}, flags{true, false, true};
  for (const Tensor& y : {exp(integers), log(flags), sqrt(integers), divide(integers, 2), sin(flags), mean(integers), softmax(integers)})
    EXPECT_EQ(y.dtype(), DType::float64);
  for (const Tensor& y : {integers + flags, sum(flags), integers * 2, abs(integers), max(integers), square(integers)})
    EXPECT_EQ(y.dtype(), DType::int64);
  EXPECT_EQ((integers + 0.5).dtype(), DType::float64);
  EXPECT_EQ((flags + 1).dtype(), DType::int64);
  EXPECT_EQ((integers > 2).dtype(), DType::bool_);
  EXPECT_EQ((integers + ones({3})).dtype(), DType::float64);  // as NumPy: int64 with float32
  EXPECT_EQ((ones({3}) * 2.5).dtype(), DType::float32);
  EXPECT_EQ(matmul(integers, integers).item<int>(), 14);
  EXPECT_EQ(power(integers, 3).array<std::int64_t>(), (xt::xarray<std::int64_t>{1, 8, 27}));
  EXPECT_THROW(power(integers, -1), std::domain_error);
  EXPECT_FALSE(exp(integers).requires_grad());
}

}  // namespace
