// The one place that includes xtensor and xtensor-blas, so that a change of their header layout is mended here: xtensor 0.26 put
// its headers into folders. What public headers need is light; a .cpp that needs more says so before including this file.
#pragma once

#include <type_traits>

#if __has_include(<xtensor/containers/xarray.hpp>)
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xarray.hpp>
#include <xtensor/core/xnoalias.hpp>
#include <xtensor/views/xslice.hpp>
#else
#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#include <xtensor/xnoalias.hpp>
#include <xtensor/xslice.hpp>
#endif

#ifdef XGRAD_WITH_XT_PRINT
#if __has_include(<xtensor/io/xio.hpp>)
#include <xtensor/io/xio.hpp>
#else
#include <xtensor/xio.hpp>
#endif
#endif

#ifdef XGRAD_WITH_XT_VIEWS
#if __has_include(<xtensor/views/xview.hpp>)
#include <xtensor/views/xstrided_view.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xstrided_view.hpp>
#include <xtensor/xview.hpp>
#endif
#endif

#ifdef XGRAD_WITH_XT_MATH
#if __has_include(<xtensor/misc/xsort.hpp>)
#include <xtensor/core/xmath.hpp>
#include <xtensor/misc/xset_operation.hpp>
#include <xtensor/misc/xsort.hpp>
#else
#include <xtensor/xmath.hpp>
#include <xtensor/xset_operation.hpp>
#include <xtensor/xsort.hpp>
#endif
#endif

#ifdef XGRAD_WITH_XT_BLAS
#include <xtensor-blas/xblas_config.hpp>  // says that there is a CBLAS; else the next runs slow loops of its own

#include <xflens/cxxblas/cxxblas.cxx>
#endif

namespace xgrad {
class Tensor;
namespace detail {
template <class... E>
concept HasTensor = (std::is_base_of_v<Tensor, std::remove_cvref_t<E>> || ...);
}  // namespace detail
}  // namespace xgrad

// xtensor's operators and elementwise functions take anything beside an expression, a tensor too, for a number that they repeat for
// each element. Here they are told to leave tensors alone, so that overload resolution finds xgrad's, and whatever still makes an
// expression of a tensor does not compile.
namespace xt {
namespace detail {
template <class F, class... E>
  requires xgrad::detail::HasTensor<E...>
struct xfunction_type<F, E...> {};  // no result type: not viable
}  // namespace detail

template <class CT>
  requires xgrad::detail::HasTensor<CT>
class xscalar<CT> {
  static_assert(sizeof(CT) == 0, "xtensor's functions do not take an xgrad::Tensor: call xgrad's function of that name, as xgrad::sum(t), "
                                 "or take the tensor's values with t.array<double>()");
};
}  // namespace xt
