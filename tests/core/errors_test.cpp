// Bad input: what every public function of the engine throws, and that the message names the function and the shapes.
// create_test, random_test, backward_test and gradcheck_test do so for theirs.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <functional>
#include <stdexcept>
#include <string>
#include <tests/support/function.hpp>
#include <typeinfo>
#include <vector>

using namespace xgrad;
using test::FunctionOf;

namespace {

/// A call, the beginning of its message, and what else that holds.
struct Case {
  std::string start;
  std::function<void()> call;
  std::vector<std::string> parts = {};
};

template <class Error>
void expect_errors(const std::vector<Case>& cases) {
  for (const auto& [start, call, parts] : cases) {
    SCOPED_TRACE(start);
    try {
      call();
      ADD_FAILURE() << "nothing thrown";
    } catch (const std::exception& error) {
      const std::string message = error.what();
      EXPECT_EQ(typeid(error), typeid(Error)) << message;
      EXPECT_EQ(message.find(start), 0u) << message;
      for (const std::string& part : parts)
        EXPECT_NE(message.find(part), std::string::npos) << message << "\n  lacks " << part;
    }
  }
}

const Tensor x = zeros({2, 3}), y = zeros({4}), flags = zeros({2, 3}, DType::bool_),
             whole = zeros({2, 3}, DType::int64);

using BinaryFunction = Tensor (*)(const Operand&, const Operand&);
const std::pair<std::string, BinaryFunction> binary_functions[] = {{"add", add},
                                                                   {"subtract", subtract},
                                                                   {"multiply", multiply},
                                                                   {"divide", divide},
                                                                   {"power", power},
                                                                   {"maximum", maximum},
                                                                   {"minimum", minimum},
                                                                   {"equal", equal},
                                                                   {"not_equal", not_equal},
                                                                   {"less", less},
                                                                   {"less_equal", less_equal},
                                                                   {"greater", greater},
                                                                   {"greater_equal", greater_equal}};

TEST(Errors, ShapesThatDoNotBroadcast) {
  std::vector<Case> cases;
  for (const auto& [name, function] : binary_functions) {
    cases.push_back(
        {name + ": shapes (2, 3) and (4,) do not broadcast: axis -1 has extents 3 and 4", [=] { function(x, y); }});
    cases.push_back(
        {name + ": shapes (4,) and (2, 3) do not broadcast: axis -1 has extents 4 and 3", [=] { function(y, x); }});
  }
  cases.push_back({"add: ", [] { x + y; }, {"(2, 3)", "(4,)"}});
  cases.push_back({"subtract: ", [] { x - y; }, {"(2, 3)", "(4,)"}});
  cases.push_back({"multiply: ", [] { x* y; }, {"(2, 3)", "(4,)"}});
  cases.push_back({"divide: ", [] { x / y; }, {"(2, 3)", "(4,)"}});
  cases.push_back({"equal: ", [] { static_cast<void>(x == y); }, {"(2, 3)", "(4,)"}});
  cases.push_back({"less: ", [] { static_cast<void>(x < y); }, {"(2, 3)", "(4,)"}});
  cases.push_back({"clip: ", [] { clip(x, y, 1); }, {"(2, 3)", "(4,)"}});
  cases.push_back({"clip: ", [] { clip(x, 0, y); }, {"(2, 3)", "(4,)"}});
  cases.push_back({"where: ", [] { where(flags, y, 0); }, {"(2, 3)", "(4,)"}});
  cases.push_back({"where: ", [] { where(flags, x, y); }, {"(2, 3)", "(4,)"}});
  cases.push_back(
      {"broadcast: shapes (0,) and (2,) do not broadcast", [] { broadcast_shapes("broadcast", {0}, {2}); }});
  expect_errors<std::invalid_argument>(cases);
}

TEST(Errors, DtypesWithoutMeaning) {
  expect_errors<std::invalid_argument>({
      {"subtract: bool tensors have no difference", [] { flags - flags; }},
      {"subtract: bool tensors have no difference", [] { true - flags; }},
      {"negative: ", [] { -flags; }},
      {"where: the condition of shape (2, 3) is float32, not bool", [] { where(x, x, x); }},
      {"where: the condition of shape (2, 3) is int64, not bool", [] { where(whole, x, x); }},
      {"matmul: bool tensors have no matrix product", [] { matmul(flags, transpose(flags)); }, {"(2, 3) x (3, 2)"}},
      {"take: indices of shape (2, 3) are float32, not int64", [] { take(x, x); }},
      {"take_along_axis: indices of shape (2, 3) are bool, not int64", [] { take_along_axis(x, flags); }},
      {"index_add: indices of shape (4,) are float32, not int64", [] { index_add(x, y, x); }},
      {"scatter_add: indices of shape (2, 3) are float32, not int64", [] { scatter_add(x, x, x); }},
      {"one_hot: indices of shape (4,) are float32, not int64", [] { one_hot(y, 3); }},
      {"array: the tensor of shape (2, 3) is float32, not float64", [] { x.array<double>(); }},
      {"set_requires_grad: the tensor is int64", [] { Tensor(whole).set_requires_grad(); }},
  });
  expect_errors<std::domain_error>({
      {"power: an int64 tensor has no power -1", [] { power(whole, -1); }},
      {"power: an int64 tensor has no power -2", [] { power(2, whole - 2); }},
  });
}

TEST(Errors, AxesOutOfRangeOrGivenTwice) {
  using Function = FunctionOf<const Axes&, bool>;
  const std::pair<std::string, Function> functions[] = {
      {"sum", sum}, {"mean", mean}, {"max", max}, {"min", min}, {"logsumexp", logsumexp}};
  std::vector<Case> cases;
  for (const auto& [name, function] : functions) {
    cases.push_back({name + ": axis 2 is out of range for shape (2, 3)", [=] { function(x, 2, false); }});
    cases.push_back({name + ": axis -3 is out of range for shape (2, 3)", [=] { function(x, {0, -3}, false); }});
    cases.push_back({name + ": axis 1 is given twice for shape (2, 3)", [=] { function(x, {1, -1}, false); }});
    cases.push_back({name + ": axis 0 is out of range for shape ()", [=] { function(Tensor(1.0), 0, false); }});
  }
  const std::pair<std::string, std::function<void(std::int64_t)>> single[] = {
      {"argmax", [](std::int64_t axis) { argmax(x, axis); }},
      {"softmax", [](std::int64_t axis) { softmax(x, axis); }},
      {"log_softmax", [](std::int64_t axis) { log_softmax(x, axis); }},
      {"flatten", [](std::int64_t axis) { flatten(x, axis); }},
      {"squeeze", [](std::int64_t axis) { squeeze(x, axis); }},
      {"transpose",
       [](std::int64_t axis) {
         transpose(x, {0, axis});
       }},
      {"concatenate",
       [](std::int64_t axis) {
         concatenate({x, x}, axis);
       }},
      {"take", [](std::int64_t axis) { take(x, Tensor{0}, axis); }},
      {"take_along_axis", [](std::int64_t axis) { take_along_axis(x, whole, axis); }},
      {"index_add", [](std::int64_t axis) { index_add(x, Tensor{0}, x, axis); }},
      {"scatter_add", [](std::int64_t axis) { scatter_add(x, whole, x, axis); }},
      {"shape", [](std::int64_t axis) { x.shape(axis); }},
  };
  for (const auto& [name, function] : single)
    for (const std::int64_t axis : {2, -3})
      cases.push_back(
          {name + ": axis " + std::to_string(axis) + " is out of range for shape (2, 3)", [=] { function(axis); }});
  cases.push_back({"sum: axis 2", [] { x.sum(2); }, {"(2, 3)"}});
  cases.push_back({"mean: axis 2", [] { x.mean(2); }, {"(2, 3)"}});
  cases.push_back({"flatten: axis 1 is out of range for shape ()", [] { flatten(Tensor(1.0), 1); }});
  cases.push_back({"squeeze: axis 1 is given twice", [] { squeeze(zeros({2, 1}), {1, -1}); }, {"(2, 1)"}});
  cases.push_back({"expand_dims: axis 3 is out of range for a tensor of rank 3", [] { expand_dims(x, 3); }});
  cases.push_back({"expand_dims: axis 0 is given twice", [] { expand_dims(x, {0, -4}); }});
  cases.push_back({"expand_dims: no axes given for shape (2, 3)", [] { expand_dims(x, {}); }});
  cases.push_back({"stack: axis 3 is out of range for a tensor of rank 3", [] { stack({x, x}, 3); }});
  cases.push_back({"softmax: axis -1 is out of range for shape ()", [] { softmax(Tensor(1.0)); }});
  expect_errors<std::invalid_argument>(cases);
}

TEST(Errors, ExtremesOfNothing) {
  const Tensor empty = zeros({2, 0});
  expect_errors<std::invalid_argument>({
      {"max: nothing to reduce along axis 1 of shape (2, 0)", [=] { max(empty); }},
      {"min: nothing to reduce along axis 1 of shape (2, 0)", [=] { min(empty, 1); }},
      {"argmax: nothing to reduce along axis 1 of shape (2, 0)", [=] { argmax(empty, 1); }},
  });
  EXPECT_NO_THROW(max(empty, 0));
  EXPECT_NO_THROW(sum(empty));
}

TEST(Errors, MatricesThatDoNotMatch) {
  expect_errors<std::invalid_argument>({
      {"matmul: inner dimensions differ: (128, 784) x (256, 784); transpose the second?",
       [] {
         matmul(zeros({128, 784}), zeros({256, 784}));
       }},
      {"matmul: inner dimensions differ: (128, 784) x (256, 10); transpose one of them?",
       [] {
         matmul(zeros({128, 784}), zeros({256, 10}));
       }},
      {"matmul: inner dimensions differ: (4,) x (2, 3)", [] { matmul(y, x); }},
      {"matmul: inner dimensions differ: (2, 3) x (4,)", [] { matmul(x, y); }},
      {"matmul: inner dimensions differ: (4,) x (3,)", [] { matmul(y, zeros({3})); }},
      {"matmul: scalars have no matrix product", [] { matmul(Tensor(1.0), x); }, {"() x (2, 3)"}},
      {"matmul: scalars have no matrix product", [] { matmul(x, Tensor(1.0)); }, {"(2, 3) x ()"}},
      {"matmul: leading axes do not broadcast: (2, 3, 4) x (3, 4, 5)",
       [] {
         matmul(zeros({2, 3, 4}), zeros({3, 4, 5}));
       }},
      {"matrix_transpose: shape (4,) has fewer than two axes", [] { matrix_transpose(y); }},
  });
}

TEST(Errors, ShapesThatDoNotFit) {
  expect_errors<std::invalid_argument>({
      {"reshape: (2, 3) has 6 elements, (4, 2) has 8",
       [] {
         reshape(x, {4, 2});
       }},
      {"reshape: (2, 3) does not fit (-1, -1): only one extent may be -1",
       [] {
         reshape(x, {-1, -1});
       }},
      {"reshape: (2, 3) does not fit (4, -1): 6 elements do not divide by 4",
       [] {
         reshape(x, {4, -1});
       }},
      {"reshape: (2, 3) does not fit (0, -1): -1 could be anything",
       [] {
         reshape(x, {0, -1});
       }},
      {"reshape: shape (-2, -3) has a negative extent",
       [] {
         reshape(x, {-2, -3});
       }},
      {"reshape: ", [] { x.reshape({7}); }, {"(2, 3)", "(7,)"}},
      {"transpose: 1 axes given for shape (2, 3)", [] { transpose(x, {0}); }},
      {"transpose: 2 axes given for shape (2, 3)",
       [] {
         transpose(x, {1, 1});
       }},
      {"transpose: 3 axes given for shape (2, 3)",
       [] {
         transpose(x, {0, 1, 1});
       }},
      {"broadcast_to: (2, 3) does not broadcast to (3, 3)",
       [] {
         broadcast_to(x, {3, 3});
       }},
      {"broadcast_to: (2, 3) does not broadcast to (3,)", [] { broadcast_to(x, {3}); }},
      {"broadcast_to: shape (2, -3) has a negative extent",
       [] {
         broadcast_to(x, {2, -3});
       }},
      {"broadcast_to: shape (4611686018427387904, 2, 3) has too many elements",
       [] {
         broadcast_to(x, {std::int64_t{1} << 62, 2, 3});
       }},
      {"squeeze: axis 1 of shape (2, 3) has extent 3, not 1", [] { squeeze(x, -1); }},
      {"concatenate: no tensors given", [] { concatenate({}); }},
      {"concatenate: a scalar, of shape (), has no axis", [] { concatenate({Tensor(1.0)}); }},
      {"concatenate: shapes (2, 3) and (4,) differ beside axis 0",
       [] {
         concatenate({x, y});
       }},
      {"concatenate: shapes (2, 3) and (3, 2) differ beside axis 1",
       [] {
         concatenate({x, transpose(x)}, 1);
       }},
      {"stack: no tensors given", [] { stack({}); }},
      {"stack: shapes (2, 3) and (4,) differ",
       [] {
         stack({x, y});
       }},
      {"check: shape (3, -1) has a negative extent",
       [] {
         check_shape("check", {3, -1});
       }},
      {"Tensor: nested lists must have equal lengths",
       [] {
         Tensor{{1, 2}, {3}};
       }},
      {"item: the tensor of shape (2, 3) has not one element", [] { x.item(); }},
  });
}

TEST(Errors, IndicesAndWhatGoesWithThem) {
  const Tensor k{0, 1};
  expect_errors<std::out_of_range>({
      {"take: index 2 is out of range for axis 0 of shape (2, 3)", [=] { take(x, k + 1); }},
      {"take: index -4 is out of range for axis 1 of shape (2, 3)",
       [] {
         take(x, Tensor{0, -4}, 1);
       }},
      {"take_along_axis: index 3 is out of range for axis 1 of shape (2, 3)", [] { take_along_axis(x, whole + 3); }},
      {"index_add: index 2 is out of range for axis 0 of shape (2, 3)",
       [] {
         index_add(x, Tensor{0, 2}, x);
       }},
      {"scatter_add: index -4 is out of range for axis 1 of shape (2, 3)", [] { scatter_add(x, whole - 4, x); }},
      {"one_hot: index 3 is out of range for 3 classes", [] { one_hot(Tensor{3}, 3); }},
      {"one_hot: index -1 is out of range for 3 classes", [] { one_hot(Tensor{-1}, 3); }},
      {"slice: index 2 is out of range for axis 0 of shape (2, 3)", [] { x.slice(2); }},
      {"slice: index -4 is out of range for axis 1 of shape (2, 3)", [] { x.slice(xt::all(), -4); }},
  });
  expect_errors<std::invalid_argument>({
      {"take_along_axis: x of shape (2, 3) and indices of shape (2,) differ in rank", [=] { take_along_axis(x, k); }},
      {"take_along_axis: shapes (1, 3) and (1, 2) do not broadcast",
       [=] {
         take_along_axis(x, Tensor{{0, 1}}, 0);
       }},
      {"index_add: indices of shape (2, 3) and x of shape (2, 3) do not go together", [] { index_add(x, whole, x); }},
      {"index_add: a source of shape (4,) and x of shape (2, 3) do not go together; it must be (2, 3)",
       [=] { index_add(x, k, y); }},
      {"scatter_add: a source of shape (4,) and indices of shape (2, 3) differ", [] { scatter_add(x, whole, y); }},
      {"scatter_add: indices of shape (3, 2) and x of shape (2, 3) differ beside the axis",
       [] { scatter_add(x, transpose(whole), transpose(x)); }},
      {"one_hot: -1 classes", [=] { one_hot(k, -1); }},
      {"slice: 3 entries for shape (2, 3)", [] { x.slice(0, 0, 0); }},
      {"slice: more than one ellipsis for shape (2, 3)", [] { x.slice(xt::ellipsis(), xt::ellipsis()); }},
      {"slice: the step of a range is 0", [] { x.slice(xt::range(0, 2, 0)); }},
  });
}

TEST(Errors, Leaves) {
  Tensor leaf = ones({2, 3}).set_requires_grad();
  Tensor result = (leaf * 2).evaluate();
  expect_errors<std::invalid_argument>({
      {"assign: a value of shape (4,) for a leaf of shape (2, 3)", [=]() mutable { leaf.assign(y); }},
      {"set_grad: a gradient of shape (4,) for a leaf of shape (2, 3)", [=]() mutable { leaf.set_grad(y); }},
      {"set_num_threads: 0 threads; at least 1 is needed", [] { set_num_threads(0); }},
  });
  const std::string is_result = ": the tensor of shape (2, 3) is the result of 'multiply'";
  const std::string is_no_leaf = ": the tensor of shape (2, 3) is no leaf that requires gradients";
  expect_errors<std::logic_error>({
      {"assign" + is_result, [=]() mutable { result.assign(x); }},
      {"set_requires_grad" + is_result, [=]() mutable { result.set_requires_grad(); }},
      {"set_grad" + is_no_leaf, [=]() mutable { result.set_grad(x); }},
      {"set_grad" + is_no_leaf, [] { Tensor(x).set_grad(x); }},
  });
}

TEST(Errors, UndefinedTensors) {
  const Tensor none;
  const Tensor k{0};
  const std::vector<std::pair<std::string, std::function<void()>>> calls{
      {"clip", [=] { clip(none, 0, 1); }},
      {"clip", [=] { clip(x, none, 1); }},
      {"where", [=] { where(none, x, x); }},
      {"where", [=] { where(flags, none, x); }},
      {"negative", [=] { negative(none); }},
      {"sum", [=] { sum(none); }},
      {"mean", [=] { mean(none); }},
      {"max", [=] { max(none); }},
      {"min", [=] { min(none); }},
      {"logsumexp", [=] { logsumexp(none); }},
      {"argmax", [=] { argmax(none, 0); }},
      {"softmax", [=] { softmax(none); }},
      {"log_softmax", [=] { log_softmax(none); }},
      {"matmul", [=] { matmul(none, x); }},
      {"matmul", [=] { matmul(x, none); }},
      {"reshape", [=] { reshape(none, {2}); }},
      {"transpose", [=] { transpose(none); }},
      {"transpose", [=] { transpose(none, {0}); }},
      {"broadcast_to", [=] { broadcast_to(none, {2}); }},
      {"squeeze", [=] { squeeze(none); }},
      {"expand_dims", [=] { expand_dims(none, 0); }},
      {"flatten", [=] { flatten(none); }},
      {"concatenate",
       [=] {
         concatenate({x, none});
       }},
      {"stack",
       [=] {
         stack({x, none});
       }},
      {"take", [=] { take(none, k); }},
      {"take", [=] { take(x, none); }},
      {"take_along_axis", [=] { take_along_axis(none, whole); }},
      {"take_along_axis", [=] { take_along_axis(x, none); }},
      {"index_add", [=] { index_add(none, k, x); }},
      {"index_add", [=] { index_add(x, k, none); }},
      {"scatter_add", [=] { scatter_add(x, none, x); }},
      {"scatter_add", [=] { scatter_add(x, whole, none); }},
      {"one_hot", [=] { one_hot(none, 3); }},
      {"evaluate",
       [=] {
         evaluate(std::vector<Tensor>{x, none});
       }},
      {"backward", [=] { backward({none}); }},
      {"grad", [=] { grad(none, x); }},
      {"gradcheck", [=] { gradcheck([](const std::vector<Tensor>& in) { return in[0]; }, {none}); }},
      {"gradgradcheck", [=] { gradgradcheck([](const std::vector<Tensor>& in) { return in[0]; }, {none}); }},
  };
  using Function = FunctionOf<>;
  const std::pair<std::string, Function> functions[] = {{"exp", exp},
                                                        {"log", log},
                                                        {"log1p", log1p},
                                                        {"expm1", expm1},
                                                        {"sqrt", sqrt},
                                                        {"square", square},
                                                        {"abs", abs},
                                                        {"sign", sign},
                                                        {"sin", sin},
                                                        {"cos", cos},
                                                        {"tanh", tanh},
                                                        {"sigmoid", sigmoid},
                                                        {"erf", erf},
                                                        {"relu", relu},
                                                        {"zeros_like", zeros_like},
                                                        {"ones_like", ones_like},
                                                        {"matrix_transpose", matrix_transpose}};
  std::vector<Case> cases;
  for (const auto& [name, function] : functions)
    cases.push_back({name + ": the tensor is undefined; give it a value first", [=] { function(none); }});
  for (const auto& [name, function] : binary_functions) {
    cases.push_back({name + ": the tensor is undefined; give it a value first", [=] { function(none, x); }});
    cases.push_back({name + ": the tensor is undefined; give it a value first", [=] { function(1, none); }});
  }
  for (const auto& [name, call] : calls)
    cases.push_back({name + ": the tensor is undefined; give it a value first", call});
  expect_errors<std::logic_error>(cases);
}

}  // namespace
