// The one place that includes xtensor and xtensor-blas, so that a change of their header layout is mended here.
// What public headers need is light; a .cpp that needs more says so before including this file.
#pragma once

#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#include <xtensor/xnoalias.hpp>
#include <xtensor/xslice.hpp>

#ifdef XGRAD_WITH_XT_PRINT
#include <xtensor/xio.hpp>
#endif

#ifdef XGRAD_WITH_XT_VIEWS
#include <xtensor/xstrided_view.hpp>
#include <xtensor/xview.hpp>
#endif

#ifdef XGRAD_WITH_XT_MATH
#include <xtensor/xmath.hpp>
#include <xtensor/xsort.hpp>
#endif

#ifdef XGRAD_WITH_XT_BLAS
#include <xtensor-blas/xblas_config.hpp>  // says that there is a CBLAS; else the next runs slow loops of its own

#include <xflens/cxxblas/cxxblas.cxx>
#endif
