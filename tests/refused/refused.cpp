// What must not compile, a line each, and what the compiler's message must say (see check.cmake). Without REFUSED the file compiles.
#define XGRAD_WITH_XT_VIEWS
#define XGRAD_WITH_XT_MATH
#include <autodiff/autodiff.hpp>
#include <complex>

namespace {

[[maybe_unused]] void refused(xgrad::Tensor& t, xt::xarray<double>& x, xt::xarray<std::complex<double>>& z) {
  using namespace xgrad;
  t = t + x;
  static_cast<void>(z);
#ifdef REFUSED
  x += t;                                                 // refused: so_write_the_tensor_dot_array
  x -= t;                                                 // refused: so_write_the_tensor_dot_array
  x *= t;                                                 // refused: so_write_the_tensor_dot_array
  x /= t;                                                 // refused: so_write_the_tensor_dot_array
  x = t;                                                  // refused: no match for|no viable
  t = t + z;                                              // refused: elements_must_be_numbers
  t = z * t;                                              // refused: elements_must_be_numbers
  t = z;                                                  // refused: elements_must_be_numbers
  xt::maximum(t, x);                                      // refused: no matching function
  xt::where(x > 1.0, t, x);                               // refused: no matching function
  xt::sum(t);                                             // refused: value_type
  xt::concatenate(xt::xtuple(t, x));                      // refused: shape_type
  xt::broadcast(t, {3});                                  // refused: call xgrad's function of that name
  var(t, -1, true);                                       // refused: ddof_is_a_number
  stddev(t, -1, true, false);                             // refused: ddof_is_a_number
  norm(t, true);                                          // refused: p_is_a_number
  argmax(t, true);                                        // refused: axis_is_a_number
  argmin(t, true);                                        // refused: axis_is_a_number
  sort(t, true);                                          // refused: axis_is_a_number
  argsort(t, true);                                       // refused: axis_is_a_number
  topk(t, 3, false);                                      // refused: axis_is_a_number
  sum(t, true);                                           // refused: const Axes|xgrad::Axes|no matching
  t.slice(true);                                          // refused: no matching
#endif
}

}  // namespace
