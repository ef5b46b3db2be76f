// Rows of functions that rearrange, and plain arrays by index.
#pragma once

#include <tests/catalogue/catalogue.hpp>

namespace xgrad::catalogue {

using Index = std::vector<std::int64_t>;

inline std::int64_t flat_of(const Index& index, const Shape& shape) {
  std::int64_t flat = 0;
  for (std::size_t i = 0; i < shape.size(); ++i) flat = flat * shape[i] + index[i];
  return flat;
}

/// The array of `shape` whose element at an index is `f(index)`.
inline Plain fill(const Shape& shape, const std::function<double(const Index&)>& f) {
  Plain result{shape, {}};
  for (std::int64_t flat = 0; flat < size_of(shape); ++flat) {
    Index index(shape.size());
    std::int64_t rest = flat;
    for (std::size_t i = shape.size(); i-- > 0; rest /= shape[i]) index[i] = rest % shape[i];
    result.values.push_back(f(index));
  }
  return result;
}

inline double at(const Plain& x, const Index& index) { return x.values[static_cast<std::size_t>(flat_of(index, x.shape))]; }

using Reference = std::function<Plain(const std::vector<Plain>&)>;

/// Rearranging is linear, so a square behind it gives derivatives of second order something to find.
inline Row row(std::string name, std::string function, TensorFunction apply, std::vector<std::vector<Shape>> shapes, Reference reference) {
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
          .ulps = 1};
}

}  // namespace xgrad::catalogue
