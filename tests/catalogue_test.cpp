// What the catalogue of ops says, tested: values, gradients of both orders, broadcasting, dtypes, strides, edges.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <tests/catalogue/catalogue.hpp>

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
      const auto through = grad({output}, leaves, {.cotangents = {generator.normal(output.shape(), 0, 1, DType::float64)}, .allow_unused = true});
      for (std::size_t i = 0; i < leaves.size(); ++i)
        if (through[i].defined()) {
          EXPECT_TRUE(close(plain(through[i]), plain(expected_gradients[i]), 1e-12, 1));
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
      const Tensor output = row.apply(inputs);
      const double precision = dtype == DType::float64 ? 1e-14 : 1e-6;
      EXPECT_TRUE(close(plain(output), edge.value, precision, 0));
      if (edge.gradients.empty()) continue;
      sum(output).backward();
      for (std::size_t i = 0; i < edge.gradients.size(); ++i)
        if (!edge.gradients[i].empty() && !std::isnan(edge.gradients[i][0])) {
          ASSERT_TRUE(inputs[i].grad().defined()) << "input " << i;
          EXPECT_TRUE(close(plain(inputs[i].grad()), {edge.inputs[i].shape, edge.gradients[i]}, precision, 0)) << "gradient of input " << i;
        }
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
  for (const char* name : {"exp", "log", "sqrt", "tanh", "sigmoid", "sin", "erf", "powerOfAFraction", "divide", "softmaxLast"})
    for (const Row& row : rows()) {
      if (row.name != name) continue;
      SCOPED_TRACE(name);
      const auto first = [&row](const std::vector<Tensor>& inputs) {
        GradMode tracking(true);
        Tensor x = inputs[0].requires_grad() ? inputs[0] : inputs[0].detach().set_requires_grad();
        std::vector<Tensor> all = inputs;
        all[0] = x;
        return grad(sum(square(row.apply(all))), x, {.create_graph = true});
      };
      EXPECT_TRUE(gradgradcheck(first, draw(row, row.shapes[0], 9), {.rtol = 1e-5, .atol = 1e-6}));
    }
}

TEST(Catalogue, HasARowForEveryPublicFunction) {
  std::set<std::string> covered;
  for (const Row& row : rows()) covered.insert(row.function);
  std::set<std::string> declared;
  for (const char* header : {"elementwise", "special", "reduce", "linalg", "shape", "index", "statistics", "scan", "rearrange", "sort", "products", "decompositions", "convolution", "fft"}) {
    std::ifstream stream(std::string(XGRAD_TEST_DIR) + "/../autodiff/ops/" + header + ".hpp");
    ASSERT_TRUE(stream) << header;
    const std::string text((std::istreambuf_iterator<char>(stream)), {});
    const std::regex function("\nTensor ([a-z_0-9]+)\\(");
    for (auto match = std::sregex_iterator(text.begin(), text.end(), function); match != std::sregex_iterator(); ++match)
      declared.insert((*match)[1]);
  }
  EXPECT_GT(declared.size(), 50u);
  for (const std::string& name : declared) EXPECT_TRUE(covered.contains(name)) << name << " has no row in tests/catalogue/";
}

/// docs/ops.md: every public function with what its rows say.
std::string table() {
  struct Entry {
    int orders = 0;
    double ulps = 0;
    std::vector<std::string> edges;
  };
  std::map<std::string, Entry> entries;
  for (const Row& row : rows()) {
    Entry& entry = entries[row.function];
    entry.orders = std::max(entry.orders, row.orders);
    entry.ulps = std::max(entry.ulps, row.ulps);
    for (const Edge& edge : row.edges)
      if (std::find(entry.edges.begin(), entry.edges.end(), edge.what) == entry.edges.end()) entry.edges.push_back(edge.what);
  }
  std::ostringstream text;
  text << "# Operations\n\nMade from the catalogue of the tests, which checks all it says; `XGRAD_WRITE_OPS=1 catalogue_test "
          "--gtest_filter=*Table*` writes it anew. Every op is checked against values computed another way, and its derivatives against "
          "differences, of first and second order (\"any\" order follows, for derivatives are made of ops). The bound is that of a "
          "float32 result, in units of the last place of its largest term. The conventions at edges are tested one by one.\n\n"
          "| function | derivatives | bound | edges |\n| --- | --- | --- | --- |\n";
  for (const auto& [name, entry] : entries) {
    text << "| `" << name << "` | " << (entry.orders >= 2 ? "any" : entry.orders == 1 ? "first" : "none") << " | " << entry.ulps << " | ";
    for (std::size_t i = 0; i < entry.edges.size(); ++i) text << (i ? "; " : "") << std::regex_replace(entry.edges[i], std::regex("\\|"), "\\|");
    text << " |\n";
  }
  return text.str();
}

TEST(Catalogue, TheTableOfOpsIsUpToDate) {
  const std::string path = std::string(XGRAD_TEST_DIR) + "/../docs/ops.md";
  if (std::getenv("XGRAD_WRITE_OPS")) std::ofstream(path) << table();
  std::ifstream stream(path);
  EXPECT_EQ(std::string((std::istreambuf_iterator<char>(stream)), {}), table()) << "write it anew: see its first lines";
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
