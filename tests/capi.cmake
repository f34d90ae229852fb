# The C library seen from outside: a C program, the header as C++, Python's ctypes, the exported names, and two
# projects that find the installed package.
if(NOT TARGET octavo_capi)
  return()
endif()
set(model_dir ${PROJECT_SOURCE_DIR}/examples/models/octavo-tiny-vl)
file(GLOB eval_pictures ${model_dir}/eval/*.png ${model_dir}/eval/*/*.png)
if(NOT eval_pictures)
  return()
endif()
list(GET eval_pictures 0 picture)

add_executable(test_capi capi/test_capi.c)
target_compile_features(test_capi PRIVATE c_std_99)
target_link_libraries(test_capi PRIVATE octavo::capi octavo_build_flags m)
add_test(NAME "capi: nothing left of an earlier run"
         COMMAND ${CMAKE_COMMAND} -E rm -rf ${CMAKE_CURRENT_BINARY_DIR}/capi_c_out ${CMAKE_CURRENT_BINARY_DIR}/ctypes_out
                 ${CMAKE_CURRENT_BINARY_DIR}/capi_threads_out ${CMAKE_CURRENT_BINARY_DIR}/capi_0.1_out
                 ${CMAKE_CURRENT_BINARY_DIR}/capi_parts_out ${CMAKE_CURRENT_BINARY_DIR}/capi_watching_out)
set_tests_properties("capi: nothing left of an earlier run" PROPERTIES FIXTURES_SETUP capi_scratch LABELS fast)
add_test(NAME "capi: C program" COMMAND test_capi ${model_dir} ${picture} ${model_dir}/calib/calibration.jsonl
                                        ${CMAKE_CURRENT_BINARY_DIR}/capi_c_out)
set_tests_properties("capi: C program" PROPERTIES LABELS model FIXTURES_REQUIRED capi_scratch)
foreach(program asked answers sessions)
  add_executable(test_capi_${program} capi/test_${program}.c)
  target_compile_features(test_capi_${program} PRIVATE c_std_99)
  target_link_libraries(test_capi_${program} PRIVATE octavo::capi octavo_build_flags m)
endforeach()
add_test(NAME "capi: what is asked" COMMAND test_capi_asked ${model_dir} ${picture})
add_test(NAME "capi: what answers take and give" COMMAND test_capi_answers ${model_dir} ${picture})
add_test(NAME "capi: sessions and running batches"
         COMMAND test_capi_sessions ${model_dir} ${picture} ${CMAKE_CURRENT_BINARY_DIR}/capi_session)
set_tests_properties("capi: sessions and running batches" PROPERTIES LABELS model)
set_tests_properties("capi: what is asked" "capi: what answers take and give" PROPERTIES LABELS model)
if(TARGET example_messages)
  add_test(NAME "capi: the lesson on messages"
           COMMAND ${PROJECT_SOURCE_DIR}/tests/prints.sh "[0-9]+ +[0-9]+[.][0-9] %  \"" $<TARGET_FILE:example_messages>
                   ${model_dir} ${picture} "What is in the picture?")
  set_tests_properties("capi: the lesson on messages" PROPERTIES LABELS model)
endif()
add_executable(test_capi_parts capi/test_parts.c)
target_compile_features(test_capi_parts PRIVATE c_std_99)
target_compile_definitions(test_capi_parts PRIVATE _DEFAULT_SOURCE _POSIX_C_SOURCE=200809L)
target_link_libraries(test_capi_parts PRIVATE octavo::capi octavo_build_flags m Threads::Threads)
add_test(NAME "capi: parts" COMMAND test_capi_parts ${model_dir} ${picture} ${CMAKE_CURRENT_BINARY_DIR}/capi_parts_out)
set_tests_properties("capi: parts" PROPERTIES LABELS model FIXTURES_REQUIRED capi_scratch)
add_executable(test_capi_forms capi/test_forms.c)
target_compile_features(test_capi_forms PRIVATE c_std_99)
target_link_libraries(test_capi_forms PRIVATE octavo::capi octavo_build_flags m)
add_test(NAME "capi: forms of answers" COMMAND test_capi_forms ${model_dir} ${picture})
set_tests_properties("capi: forms of answers" PROPERTIES LABELS model)
add_executable(test_capi_dlpack capi/test_dlpack.c)
target_compile_features(test_capi_dlpack PRIVATE c_std_99)
target_link_libraries(test_capi_dlpack PRIVATE octavo::capi octavo_build_flags)
add_test(NAME "capi: DLPack" COMMAND test_capi_dlpack)
set_tests_properties("capi: DLPack" PROPERTIES LABELS fast)
add_library(test_capi_dlpack_layout OBJECT capi/dlpack_layout.cpp)  # against dlpack.h, where it is installed
target_include_directories(test_capi_dlpack_layout PRIVATE ${PROJECT_SOURCE_DIR}/capi)
target_link_libraries(test_capi_dlpack_layout PRIVATE octavo_build_flags)
find_package(Threads REQUIRED)
add_executable(test_capi_threads capi/test_threads.c)
target_link_libraries(test_capi_threads PRIVATE octavo::capi octavo_build_flags Threads::Threads)
add_test(NAME "capi: C program with threads"
         COMMAND test_capi_threads ${model_dir} ${picture} ${CMAKE_CURRENT_BINARY_DIR}/capi_threads_out)
