// Values and gradients of the engine's functions are PyTorch's, case by case; and no function that PyTorch has is left out.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <tests/catalogue/catalogue.hpp>
#include <tests/reference/reference.hpp>

using namespace xgrad;
using reference::Json;

namespace {

using In = const std::vector<Tensor>&;
using Options = const Json&;
using Function = std::function<Tensor(In, Options)>;
using Table = std::map<std::string, Function>;

Axes axes(Options o) { return o.contains("axis") ? Axes(o.at("axis").get<std::vector<std::int64_t>>()) : Axes(); }

// How functions are called, whatever they take exactly.
#define ONE(f) [](In x, Options) { return xgrad::f(x[0]); }
#define TWO(f) [](In x, Options) { return xgrad::f(x[0], x[1]); }
#define FOLDED(f) [](In x, Options o) { return xgrad::f(x[0], axes(o), o.value("keepdims", false)); }
#define ALONG(f) [](In x, Options o) { return xgrad::f(x[0], o.at("axis").get<std::int64_t>()); }
#define INDEX(f) \
  [](In x, Options o) { return o.contains("axis") ? xgrad::f(x[0], o.at("axis").get<std::int64_t>(), o.value("keepdims", false)) : xgrad::f(x[0]); }

Table elementwise() {
  return {
      {"negative", ONE(negative)}, {"exp", ONE(exp)}, {"log", ONE(log)}, {"log1p", ONE(log1p)}, {"expm1", ONE(expm1)}, {"sqrt", ONE(sqrt)},
      {"square", ONE(square)}, {"abs", ONE(abs)}, {"sign", ONE(sign)}, {"sin", ONE(sin)}, {"cos", ONE(cos)}, {"tanh", ONE(tanh)},
      {"sigmoid", ONE(sigmoid)}, {"erf", ONE(erf)}, {"relu", ONE(relu)}, {"tan", ONE(tan)}, {"arcsin", ONE(arcsin)}, {"arccos", ONE(arccos)},
      {"arctan", ONE(arctan)}, {"sinh", ONE(sinh)}, {"cosh", ONE(cosh)}, {"arcsinh", ONE(arcsinh)}, {"arccosh", ONE(arccosh)},
      {"arctanh", ONE(arctanh)}, {"exp2", ONE(exp2)}, {"log2", ONE(log2)}, {"log10", ONE(log10)}, {"reciprocal", ONE(reciprocal)},
      {"rsqrt", ONE(rsqrt)}, {"erfc", ONE(erfc)}, {"lgamma", ONE(lgamma)}, {"digamma", ONE(digamma)}, {"softplus", ONE(softplus)},
      {"sinc", ONE(sinc)}, {"floor", ONE(floor)}, {"ceil", ONE(ceil)}, {"round", ONE(round)}, {"trunc", ONE(trunc)}, {"isnan", ONE(isnan)},
      {"isinf", ONE(isinf)}, {"isfinite", ONE(isfinite)}, {"logical_not", ONE(logical_not)},
      {"add", TWO(add)}, {"subtract", TWO(subtract)}, {"multiply", TWO(multiply)}, {"divide", TWO(divide)}, {"power", TWO(power)},
      {"maximum", TWO(maximum)}, {"minimum", TWO(minimum)}, {"arctan2", TWO(arctan2)}, {"hypot", TWO(hypot)}, {"logaddexp", TWO(logaddexp)},
      {"xlogy", TWO(xlogy)}, {"fmod", TWO(fmod)}, {"remainder", TWO(remainder)}, {"copysign", TWO(copysign)}, {"equal", TWO(equal)},
      {"not_equal", TWO(not_equal)}, {"less", TWO(less)}, {"less_equal", TWO(less_equal)}, {"greater", TWO(greater)},
      {"greater_equal", TWO(greater_equal)}, {"logical_and", TWO(logical_and)}, {"logical_or", TWO(logical_or)}, {"logical_xor", TWO(logical_xor)},
      {"polygamma", [](In x, Options o) { return polygamma(o.at("n"), x[0]); }},
      {"nan_to_num",
       [](In x, Options o) {
         if (o.empty()) return nan_to_num(x[0]);
         return nan_to_num(x[0], o.at("nan").get<double>(), o.at("posinf").get<double>(), o.at("neginf").get<double>());
       }},
      {"clip", [](In x, Options o) { return clip(x[0], o.at("low").get<double>(), o.at("high").get<double>()); }},
      {"masked_fill", [](In x, Options) { return masked_fill(x[0], x[0] > 0, -1.5); }},
      {"masked_select", [](In x, Options) { return masked_select(x[0], x[0] > 0); }},
      {"to", [](In x, Options) { return x[0].to(DType::float32).to(DType::float64); }},
      {"lerp", [](In x, Options) { return lerp(x[0], x[1], x[2]); }},
      {"where", [](In x, Options) { return where(x[0] > 0, x[1], x[2]); }},
  };
}

Table reductions() {
  return {
      {"sum", FOLDED(sum)}, {"mean", FOLDED(mean)}, {"max", FOLDED(max)}, {"min", FOLDED(min)}, {"logsumexp", FOLDED(logsumexp)},
      {"prod", FOLDED(prod)}, {"median", FOLDED(median)},
      {"any", [](In x, Options o) { return any(x[0] > 1, axes(o), o.value("keepdims", false)); }},
      {"all", [](In x, Options o) { return all(x[0] > -1, axes(o), o.value("keepdims", false)); }},
      {"var", [](In x, Options o) { return var(x[0], axes(o), o.at("ddof").get<double>(), o.value("keepdims", false)); }},
      {"stddev", [](In x, Options o) { return stddev(x[0], axes(o), o.at("ddof").get<double>(), o.value("keepdims", false)); }},
      {"norm",
       [](In x, Options o) {
         const double p = o.at("p").is_string() ? std::stod(o.at("p").get<std::string>()) : o.at("p").get<double>();
         return norm(x[0], p, axes(o), o.value("keepdims", false));
       }},
      {"argmax", INDEX(argmax)}, {"argmin", INDEX(argmin)},
      {"cumsum", ALONG(cumsum)}, {"cumprod", ALONG(cumprod)}, {"logcumsumexp", ALONG(logcumsumexp)}, {"softmax", ALONG(softmax)},
      {"log_softmax", ALONG(log_softmax)},
  };
}

Table shapes() {
  return {
      {"reshape", [](In x, Options) { return reshape(x[0], {6, -1}); }},
      {"transpose", [](In x, Options o) { return o.contains("axes") ? transpose(x[0], o.at("axes").get<std::vector<std::int64_t>>()) : transpose(x[0]); }},
      {"matrix_transpose", ONE(matrix_transpose)},
      {"broadcast_to", [](In x, Options) { return broadcast_to(x[0], {2, 3, 4}); }},
      {"flip", [](In x, Options) { return flip(x[0]); }},
      {"flatten", [](In x, Options) { return flatten(x[0]); }},
      {"squeeze", [](In x, Options) { return squeeze(x[0]); }},
      {"expand_dims", [](In x, Options) { return expand_dims(x[0], 0); }},
      {"roll", [](In x, Options o) { return roll(x[0], o.at("shift"), o.at("axis")); }},
      {"repeat", [](In x, Options o) { return repeat(x[0], o.at("repeats"), o.at("axis")); }},
      {"tile", [](In x, Options o) { return tile(x[0], o.at("counts").get<std::vector<std::int64_t>>()); }},
      {"moveaxis", [](In x, Options) { return moveaxis(x[0], 0, -1); }},
      {"swapaxes", [](In x, Options) { return swapaxes(x[0], 0, 2); }},
      {"concatenate", [](In x, Options) { return concatenate({x[0], x[1], x[0]}, 1); }},
      {"stack", [](In x, Options) { return stack({x[0], x[1]}, -1); }},
      {"split", [](In x, Options) { return split(x[0], {1, 3}, -1)[1]; }},
      {"slice",
       [](In x, Options o) { return o.empty() ? x[0].slice(xt::range(1, 2), xt::newaxis(), -1, xt::range(0, 4, 2)) : x[0].slice(xt::ellipsis(), o.at("index").get<int>()); }},
      {"pad",
       [](In x, Options o) {
         if (o.empty()) return pad(x[0], {{0, 3}, {1, 2}});
         return pad(x[0], {{2, 1}}, o.at("mode") == "edge" ? PadMode::edge : PadMode::reflect);
       }},
      {"diagonal", [](In x, Options o) { return diagonal(x[0], o.at("offset"), 0, 2); }},
      {"diag", [](In x, Options o) { return diag(x[0], o.at("offset")); }},
      {"tril", [](In x, Options o) { return tril(x[0], o.at("offset")); }},
      {"triu", [](In x, Options o) { return triu(x[0], o.at("offset")); }},
      {"trace", [](In x, Options o) { return trace(x[0], o.at("offset")); }},
      {"take", [](In x, Options) { return take(x[0], x[1]); }},
      {"take_along_axis", [](In x, Options) { return take_along_axis(x[0], x[1], 1); }},
      {"scatter_add", [](In x, Options) { return scatter_add(x[0], x[1], x[2], 1); }},
      {"index_add", [](In x, Options) { return index_add(x[0], x[1], x[2]); }},
      {"one_hot", [](In x, Options) { return one_hot(x[0], 4); }},
      {"at().set", [](In x, Options) { return x[0].at(1).set(x[1]); }},
      {"at().add", [](In x, Options) { return x[0].at(x[1]).add(x[2]); }},
      {"sort", [](In x, Options o) { return sort(x[0], o.at("axis"), o.at("descending")); }},
      {"argsort", [](In x, Options o) { return argsort(x[0], o.at("axis"), o.at("descending")); }},
      {"topk", [](In x, Options o) { return topk(x[0], 2, 1, o.at("largest")).first; }},
      {"searchsorted", [](In x, Options o) { return searchsorted(x[0], x[1], o.at("right")); }},
      {"nonzero", [](In x, Options) { return nonzero(x[0] > 0); }},
  };
}

Table products() {
  return {
      {"matmul", TWO(matmul)}, {"dot", TWO(dot)}, {"inner", TWO(inner)}, {"outer", TWO(outer)}, {"kron", TWO(kron)}, {"cross", TWO(cross)},
      {"tensordot", [](In x, Options) { return tensordot(x[0], x[1]); }},
      {"einsum", [](In x, Options o) { return einsum(o.at("subscripts"), x); }},
  };
}

Table fourier() {
  return {{"rfft", ALONG(rfft)},
          {"irfft", [](In x, Options o) { return irfft(x[0], o.at("n"), o.at("axis")); }},
          {"fft", ALONG(fft)},
          {"ifft", ALONG(ifft)}};
}

/// One of several results; its squares, for its signs are anyone's choice.
Tensor part(const std::vector<Tensor>& results, Options o) { return square(results[o.at("part").get<std::size_t>()]); }

Table linear_algebra() {
  return {
      {"cholesky", ONE(cholesky)}, {"inv", ONE(inv)}, {"det", ONE(det)}, {"expm", ONE(expm)}, {"solve", TWO(solve)}, {"lstsq", TWO(lstsq)},
      {"slogdet", [](In x, Options) { return slogdet(x[0]).second; }},
      {"matrix_power", [](In x, Options o) { return matrix_power(x[0], o.at("n")); }},
      {"eigh",
       [](In x, Options o) {
         const auto [w, v] = eigh(x[0] + matrix_transpose(x[0]));
         return o.contains("part") ? square(v) : w;
       }},
      {"svd",
       [](In x, Options o) {
         const auto [u, s, vh] = svd(x[0]);
         return part({u, s, vh}, o);
       }},
      {"qr",
       [](In x, Options o) {
         const auto [q, r] = qr(x[0]);
         return part({q, r}, o);
       }},
      {"pinv", [](In x, Options) { return pinv(x[0]); }},
      {"triangular_solve",
       [](In x, Options o) {
         return triangular_solve(x[0], x[1], {.lower = o.at("lower"), .transposed = o.at("transposed"), .unit = o.at("unit")});
       }},
  };
}

Extent2 extent(Options o, const char* name, std::int64_t otherwise) {
  if (!o.contains(name)) return otherwise;
  return o.at(name).is_array() ? Extent2(o.at(name)[0].get<std::int64_t>(), o.at(name)[1].get<std::int64_t>()) : Extent2(o.at(name).get<std::int64_t>());
}
ConvOptions convolution(Options o) {
  return {.stride = extent(o, "stride", 1), .padding = extent(o, "padding", 0), .dilation = extent(o, "dilation", 1), .groups = o.at("groups"),
          .output_padding = extent(o, "output_padding", 0)};
}
#define CONVOLVED(f) [](In x, Options o) { return xgrad::f(x[0], x[1], x.size() > 2 ? x[2] : Tensor(), convolution(o)); }
WindowOptions window(Options o) { return {.stride = extent(o, "stride", 1), .padding = extent(o, "padding", 0), .dilation = extent(o, "dilation", 1)}; }

Table convolutions() {
  return {
      {"conv1d", CONVOLVED(conv1d)}, {"conv2d", CONVOLVED(conv2d)}, {"conv_transpose1d", CONVOLVED(conv_transpose1d)},
      {"conv_transpose2d", CONVOLVED(conv_transpose2d)},
      {"unfold", [](In x, Options o) { return unfold(x[0], extent(o, "kernel", 1), window(o)); }},
      {"fold", [](In x, Options o) { return fold(x[0], extent(o, "size", 1), extent(o, "kernel", 1), window(o)); }},
      {"max_pool2d", [](In x, Options o) { return max_pool2d(x[0], extent(o, "kernel", 1), window(o)); }},
      {"avg_pool2d", [](In x, Options o) { return avg_pool2d(x[0], extent(o, "kernel", 1), window(o), o.at("pad_counts")); }},
      {"max_pool1d", [](In x, Options o) { return max_pool1d(x[0], o.at("kernel").get<std::int64_t>()); }},
      {"avg_pool1d", [](In x, Options o) { return avg_pool1d(x[0], o.at("kernel").get<std::int64_t>()); }},
  };
}

const Table& table() {
  static const Table all = [] {
    Table result;
    for (const Table& family : {elementwise(), reductions(), shapes(), products(), linear_algebra(), convolutions(), fourier()}) result.insert(family.begin(), family.end());
    return result;
  }();
  return all;
}

const Json& cases() {
  static const Json all = reference::read("ops.json")["cases"];
  return all;
}

/// What PyTorch 1.13 has no function for.
const std::set<std::string> unknown_to_pytorch{"cbrt"};

void check(const Json& one_case) {
  constexpr double precision = 1e-9;
  const auto function = table().find(one_case.at("op"));
  ASSERT_NE(function, table().end());
  std::vector<Tensor> inputs, floating;
  for (const Json& packed : one_case.at("inputs")) {
    inputs.push_back(reference::tensor(packed));
    if (inputs.back().dtype() == DType::float64) floating.push_back(inputs.back().set_requires_grad());
  }
  const Tensor output = function->second(inputs, one_case.at("options"));
  EXPECT_TRUE(reference::near(output, reference::tensor(one_case.at("output")), precision));
  if (!one_case.contains("gradients")) {
    EXPECT_FALSE(output.requires_grad());
    return;
  }
  std::vector<Tensor> gradients(floating.size());
  if (output.requires_grad())
    gradients = grad(std::vector<Tensor>{output}, floating, {.cotangents = {reference::tensor(one_case.at("cotangent"))}, .allow_unused = true});
  for (std::size_t i = 0; i < floating.size(); ++i) {
    const Tensor gradient = gradients[i].defined() ? gradients[i] : zeros_like(floating[i]);
    EXPECT_TRUE(reference::near(gradient, reference::tensor(one_case.at("gradients")[i]), precision)) << "gradient of input " << i;
  }
}

TEST(OpsReference, ValuesAndGradientsAreTheSame) {
  for (const Json& one_case : cases()) {
    SCOPED_TRACE(one_case.at("op").get<std::string>() + " " + one_case.at("options").dump() + " of " + one_case.at("inputs").dump());
    check(one_case);
  }
}

/// Whether a case has the edge's inputs, alone or, of an edge of scalars, among its elements.
bool covers(const Json& one_case, const catalogue::Edge& edge) {
  std::vector<catalogue::Plain> inputs;
  for (const Json& packed : one_case.at("inputs")) inputs.push_back(catalogue::plain(reference::tensor(packed)));
  if (inputs.size() != edge.inputs.size()) return false;
  const auto all_inputs = [&](const auto& holds) {
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (!holds(inputs[i], edge.inputs[i])) return false;
    return true;
  };
  if (all_inputs([](const auto& a, const auto& b) { return a.values == b.values; })) return true;
  for (std::size_t k = 0; k < inputs[0].values.size(); ++k)
    if (all_inputs([&](const auto& a, const auto& b) { return b.shape.empty() && k < a.values.size() && a.values[k] == b.values[0]; })) return true;
  return false;
}

TEST(OpsReference, ConventionsSaidToBePyTorchsAreCompared) {
  for (const catalogue::Row& row : catalogue::rows())
    for (const catalogue::Edge& edge : row.edges) {
      if (edge.convention != catalogue::pytorch) continue;
      const bool found = std::any_of(cases().begin(), cases().end(), [&](const Json& one_case) { return one_case.at("op") == row.function && covers(one_case, edge); });
      EXPECT_TRUE(found) << row.function << ": " << edge.what << " has no case in tests/reference/ops.json";
    }
}

TEST(OpsReference, NoFunctionIsLeftOut) {
  std::set<std::string> covered;
  for (const Json& one_case : cases()) covered.insert(one_case.at("op"));
  std::set<std::string> functions;
  for (const catalogue::Row& row : catalogue::rows()) functions.insert(row.function);
  for (const std::string& function : functions)
    EXPECT_NE(covered.contains(function), unknown_to_pytorch.contains(function)) << function << " has no case in tests/reference/ops.json";
  for (const std::string& function : covered) EXPECT_TRUE(functions.contains(function)) << function << " has no row in tests/catalogue/";
  for (const std::string& function : unknown_to_pytorch) EXPECT_TRUE(functions.contains(function)) << function;
}

}  // namespace
