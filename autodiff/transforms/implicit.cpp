#include <autodiff/transforms/gmres.hpp>
#include <autodiff/transforms/recorded_function.hpp>
#include <autodiff/transforms/implicit.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/lu.hpp>
#include <autodiff/ops/shape.hpp>
#include <stdexcept>

namespace xgrad {
namespace {

using namespace detail;

constexpr std::string_view jacobian_name = "custom_root: ∂g/∂x";  // whose matrix it is that is singular

std::vector<Tensor> constants(std::vector<Tensor> tensors) {
  for (Tensor& tensor : tensors) tensor = tensor.detach();
  return tensors;
}
/// As constants when gradients are not recorded themselves, so that the recording they come from is left alone.
std::vector<Tensor> constants_unless_recorded(const std::vector<Tensor>& tensors) { return grad_enabled() ? tensors : constants(tensors); }

/// (∂g/∂x)ᵀ w.
Tensor transposed_product(const ImplicitFunction& g, const Tensor& x, const std::vector<Tensor>& theta, const Tensor& w) {
  return vjp([&](const std::vector<Tensor>& at) { return g(at[0], theta); }, {x}).pull(w)[0];
}

/// w of (∂g/∂x)ᵀ w = -v with the matrix.
Tensor solve_dense(const ImplicitFunction& g, const Tensor& x, const std::vector<Tensor>& theta, const Tensor& v) {
  const Tensor j = jacobian([&](const Tensor& at) { return g(at, theta); }, x);
  return reshape(-solve_for(jacobian_name, transpose(reshape(j, {x.size(), x.size()})), reshape(v, {x.size()})), x.shape());
}

Tensor record_root(const ImplicitFunction& g, const TensorFunction& solve, const std::vector<Tensor>& theta, const RootOptions& options);

/// w of (∂g/∂x)ᵀ w = -v by products alone: a root itself, of an equation that is linear in w, which makes it differentiable.
Tensor solve_matrix_free(const ImplicitFunction& g, const Tensor& x, const std::vector<Tensor>& theta, const Tensor& v, const RootOptions& options) {
  const auto at = [](const std::vector<Tensor>& all) { return std::vector<Tensor>(all.begin() + 2, all.end()); };
  std::vector<Tensor> all{x, v};
  all.insert(all.end(), theta.begin(), theta.end());
  const ImplicitFunction equation = [g, at](const Tensor& w, const std::vector<Tensor>& known) {
    return transposed_product(g, known[0], at(known), w) + known[1];
  };
  const TensorFunction solve = [g, at, options](const std::vector<Tensor>& known) {
    const auto of_x = [&](const std::vector<Tensor>& in) { return g(in[0], constants(at(known))); };
    const Pullback pullback = no_grad([&] { return vjp(of_x, {known[0].detach()}); });
    return gmres("custom_root", [&](const Tensor& direction) { return pullback.pull(direction)[0]; }, -known[1].detach(),
                 {.tolerance = options.tolerance, .max_products = options.max_products, .restart = options.restart});
  };
  return grad_enabled() ? record_root(equation, solve, all, options) : solve(all);
}

void check_root(const ImplicitFunction& g, const Tensor& x, const std::vector<Tensor>& theta) {
  check_defined("custom_root", x);
  if (!is_floating(x.dtype()))
    throw detail::located<std::invalid_argument>("custom_root: the solution of shape " + to_string(x.shape()) + " is " + std::string(name_of(x.dtype())) +
                                "; only float32 and float64 have derivatives");
  GradMode tracking(true);
  const Tensor value = g(x.detach(), constants(theta));
  check_defined("custom_root", value);
  if (value.shape() != x.shape())
    throw detail::located<std::invalid_argument>("custom_root: g has shape " + to_string(value.shape()) + " for a solution of shape " + to_string(x.shape()) +
                                "; it must have one equation for each unknown");
  if (value.requires_grad())
    throw detail::located<std::invalid_argument>("custom_root: g depends on a tensor that requires gradients and is not among its arguments; pass it in theta");
}

Tensor record_root(const ImplicitFunction& g, const TensorFunction& solve, const std::vector<Tensor>& theta, const RootOptions& options) {
  return record_custom("custom_root", solve, theta, [g, options](const Tensor& v, const std::vector<Tensor>& given, const Tensor& root) {
    const std::vector<Tensor> known = constants_unless_recorded(given);
    const Tensor x = constants_unless_recorded({root})[0];
    std::vector<Tensor> result(known.size());
    if (x.size() == 0) return result;
    const Tensor w = options.matrix_free ? solve_matrix_free(g, x, known, v, options) : solve_dense(g, x, known, v);
    std::vector<Tensor> tracked;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < known.size(); ++i)
      if (given[i].requires_grad()) {
        tracked.push_back(known[i]);
        places.push_back(i);
      }
    const auto by_tracked = [&](const std::vector<Tensor>& at) {
      std::vector<Tensor> all = known;
      for (std::size_t i = 0; i < places.size(); ++i) all[places[i]] = at[i];
      return g(x, all);
    };
    const std::vector<Tensor> cotangents = vjp(by_tracked, tracked).pull(w);
    for (std::size_t i = 0; i < places.size(); ++i) result[places[i]] = cotangents[i];
    return result;
  });
}

}  // namespace

TensorFunction custom_root(ImplicitFunction g, TensorFunction solve, RootOptions options) {
  check_callable("custom_root", g);
  check_callable("custom_root", solve);
  return [g = std::move(g), solve = std::move(solve), options](const std::vector<Tensor>& theta) {
    const auto checked = [g, solve](const std::vector<Tensor>& given) {
      const Tensor solution = solve(given);
      check_root(g, solution, given);
      return solution;
    };
    return record_root(g, checked, theta, options);
  };
}

TensorFunction fixed_point(ImplicitFunction f, TensorFunction solve, RootOptions options) {
  check_callable("fixed_point", f);
  check_callable("fixed_point", solve);
  return custom_root([f = std::move(f)](const Tensor& x, const std::vector<Tensor>& theta) { return f(x, theta) - x; }, std::move(solve), options);
}

}  // namespace xgrad
