# Every example runs, and prints what it should.
find_program(octavo_python3 python3)
if(TARGET octavo_cli AND TARGET octavo_capi AND octavo_python3)
  add_test(NAME "examples: each is run"
           COMMAND ${octavo_python3} ${CMAKE_CURRENT_SOURCE_DIR}/examples/examples.py ${PROJECT_BINARY_DIR}/examples
                   ${PROJECT_SOURCE_DIR} $<TARGET_FILE:octavo_cli> $<TARGET_FILE:octavo_capi>)
  set_tests_properties("examples: each is run" PROPERTIES LABELS model TIMEOUT 600)
endif()
