# The octavo program from outside: what a careless user gets to see.
if(TARGET octavo_cli)
  add_test(NAME "cli: careless user"
           COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/cli/careless.sh $<TARGET_FILE:octavo_cli>
                   ${PROJECT_SOURCE_DIR}/examples/models/octavo-tiny-vl)
  set_tests_properties("cli: careless user" PROPERTIES LABELS model TIMEOUT 600)
endif()
if(TARGET octavo_core)
  # Not a test: writes a checkpoint of exact Qwen2.5-VL-3B shapes, to measure time and memory on (see docs/quantize.md).
  add_executable(make_synthetic EXCLUDE_FROM_ALL bench/make_synthetic.cpp)
  target_link_libraries(make_synthetic PRIVATE octavo::octavo octavo_build_flags)
  # Not a test: how long check takes on 72B-shaped headers (see docs/check.md).
  add_executable(check_bench EXCLUDE_FROM_ALL bench/check_bench.cpp)
  target_include_directories(check_bench PRIVATE support)
  target_link_libraries(check_bench PRIVATE octavo::octavo octavo_build_flags)
endif()