set_tests_properties("capi: C program with threads" PROPERTIES LABELS model FIXTURES_REQUIRED capi_scratch)

add_executable(test_capi_watching capi/test_watching.c)
target_link_libraries(test_capi_watching PRIVATE octavo::capi octavo_build_flags Threads::Threads)
add_test(NAME "capi: cancelled from outside and the log"
         COMMAND test_capi_watching ${model_dir} ${picture} ${CMAKE_CURRENT_BINARY_DIR}/capi_watching_out)
set_tests_properties("capi: cancelled from outside and the log" PROPERTIES LABELS model FIXTURES_REQUIRED capi_scratch)

add_executable(test_capi_extremes capi/test_extremes.c)
target_compile_features(test_capi_extremes PRIVATE c_std_99)
target_link_libraries(test_capi_extremes PRIVATE octavo::capi octavo_build_flags)
add_test(NAME "capi: sizes that nobody can mean" COMMAND test_capi_extremes ${model_dir})
# An allocator that is asked for more than there is answers null, under a sanitizer, too.
set_tests_properties("capi: sizes that nobody can mean" PROPERTIES LABELS model TIMEOUT 300
                     ENVIRONMENT ASAN_OPTIONS=allocator_may_return_null=1)

add_library(test_capi_header_cxx OBJECT capi/header.cpp)
target_link_libraries(test_capi_header_cxx PRIVATE octavo::capi octavo_build_flags)

add_test(NAME "capi: exported names equal the map"
         COMMAND ${PROJECT_SOURCE_DIR}/tests/capi/exports.sh $<TARGET_FILE:octavo_capi> ${PROJECT_SOURCE_DIR}/capi)
set_tests_properties("capi: exported names equal the map" PROPERTIES LABELS fast)

# What programs were built against goes on working: the recorded headers, and a program of each.
add_test(NAME "capi: the header in every standard"
         COMMAND ${PROJECT_SOURCE_DIR}/tests/capi/standards.sh ${PROJECT_SOURCE_DIR}/capi)
set_tests_properties("capi: the header in every standard" PROPERTIES LABELS fast)
find_program(octavo_python3 python3)
find_program(octavo_abidiff abidiff)
if(octavo_python3 AND octavo_abidiff)
  foreach(command check self-test)
    add_test(NAME "capi: ABI ${command}" COMMAND ${octavo_python3} ${PROJECT_SOURCE_DIR}/tests/capi/abi.py ${command})
    set_tests_properties("capi: ABI ${command}" PROPERTIES LABELS fast)
  endforeach()
endif()
add_executable(test_capi_of_0.1 capi/abi/0.1/program.c)
target_compile_features(test_capi_of_0.1 PRIVATE c_std_99)
target_include_directories(test_capi_of_0.1 BEFORE PRIVATE capi/abi/0.1)  # its octavo.h hides today's
target_link_libraries(test_capi_of_0.1 PRIVATE octavo::capi octavo_build_flags m)
add_test(NAME "capi: C program of 0.1" COMMAND test_capi_of_0.1 ${model_dir} ${picture} ${model_dir}/calib/calibration.jsonl
                                               ${CMAKE_CURRENT_BINARY_DIR}/capi_0.1_out)
set_tests_properties("capi: C program of 0.1" PROPERTIES LABELS model FIXTURES_REQUIRED capi_scratch)

find_program(octavo_readelf NAMES readelf llvm-readelf)
if(octavo_readelf)
  add_test(NAME "capi: no OpenMP is linked"
           COMMAND ${PROJECT_SOURCE_DIR}/tests/capi/no_openmp.sh ${octavo_readelf} $<TARGET_FILE:octavo_capi>
                   $<TARGET_FILE:test_capi_threads> $<$<TARGET_EXISTS:octavo_cli>:$<TARGET_FILE:octavo_cli>>)
  set_tests_properties("capi: no OpenMP is linked" PROPERTIES LABELS fast)
endif()

if(octavo_python3 AND NOT OCTAVO_SANITIZE)  # a sanitized library cannot be loaded into a plain interpreter
  add_test(NAME "capi: Python ctypes"
           COMMAND ${octavo_python3} ${PROJECT_SOURCE_DIR}/tests/capi/test_ctypes.py $<TARGET_FILE:octavo_capi> ${model_dir}
                   ${picture} ${CMAKE_CURRENT_BINARY_DIR}/ctypes_out ${model_dir}/calib/calibration.jsonl
                   ${model_dir}/eval/eval.jsonl)
  set_tests_properties("capi: Python ctypes" PROPERTIES LABELS model FIXTURES_REQUIRED capi_scratch)
endif()
if(NOT OCTAVO_SANITIZE)
  add_test(NAME "install: outside projects"
           COMMAND ${PROJECT_SOURCE_DIR}/tests/install/run.sh ${PROJECT_BINARY_DIR} ${CMAKE_CURRENT_BINARY_DIR}/install_test
                   ${model_dir} ${picture})
  set_tests_properties("install: outside projects" PROPERTIES LABELS slow)
endif()
