# libFuzzer targets for whatever Octavo reads that others wrote: `cmake --preset fuzz`, then build fuzz_png and run
# `fuzz_png -max_total_time=600 CORPUS tests/golden/pictures`. The tests are short runs that always do the same.

# octavo_add_fuzzer(schema SOURCE form MODULES output_form json tensor [DEFINES ...] [SEEDS DIR] [RUNS N] [LENGTH BYTES]
#                   [LABEL fuzz])
# is fuzz/SOURCE_fuzz.cpp, by default fuzz/NAME_fuzz.cpp. It begins with fuzz/seeds/NAME, unless another directory is named,
# and puts the words of fuzz/dictionaries/NAME.dict together, where there is one.
function(octavo_add_fuzzer name)
  cmake_parse_arguments(arg "" "SOURCE;SEEDS;RUNS;LENGTH;LABEL" "MODULES;DEFINES"
                        SOURCE ${name} SEEDS ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/seeds/${name} RUNS 20000 LENGTH 4096 LABEL fuzz ${ARGN})
  list(TRANSFORM arg_MODULES PREPEND octavo_)
  add_executable(fuzz_${name} fuzz/${arg_SOURCE}_fuzz.cpp)
  target_include_directories(fuzz_${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/support)
  target_compile_definitions(fuzz_${name} PRIVATE ${arg_DEFINES})
  target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  target_link_libraries(fuzz_${name} PRIVATE ${arg_MODULES} ${octavo_link_libraries} octavo_build_flags)
  set(corpus ${CMAKE_CURRENT_BINARY_DIR}/corpus_${name})
  set(dictionary ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/dictionaries/${name}.dict)
  if(EXISTS ${dictionary})
    list(APPEND arg_OPTIONS -dict=${dictionary})
  endif()
  file(MAKE_DIRECTORY ${corpus})
  add_test(NAME "fuzz: ${name}" COMMAND fuzz_${name} -runs=${arg_RUNS} -seed=1 -max_len=${arg_LENGTH} -timeout=60
                                        -rss_limit_mb=1024 -artifact_prefix=${corpus}- ${arg_OPTIONS}
                                        ${corpus} ${arg_SEEDS})
  set_tests_properties("fuzz: ${name}" PROPERTIES LABELS ${arg_LABEL})
endfunction()

foreach(module image output_form checkpoint text samples)  # what is steered by the code that an input reaches
  target_compile_options(octavo_${module} PRIVATE -fsanitize=fuzzer-no-link)
endforeach()
set_property(SOURCE ${PROJECT_SOURCE_DIR}/lib/model/session_file.cpp TARGET_DIRECTORY octavo_model
             APPEND PROPERTY COMPILE_OPTIONS -fsanitize=fuzzer-no-link)

function(octavo_add_picture_fuzzer name magic)
  octavo_add_fuzzer(${name} SOURCE picture MODULES image json tensor DEFINES "OCTAVO_FUZZ_MAGIC=\"${magic}\""
                            SEEDS ${PROJECT_SOURCE_DIR}/tests/golden/pictures LENGTH 1048576)
endfunction()
octavo_add_picture_fuzzer(jpeg "\\xFF\\xD8\\xFF")
octavo_add_picture_fuzzer(png "\\x89PNG\\r\\n\\x1A\\n")
octavo_add_picture_fuzzer(webp "RIFF????WEBP")
octavo_add_picture_fuzzer(gif "GIF89a")
octavo_add_picture_fuzzer(bmp "BM")
octavo_add_picture_fuzzer(pnm "P")

octavo_add_fuzzer(schema SOURCE form MODULES output_form json tensor DEFINES OCTAVO_FUZZ_FORM=json_schema RUNS 5000)
octavo_add_fuzzer(template SOURCE form MODULES output_form json tensor DEFINES OCTAVO_FUZZ_FORM=example RUNS 5000)
octavo_add_fuzzer(pattern SOURCE form MODULES output_form json tensor DEFINES OCTAVO_FUZZ_FORM=pattern RUNS 5000)
octavo_add_fuzzer(safetensors MODULES checkpoint pattern json tensor)
octavo_add_fuzzer(config MODULES checkpoint pattern json tensor)
octavo_add_fuzzer(tokenizer MODULES text pattern json tensor)
octavo_add_fuzzer(chat_template MODULES text pattern json tensor)
# These need the model's code; `ctest --preset fuzz -R fuzz:` runs them, too.
octavo_add_fuzzer(conversation MODULES ${level5} LABEL model)
octavo_add_fuzzer(session MODULES ${level4} DEFINES OCTAVO_SOURCE_DIR=\"${PROJECT_SOURCE_DIR}\" RUNS 2000 LENGTH 32 LABEL model)
octavo_add_fuzzer(chat_request MODULES ${level4} LABEL model)
foreach(source chat_request chat_messages pictures)
  target_sources(fuzz_chat_request PRIVATE ${PROJECT_SOURCE_DIR}/examples/server/${source}.cpp)
endforeach()
target_include_directories(fuzz_chat_request PRIVATE ${PROJECT_SOURCE_DIR}/examples/server)
