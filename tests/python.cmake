# The Python package over the library as built, with the standard library alone; tests that need NumPy or tqdm say so
# where they are skipped. python/wheel.sh runs the same from a wheel.
find_program(octavo_python3 python3)
if(NOT TARGET octavo_capi OR NOT octavo_python3 OR OCTAVO_SANITIZE)  # a plain interpreter cannot load a sanitized library
  return()
endif()
get_target_property(octavo_capi_type octavo_capi TYPE)
if(NOT octavo_capi_type STREQUAL "SHARED_LIBRARY")
  return()
endif()
file(GLOB python_tests RELATIVE ${CMAKE_CURRENT_SOURCE_DIR}/python CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/python/test_*.py)
foreach(part IN LISTS python_tests)
  string(REGEX REPLACE "test_(.*)\\.py" "\\1" part ${part})
  add_test(NAME "python: ${part}" COMMAND ${octavo_python3} -m unittest -v test_${part}
           WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/python)
  set_tests_properties("python: ${part}" PROPERTIES LABELS model TIMEOUT 300 ENVIRONMENT
    "OCTAVO_LIBRARY=$<TARGET_FILE:octavo_capi>;PYTHONPATH=${PROJECT_SOURCE_DIR}/capi/python;PYTHONDONTWRITEBYTECODE=1;CC=${CMAKE_C_COMPILER}")
endforeach()
