# The commands that the pages tell a reader to type.
if(TARGET octavo_cli AND TARGET octavo_capi AND NOT OCTAVO_SANITIZE)  # a plain C program cannot link a sanitized library
  add_test(NAME "docs: tutorial"
           COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/docs/tutorial.sh ${PROJECT_SOURCE_DIR}/docs/tutorial.md
                   ${PROJECT_BINARY_DIR} ${CMAKE_CURRENT_BINARY_DIR}/tutorial)
  set_tests_properties("docs: tutorial" PROPERTIES LABELS model TIMEOUT 900)
endif()
find_program(octavo_python3 python3)
if(octavo_python3)
  add_test(NAME "docs: programs of the pages" COMMAND ${octavo_python3} ${CMAKE_CURRENT_SOURCE_DIR}/docs/programs.py
                                                           ${PROJECT_SOURCE_DIR})
  set_tests_properties("docs: programs of the pages" PROPERTIES LABELS fast)
endif()
