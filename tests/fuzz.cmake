# libFuzzer targets, one for each picture format: `cmake --preset fuzz`, then build fuzz_png and run
# `fuzz_png -max_total_time=600 CORPUS tests/golden/pictures`. The tests are short runs that always do the same.
function(octavo_add_fuzzer name magic)
  add_executable(fuzz_${name} fuzz/decode_fuzz.cpp)
  target_include_directories(fuzz_${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/support)
  target_compile_definitions(fuzz_${name} PRIVATE "OCTAVO_FUZZ_MAGIC=\"${magic}\"")
  target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  target_link_libraries(fuzz_${name} PRIVATE octavo_image octavo_json octavo_tensor ${octavo_link_libraries} octavo_build_flags)
  set(corpus ${CMAKE_CURRENT_BINARY_DIR}/fuzz_${name})
  file(MAKE_DIRECTORY ${corpus})
  add_test(NAME "fuzz: ${name}" COMMAND fuzz_${name} -runs=20000 -seed=1 -rss_limit_mb=1024 -artifact_prefix=${corpus}-
                                        ${corpus} ${PROJECT_SOURCE_DIR}/tests/golden/pictures)
  set_tests_properties("fuzz: ${name}" PROPERTIES LABELS fuzz)
endfunction()

target_compile_options(octavo_image PRIVATE -fsanitize=fuzzer-no-link)
octavo_add_fuzzer(jpeg "\\xFF\\xD8\\xFF")
octavo_add_fuzzer(png "\\x89PNG\\r\\n\\x1A\\n")
octavo_add_fuzzer(webp "RIFF????WEBP")
octavo_add_fuzzer(gif "GIF89a")
octavo_add_fuzzer(bmp "BM")
octavo_add_fuzzer(pnm "P")
