# Finds a BLAS with the C interface, or stops. Without one xtensor-blas would run loops of its own, many times slower.
# BLA_VENDOR chooses among several, as in FindBLAS.
include(CheckCXXSourceCompiles)
include(CMakePushCheckState)

find_package(BLAS REQUIRED)
if(NOT XGRAD_CBLAS_IS_IN STREQUAL BLAS_LIBRARIES)
  unset(XGRAD_HAS_CBLAS CACHE)
  cmake_push_check_state(RESET)
  set(CMAKE_REQUIRED_LIBRARIES BLAS::BLAS)
  check_cxx_source_compiles(
    "extern \"C\" float cblas_sdot(int, const float*, int, const float*, int);
     int main() { const float x = 0; return static_cast<int>(cblas_sdot(1, &x, 1, &x, 1)); }" XGRAD_HAS_CBLAS)
  cmake_pop_check_state()
  if(NOT XGRAD_HAS_CBLAS)
    message(FATAL_ERROR "${BLAS_LIBRARIES} has no C interface (cblas_sdot): install OpenBLAS (libopenblas-dev), or choose "
                        "another BLAS by -DBLA_VENDOR=…")
  endif()
  set(XGRAD_CBLAS_IS_IN "${BLAS_LIBRARIES}" CACHE INTERNAL "The BLAS that was found to have a C interface")
endif()
