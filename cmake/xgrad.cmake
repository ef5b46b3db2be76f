# What the targets of the project have in common.

set(XGRAD_UNOPTIMIZED $<OR:$<CONFIG:Debug,None>,$<STREQUAL:$<CONFIG>,>>)

# Kernels for several instruction sets: where the library is not for this machine alone.
set(XGRAD_SIMD_DISPATCH OFF)
if(NOT XGRAD_NATIVE AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$" AND CMAKE_SIZEOF_VOID_P EQUAL 8 AND
   CMAKE_CXX_COMPILER_ID MATCHES "^(GNU|Clang|AppleClang)$")
  set(XGRAD_SIMD_DISPATCH ON)
endif()

# The dialect and warnings of every source; nothing of it reaches a user's files but the dialect.
function(xgrad_compile_options target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE -Wall -Wextra $<$<BOOL:${XGRAD_WERROR}>:-Werror>)
  # GCC 12 gives it for std::string + "literal" (its bug 105651).
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE -Wno-restrict)
  endif()
endfunction()

# The headers that the umbrella header of a folder, ${folder}/${folder}.hpp, takes in from that folder: those are public
# and get installed; the others are the folder's own.
function(xgrad_public_headers folder result)
  set(found ${folder}/${folder}.hpp)
  set(unread ${found})
  while(unread)
    list(POP_FRONT unread header)
    set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
    file(STRINGS ${PROJECT_SOURCE_DIR}/${header} includes REGEX "^#include <${folder}/")
    foreach(line IN LISTS includes)
      string(REGEX REPLACE "^#include <([^>]*)>.*" "\\1" included "${line}")
      if(NOT included IN_LIST found)
        list(APPEND found ${included})
        list(APPEND unread ${included})
      endif()
    endforeach()
  endwhile()
  set(${result} ${found} PARENT_SCOPE)
endfunction()

# What the library's own sources are compiled with.
function(xgrad_source_options target)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  xgrad_compile_options(${target})
  if(XGRAD_NATIVE)
    # Without optimisation GCC's AVX-512 intrinsics are macros that xsimd 8.1's calls do not fit.
    target_compile_options(${target} PRIVATE -march=native $<$<AND:$<CXX_COMPILER_ID:GNU>,${XGRAD_UNOPTIMIZED}>:-Og>)
  endif()
  # GCC's own AVX-512 headers set the warnings off.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-uninitialized -Wno-maybe-uninitialized>)
endfunction()

# The library of a folder's sources: target xgrad_${folder}, xgrad::${folder} to those who link it.
function(xgrad_library folder)
  set(target xgrad_${folder})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cpp)
  set(simd_sources ${sources})
  list(FILTER simd_sources INCLUDE REGEX "\\.simd\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "\\.simd\\.cpp$")
  add_library(${target} ${sources})
  add_library(xgrad::${folder} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${folder} INSTALL_RPATH $ORIGIN
                                             VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  xgrad_public_headers(${folder} headers)
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${headers})
  xgrad_source_options(${target})
  if(simd_sources)
    xgrad_simd_kernels(${target} Baseline "${simd_sources}")
  endif()
  if(simd_sources AND XGRAD_SIMD_DISPATCH)
    target_compile_definitions(${target} PRIVATE XGRAD_SIMD_DISPATCH)
    xgrad_simd_kernels(${target} Avx2 "${simd_sources}" -mavx2 -mfma)
    xgrad_simd_kernels(${target} Avx512 "${simd_sources}" -mavx512f -mavx512cd -mavx512dq -mavx512bw -mavx512vl -mfma)
  endif()
endfunction()

# Adds kernels of a library for one instruction set, as instruction_sets.hpp calls it: `sources`, compiled with the options
# that follow.
function(xgrad_simd_kernels target set sources)
  string(TOLOWER ${target}_${set} kernels)
  add_library(${kernels} OBJECT ${sources})
  target_include_directories(${kernels} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${kernels} PRIVATE xtensor xsimd)
  target_compile_definitions(${kernels} PRIVATE XGRAD_SIMD_SET=${set})
  xgrad_source_options(${kernels})
  if(ARGN)
    # Without optimisation small functions of the standard library would be left over, for all to use.
    target_compile_options(${kernels} PRIVATE ${ARGN} $<${XGRAD_UNOPTIMIZED}:-O1>)
  endif()
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:${kernels}>)
endfunction()
