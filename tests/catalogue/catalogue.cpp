#include <algorithm>
#include <cmath>
#include <random>
#include <tests/catalogue/catalogue.hpp>

namespace xgrad::catalogue {

const std::vector<Row>& rows() {
  static const std::vector<Row> all = [] {
    std::vector<Row> result;
    for (const auto& family : {elementwise_rows(), special_rows(), reduction_rows(), statistics_rows(), shape_rows(), rearrange_rows(), product_rows(),
                               linear_algebra_rows(), convolution_rows(), fft_rows(), index_rows(), update_rows()})
      result.insert(result.end(), family.begin(), family.end());
    return result;
  }();
  return all;
}

Plain plain(const Tensor& tensor) {
  const Tensor wide = tensor.to(DType::float64);
  const double* data = wide.data<double>();
  return {tensor.shape(), std::vector<double>(data, data + wide.size())};
}

Tensor tensor(const Plain& values, DType dtype) {
  return detail::make_leaf_copy(values.shape, DType::float64, values.values.data()).to(dtype).evaluate().detach();
}

std::vector<Tensor> draw(const Row& row, const std::vector<Shape>& shapes, std::uint64_t seed, DType dtype) {
  std::mt19937_64 generator(seed);
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const Domain& domain = row.domains[std::min(i, row.domains.size() - 1)];
    std::uniform_real_distribution<double> uniform(domain.low, domain.high);
    Plain values{shapes[i], std::vector<double>(static_cast<std::size_t>(size_of(shapes[i])))};
    for (double& value : values.values) {
      const auto near_kink = [&] {
        return std::any_of(domain.kinks.begin(), domain.kinks.end(), [&](double kink) { return std::abs(value - kink) < 0.05; });
      };
      do value = static_cast<float>(uniform(generator));  // the same number in both dtypes
      while (near_kink());
    }
    inputs.push_back(tensor(values, dtype));
  }
  return inputs;
}

}  // namespace xgrad::catalogue
