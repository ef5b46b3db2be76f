# Builds and runs the consumer as a user would: cmake -D… -P run.cmake, with MODE=installed or MODE=subdirectory.
foreach(variable MODE BUILD FOLDER GENERATOR COMPILER)
  if("${${variable}}" STREQUAL "")
    message(FATAL_ERROR "run.cmake: ${variable} is not set")
  endif()
endforeach()

function(run)
  execute_process(COMMAND ${ARGV} WORKING_DIRECTORY ${FOLDER} RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${ARGV} failed (${code}):\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE ${FOLDER})
file(MAKE_DIRECTORY ${FOLDER})
if(MODE STREQUAL installed)
  # Moved after it was installed: the package must not depend on where.
  run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${FOLDER}/first)
  file(RENAME ${FOLDER}/first ${FOLDER}/prefix)
  set(xgrad -DCMAKE_PREFIX_PATH=${FOLDER}/prefix -DCMAKE_BUILD_TYPE=Release)
else()
  # No build type, so no optimisation: the library is compiled once more here.
  set(xgrad -DXGRAD_SOURCE=${CMAKE_CURRENT_LIST_DIR}/../..)
endif()
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${FOLDER}/build -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${COMPILER}
    -DCMAKE_CXX_FLAGS=${FLAGS} -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER} ${xgrad})
run(${CMAKE_COMMAND} --build ${FOLDER}/build --parallel 2)
run(${FOLDER}/build/engine)
run(${FOLDER}/build/network)

# The sources beside one's own are built for distribution: every set of kernels that is in there serves, if the processor has it.
if(MODE STREQUAL subdirectory)
  foreach(set sse2 avx2 avx512)
    execute_process(COMMAND ${CMAKE_COMMAND} -E env XGRAD_SIMD=${set} ${FOLDER}/build/network RESULT_VARIABLE code OUTPUT_VARIABLE output
                    ERROR_VARIABLE output)
    if(NOT code EQUAL 0 AND NOT output MATCHES "which this (processor does not have|build has no kernels for)")
      message(FATAL_ERROR "network failed (${code}) with XGRAD_SIMD=${set}:\n${output}")
    endif()
  endforeach()
endif()
