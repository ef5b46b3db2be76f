#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>
#include <tests/catalogue/catalogue.hpp>

namespace xgrad::catalogue {
namespace {

using Engine = std::mt19937_64;

bool near_kink(const Domain& domain, double value) {
  return std::any_of(domain.kinks.begin(), domain.kinks.end(), [&](double kink) { return std::abs(value - kink) < 0.05; });
}

double draw_real(const Domain& domain, Engine& engine) {
  std::uniform_real_distribution<double> uniform(domain.every_magnitude ? std::log(domain.low) : domain.low,
                                                 domain.every_magnitude ? std::log(domain.high) : domain.high);
  double value;
  do {
    value = uniform(engine);
    if (domain.every_magnitude) value = std::exp(value);
    if (domain.lattice) value = std::floor(2 * value) / 2 + *domain.lattice;
    value = static_cast<float>(value);  // the same number in both dtypes
  } while (near_kink(domain, value));
  return value;
}

double draw_whole(const Domain& domain, Engine& engine) {
  std::vector<double> numbers;
  for (int i = -3; i <= 3; ++i)
    if (i >= domain.low && i <= domain.high && !near_kink(domain, i)) numbers.push_back(i);
  if (numbers.empty()) throw std::logic_error("draw: no whole number from -3 to 3 lies in the domain");
  return numbers[engine() % numbers.size()];
}

}  // namespace

const std::vector<Row>& rows() {
  static const std::vector<Row> all = [] {
    std::vector<Row> result;
    for (const auto& family : {elementwise_rows(), reduction_rows(), shape_rows(), linalg_rows(), index_rows()})
      result.insert(result.end(), family.begin(), family.end());
    return result;
  }();
  return all;
}

const Row& row_named(const std::string& name) {
  for (const Row& row : rows())
    if (row.name == name) return row;
  throw std::out_of_range("the catalogue has no row " + name);
}

Plain plain(const Tensor& tensor) {
  const Tensor wide = tensor.to(DType::float64);
  const double* data = wide.data<double>();
  return {tensor.shape(), std::vector<double>(data, data + wide.size())};
}

std::vector<Plain> plain(const std::vector<Tensor>& tensors) {
  std::vector<Plain> result;
  for (const Tensor& tensor : tensors) result.push_back(plain(tensor));
  return result;
}

Tensor tensor(const Plain& values, DType dtype) {
  return detail::make_leaf_copy(values.shape, DType::float64, values.values.data()).to(dtype).evaluate().detach();
}

std::vector<Tensor> draw(const Row& row, const std::vector<Shape>& shapes, std::uint64_t seed, DType dtype) {
  Engine engine(seed);
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const Domain& domain = row.domains[std::min(i, row.domains.size() - 1)];
    Plain values{shapes[i], std::vector<double>(static_cast<std::size_t>(size_of(shapes[i])))};
    for (double& value : values.values) {
      if (is_floating(dtype)) value = draw_real(domain, engine);
      else value = dtype == DType::int64 ? draw_whole(domain, engine) : static_cast<double>(engine() & 1);
    }
    inputs.push_back(tensor(values, dtype));
  }
  return inputs;
}

Plain fill(const Shape& shape, const std::function<double(const Index&)>& f) {
  Plain result{shape, {}};
  for (std::int64_t flat = 0; flat < size_of(shape); ++flat) {
    Index index(shape.size());
    std::int64_t rest = flat;
    for (std::size_t i = shape.size(); i-- > 0; rest /= shape[i]) index[i] = rest % shape[i];
    result.values.push_back(f(index));
  }
  return result;
}

double at(const Plain& x, const Index& index) {
  std::int64_t flat = 0;
  for (std::size_t i = 0; i < x.shape.size(); ++i) flat = flat * x.shape[i] + index[i];
  return x.values[static_cast<std::size_t>(flat)];
}

double broadcast_at(const Plain& x, const Index& index) {
  Index from(index.end() - static_cast<std::ptrdiff_t>(x.shape.size()), index.end());
  for (std::size_t axis = 0; axis < from.size(); ++axis)
    if (x.shape[axis] == 1) from[axis] = 0;
  return at(x, from);
}

Row squared(std::string name, std::string function, TensorFunction apply, std::vector<std::vector<Shape>> shapes, Reference reference) {
  return {.name = std::move(name),
          .function = std::move(function),
          .apply = [apply = std::move(apply)](const std::vector<Tensor>& x) { return square(apply(x)); },
          .domains = {{}},
          .shapes = std::move(shapes),
          .reference =
              [reference = std::move(reference)](const std::vector<Plain>& x) {
                Plain result = reference(x);
                for (double& value : result.values) value *= value;
                return result;
              },
          .ulps = 1,
          .of_int64 = DType::int64,
          .of_bool = DType::bool_};
}

}  // namespace xgrad::catalogue
