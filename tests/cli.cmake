# The octavo program from outside.
if(TARGET octavo_cli)
  set(octavo_program $<TARGET_FILE:octavo_cli>)
  set(octavo_tiny_model ${PROJECT_SOURCE_DIR}/examples/models/octavo-tiny-vl)
  # What a careless user gets to see.
  add_test(NAME "cli: careless user"
           COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/cli/careless.sh ${octavo_program} ${octavo_tiny_model})
  # Help, options in every spelling, mistakes, standard output that cannot take the result.
  add_test(NAME "cli: usage" COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/cli/usage.sh ${octavo_program} ${octavo_tiny_model})
  # Samples: who is blamed, what is left out, whose pixels boxes are in.
  add_test(NAME "cli: samples" COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/cli/samples.sh ${octavo_program} ${octavo_tiny_model})
  # Settings and templates in a model's files, control tokens in a prompt.
  add_test(NAME "cli: settings" COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/cli/settings.sh ${octavo_program} ${octavo_tiny_model})
  # Orientation, transparency and bounds of picture files.
  add_test(NAME "cli: pictures" COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/cli/pictures.sh ${octavo_program} ${octavo_tiny_model}
                                        ${PROJECT_SOURCE_DIR}/tests/golden/pictures/cases)
  # Questions from options, files and standard input; boxes drawn.
  add_test(NAME "cli: inputs" COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/cli/inputs.sh ${octavo_program} ${octavo_tiny_model})
  # Answers of a fixed form.
  add_test(NAME "cli: forms" COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/cli/forms.sh ${octavo_program} ${octavo_tiny_model})
  # A conversation on a terminal and through pipes.
  add_test(NAME "cli: chat" COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/cli/chat.py ${octavo_program} ${octavo_tiny_model})
  # Ctrl-C while something is measured.
  add_test(NAME "cli: interrupts"
           COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/cli/interrupts.sh ${octavo_program} ${octavo_tiny_model})
  if(TARGET octavo_server)
    set(octavo_server_program $<TARGET_FILE:octavo_server>)
  endif()
  # Completions in the shells that there are, the man page.
  add_test(NAME "cli: completions and man page" COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/cli/pages.sh ${octavo_program}
           ${octavo_server_program})
  # Progress and colour on terminals of several widths.
  add_test(NAME "cli: terminal"
           COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/cli/terminal.py ${octavo_program} ${octavo_tiny_model})
  # What the machine or its user does to a job: failing disks, limits, signals, files that shrink.
  if(NOT OCTAVO_SANITIZE)
    enable_language(C)
    add_library(cli_faults MODULE cli/faults.c)
    add_test(NAME "cli: faults and signals"
             COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/cli/faults.sh ${octavo_program} ${octavo_tiny_model}
                     $<TARGET_FILE:cli_faults>)
    set_tests_properties("cli: faults and signals" PROPERTIES LABELS model TIMEOUT 600)
  endif()
  # A oneDNN that can make no engine. A sanitizer's runtime wants to be the first library loaded.
  if(NOT OCTAVO_SANITIZE)
    enable_language(C)
    add_library(dnnl_without_engine MODULE cli/no_engine.c)
    add_test(NAME "cli: oneDNN without an engine"
             COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/cli/no_engine.sh ${octavo_program} ${octavo_tiny_model}
                     $<TARGET_FILE:dnnl_without_engine>)
    set_tests_properties("cli: oneDNN without an engine" PROPERTIES LABELS model TIMEOUT 600)
  endif()
  set_tests_properties("cli: careless user" "cli: usage" "cli: samples" "cli: settings" "cli: pictures" "cli: inputs" "cli: chat"
                       "cli: completions and man page" "cli: terminal" "cli: interrupts"
                       PROPERTIES LABELS model TIMEOUT 600 SKIP_RETURN_CODE 77)
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
