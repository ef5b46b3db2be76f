# Fails when kernels for an instruction set hold functions that others might run: those that the linker may put in the place of
# copies from elsewhere, unless their names say which set they are for, and those that run when the program is loaded.
# SET: avx2 or avx512. OBJECTS: the kernels, separated by commas. NM, OBJDUMP: programs.
set(own_avx2 "Avx2|4avx2")
set(own_avx512 "Avx512|avx512(f|cd|dq|bw)")
string(REPLACE "," ";" objects "${OBJECTS}")

execute_process(COMMAND ${NM} ${objects} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]* [WiT] [^\n]*" functions "${symbols}")
if(NOT functions)
  message(FATAL_ERROR "no functions in ${OBJECTS}")
endif()
list(FILTER functions EXCLUDE REGEX "${own_${SET}}")
if(functions)
  list(JOIN functions "\n" functions)
  message(FATAL_ERROR "functions that code for other processors may be linked to:\n${functions}")
endif()

execute_process(COMMAND ${OBJDUMP} -d -j .text.startup ${objects} OUTPUT_VARIABLE startup ERROR_QUIET)
if(startup MATCHES "%[xyz]mm")
  message(FATAL_ERROR "code that runs on every processor uses vectors:\n${startup}")
endif()
