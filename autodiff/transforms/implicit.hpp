// Derivatives of solutions: of an equation's root, of a fixed point. However the solution was found, the implicit function theorem
// gives its derivative, and no step of the solver is recorded (M. Blondel, Q. Berthet, M. Cuturi et al., "Efficient and modular
// implicit differentiation", 2022).
#pragma once

#include <autodiff/transforms/transforms.hpp>
#include <functional>
#include <vector>

namespace xgrad {

/// A function of the unknown and of what it depends on.
using ImplicitFunction = std::function<Tensor(const Tensor& x, const std::vector<Tensor>& theta)>;

/// Options of `custom_root` and `fixed_point`: how the linear system of a derivative is solved.
struct RootOptions {
  /// Without the matrix ∂g/∂x, by GMRES on products with it: for x of more than some thousand elements.
  bool matrix_free = false;
  double tolerance = 1e-12;         ///< of GMRES: |residual| <= tolerance · |right-hand side|, in float32 1e-6 at least
  std::int64_t max_products = 1000;  ///< of GMRES, with ∂g/∂x
  std::int64_t restart = 50;        ///< of GMRES: how many directions it keeps
};

/// The x(θ) of g(x, θ) = 0 that `solve(θ)` finds by any means; what it does is not recorded. Of a cotangent v: θ̄ = (∂g/∂θ)ᵀ w, where
/// (∂g/∂x)ᵀ w = -v. Differentiable to any order. g is called for derivatives, and once with the solution to check it; x has any
/// floating shape, and g that shape too, else std::invalid_argument is thrown, as when g depends on a tensor that requires gradients
/// and is not in θ. A derivative where ∂g/∂x is singular, or for which GMRES does not come to its tolerance, throws std::domain_error.
TensorFunction custom_root(ImplicitFunction g, TensorFunction solve, RootOptions options = {});

/// The x(θ) = f(x(θ), θ) that `solve(θ)` finds: the root of f(x, θ) - x.
TensorFunction fixed_point(ImplicitFunction f, TensorFunction solve, RootOptions options = {});

}  // namespace xgrad
