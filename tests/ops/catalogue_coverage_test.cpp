// What the catalogue of ops covers: every public function, with empty and scalar inputs; and docs/ops.md, made from it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <tests/catalogue/catalogue.hpp>

using namespace xgrad;
using namespace xgrad::catalogue;

namespace {

/// What is declared in namespace xgrad of the headers in autodiff/ops/ and gives tensors.
std::set<std::string> declared_functions() {
  std::set<std::string> declared;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(XGRAD_TEST_DIR) + "/../autodiff/ops")) {
    if (entry.path().extension() != ".hpp") continue;
    std::ifstream stream(entry.path());
    const std::string text((std::istreambuf_iterator<char>(stream)), {});
    if (text.find("\nnamespace xgrad {") == std::string::npos) continue;  // of the engine alone
    const std::regex function("\n(?:inline )?(?:Tensor|std::(?:vector|pair|tuple)<Tensor[^(]*>) ([a-z_0-9]+)\\(");
    for (auto match = std::sregex_iterator(text.begin(), text.end(), function); match != std::sregex_iterator(); ++match) declared.insert((*match)[1]);
  }
  return declared;
}

TEST(Catalogue, HasARowForEveryPublicFunction) {
  // These have no tensor to take: tests/core/create_test.cpp is about them.
  const std::set<std::string> without_input{"zeros", "ones", "full", "zeros_like", "ones_like", "arange", "linspace", "eye"};
  // Members, and operators of At.
  const std::set<std::string> members{"to", "slice", "at().set", "at().add"};
  std::set<std::string> covered;
  for (const Row& row : rows()) covered.insert(row.function);
  std::set<std::string> declared = declared_functions();
  EXPECT_GT(declared.size(), 150u);
  for (const std::string& name : declared) EXPECT_NE(covered.contains(name), without_input.contains(name)) << name << " has no row in tests/catalogue/";
  declared.insert(members.begin(), members.end());
  for (const std::string& name : covered) EXPECT_TRUE(declared.contains(name)) << name << " is no public function";
}

TEST(Catalogue, HasEmptyAndScalarInputsForEveryFunction) {
  const auto functions_with = [](const std::function<bool(const Shape&)>& wanted) {
    std::set<std::string> result;
    for (const Row& row : rows())
      for (const auto& shapes : row.shapes)
        if (std::any_of(shapes.begin(), shapes.end(), wanted)) result.insert(row.function);
    return result;
  };
  const std::set<std::string> empty = functions_with([](const Shape& shape) { return size_of(shape) == 0; });
  const std::set<std::string> scalar = functions_with([](const Shape& shape) { return shape.empty(); });
  // They are of vectors, matrices or images, or of one axis among others.
  const std::set<std::string> refuse_scalars{
      "argsort", "avg_pool1d", "avg_pool2d", "cholesky", "concatenate", "conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d", "cross", "cumprod",
      "cumsum", "det", "diag", "diagonal", "eigh", "expm", "fft", "fold", "ifft", "index_add", "inv", "irfft", "log_softmax", "logcumsumexp", "lstsq", "matmul", "matrix_power",
      "matrix_transpose", "max_pool1d", "max_pool2d", "moveaxis", "pad", "pinv", "qr", "repeat", "rfft", "scatter_add", "slogdet", "softmax", "solve", "sort",
      "split", "svd", "swapaxes", "take", "take_along_axis", "topk", "trace", "triangular_solve", "tril", "triu", "unfold"};
  std::set<std::string> functions;
  for (const Row& row : rows()) {
    functions.insert(row.function);
    if (!refuse_scalars.contains(row.function)) continue;
    const std::vector<Tensor> scalars(row.shapes[0].size(), Tensor(1.0));
    EXPECT_THROW(row.apply(scalars), std::invalid_argument) << row.name;
  }
  for (const std::string& function : functions) {
    EXPECT_TRUE(empty.contains(function)) << function << " has no row with an empty input";
    EXPECT_NE(scalar.contains(function), refuse_scalars.contains(function)) << function << " has no row with a scalar";
  }
}

std::string_view name_of(Convention convention) {
  switch (convention) {
    case everyone: return "everyone's";
    case numpy: return "NumPy's";
    case scipy: return "SciPy's";
    case pytorch: return "PyTorch's";
    case jax: return "JAX's";
    case ours: return "ours";
  }
  return {};
}

struct Entry {
  int orders = 0;
  double ulps = 0;
  std::vector<std::string> edges = {};
};

std::string bound_of(const std::string& name, const Entry& entry) {
  std::ostringstream text;
  const auto accuracy = accuracies().find(name);
  if (accuracy == accuracies().end()) {
    text << entry.ulps;
    return text.str();
  }
  text << accuracy->second.value;
  if (entry.orders > 0) text << ", " << accuracy->second.derivative;
  if (!accuracy->second.note.empty()) text << " (" << accuracy->second.note << ")";
  return text.str();
}

/// docs/ops.md: every public function with what its rows say.
std::string table() {
  std::map<std::string, Entry> entries;
  for (const Row& row : rows()) {
    Entry& entry = entries[row.function];
    entry.orders = std::max(entry.orders, row.orders);
    entry.ulps = std::max(entry.ulps, row.ulps);
    for (const Edge& edge : row.edges) {
      const std::string text = edge.what + (edge.convention == everyone ? "" : " (" + std::string(name_of(edge.convention)) + ")");
      if (std::find(entry.edges.begin(), entry.edges.end(), text) == entry.edges.end()) entry.edges.push_back(text);
    }
  }
  std::ostringstream text;
  text << "# Operations\n\nMade from the catalogue of the tests, which checks all it says; `XGRAD_WRITE_OPS=1 "
          "catalogue_coverage_test` writes it anew. Every op is checked against values computed another way, and its derivatives against "
          "differences, of first and second order (\"any\" order follows, for derivatives are made of ops). Where two bounds are given, they are of "
          "the value and of the first derivatives, against exact values over the whole range of float32 and float64, its ends included, in "
          "units of the last place of the result (the smallest number, for a subnormal result); where the value overflows, its derivative may, "
          "too. A NaN is a NaN in the result, and in derivatives other than the constant ones of relu, clip and what is straight, as PyTorch "
          "has it. One bound is that of a float32 result, in units of the last place of its largest term. The conventions at edges are tested one by one; where NumPy, PyTorch "
          "and JAX differ the convention followed is named in brackets, and \"ours\" is none of theirs (they give NaN, most often).\n\n"
          "| function | derivatives | bound | edges |\n| --- | --- | --- | --- |\n";
  for (const auto& [name, entry] : entries) {
    text << "| `" << name << "` | " << (entry.orders >= 2 ? "any" : entry.orders == 1 ? "first" : "none") << " | " << bound_of(name, entry) << " | ";
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

}  // namespace
