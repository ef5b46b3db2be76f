// Linear systems known by products with their matrix.
#pragma once

#include <autodiff/core/tensor.hpp>
#include <functional>
#include <string_view>

namespace xgrad::detail {

struct GmresOptions {
  double tolerance;            ///< of the residual, relative to the right-hand side
  std::int64_t max_products;
  std::int64_t restart;        ///< how many directions are kept
};

/// x of A x = b, where `product` multiplies by A; of b's shape and dtype. GMRES: Y. Saad and M. Schultz (1986).
/// Throws std::domain_error naming `op` when it does not get there.
Tensor gmres(std::string_view op, const std::function<Tensor(const Tensor&)>& product, const Tensor& b, const GmresOptions& options);

}  // namespace xgrad::detail
