// Results are the same bits for any number of threads: every op of the catalogue, and linear algebra of sizes at which BLAS and LAPACK
// would share their work, values and gradients.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <optional>
#include <tests/catalogue/catalogue.hpp>

using namespace xgrad;

namespace {

class Threads {
 public:
  explicit Threads(int count) : before_(num_threads()) { set_num_threads(count); }
  ~Threads() { set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

/// The result of `f` and the gradients of a weighted sum of it.
std::vector<Tensor> results(const TensorFunction& f, std::vector<Tensor> inputs) {
  for (Tensor& input : inputs)
    if (is_floating(input.dtype())) input = input.detach().set_requires_grad();
  const Tensor output = f(inputs);
  std::vector<Tensor> all{output.evaluate()};
  if (!output.requires_grad()) return all;
  std::vector<Tensor> leaves;
  for (const Tensor& input : inputs)
    if (input.requires_grad()) leaves.push_back(input);
  const Tensor weights = Generator(5).normal(output.shape(), 0, 1, DType::float64).to(output.dtype());
  for (const Tensor& gradient : grad({output}, leaves, {.cotangents = {weights}, .allow_unused = true}))
    if (gradient.defined()) all.push_back(gradient.evaluate());
  return all;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  return dispatch(a.dtype(), [&]<class T>(T) { return a.size() == 0 || std::memcmp(a.data<T>(), b.data<T>(), static_cast<std::size_t>(a.size()) * sizeof(T)) == 0; });
}

void expect_same_bits(const TensorFunction& f, const std::vector<Tensor>& inputs) {
  std::vector<Tensor> expected;
  for (int threads = 1; threads <= 4; ++threads) {
    const Threads scope(threads);
    const std::vector<Tensor> found = results(f, inputs);
    if (threads == 1) expected = found;
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) EXPECT_TRUE(same_bits(found[i], expected[i])) << (i ? "gradient " + std::to_string(i) : "value") << " with " << threads << " threads";
  }
}

class EveryOp : public testing::TestWithParam<catalogue::Row> {};

TEST_P(EveryOp, HasTheSameBitsForAnyNumberOfThreads) {
  const catalogue::Row& row = GetParam();
  for (const DType dtype : {DType::float64, DType::float32})
    for (const auto& shapes : row.shapes) {
      SCOPED_TRACE("first shape " + to_string(shapes[0]) + " in " + std::string(name_of(dtype)));
      expect_same_bits(row.apply, catalogue::draw(row, shapes, 17, dtype));
    }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, EveryOp, testing::ValuesIn(catalogue::rows()), [](const auto& info) {
  std::string name = info.param.name;
  std::erase(name, '_');
  return name;
});

class LinearAlgebra : public testing::TestWithParam<std::string> {};

using Inputs = const std::vector<Tensor>&;
Tensor positive(const Tensor& a) { return matmul(a, matrix_transpose(a)) + eye(a.shape(-1), a.dtype()); }
Tensor tall(const Tensor& a) { return a.slice(xt::ellipsis(), xt::range(std::int64_t{0}, (a.shape(-1) + 1) / 2)); }
const std::map<std::string, TensorFunction> functions{
    {"matmul", [](Inputs x) { return matmul(x[0], x[1]); }},
    {"cholesky", [](Inputs x) { return cholesky(positive(x[0])); }},
    {"qr", [](Inputs x) { const auto [q, r] = qr(x[0]); return matmul(q, r * r); }},
    {"eigh", [](Inputs x) { const auto [w, v] = eigh(positive(x[0])); return v * expand_dims(w, -2); }},
    {"svd", [](Inputs x) { const auto [u, s, vh] = svd(x[0]); return matmul(u * expand_dims(s, -2), vh * vh); }},
    {"triangular_solve", [](Inputs x) { return triangular_solve(x[0] + 20 * eye(x[0].shape(-1), x[0].dtype()), x[1]); }},
    {"solve", [](Inputs x) { return solve(x[0], x[1]); }},
    {"inv", [](Inputs x) { return inv(x[0]); }},
    {"pinv", [](Inputs x) { return pinv(tall(x[0])); }},
    {"lstsq", [](Inputs x) { return lstsq(tall(x[0]), x[1]); }},
    {"det", [](Inputs x) { return det(x[0] / 10); }},
    {"slogdet", [](Inputs x) { return slogdet(x[0]).second; }},
    {"matrix_power", [](Inputs x) { return matrix_power(x[0], -3); }},
    {"expm", [](Inputs x) { return expm(x[0] / 4); }},
};

TEST_P(LinearAlgebra, HasTheSameBitsForAnyNumberOfThreads) {
  const TensorFunction& f = functions.at(GetParam());
  const std::vector<Shape> shapes{{5, 5}, {20, 20}, {65, 65}, {200, 200}, {300, 300}, {200, 8, 8}, {7, 40, 40}};
  for (const DType dtype : {DType::float64, DType::float32})
    for (const Shape& shape : shapes) {
      SCOPED_TRACE(to_string(shape) + " in " + std::string(name_of(dtype)));
      expect_same_bits(f, {Generator(1).normal(shape, 0, 1, dtype).evaluate(), Generator(2).normal(shape, 0, 1, dtype).evaluate()});
    }
}

std::vector<std::string> names() {
  std::vector<std::string> result;
  for (const auto& entry : functions) result.push_back(entry.first);
  return result;
}
INSTANTIATE_TEST_SUITE_P(Functions, LinearAlgebra, testing::ValuesIn(names()), [](const auto& info) { return info.param; });

}  // namespace
