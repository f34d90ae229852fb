# The C library from other languages, where Debian's toolchain for them is there.
if(TARGET octavo_capi AND NOT OCTAVO_SANITIZE)  # a sanitized library cannot be loaded into a plain program
  set(octavo_language_environment OCTAVO_MODEL=${PROJECT_SOURCE_DIR}/examples/models/octavo-tiny-vl
      LD_LIBRARY_PATH=$<TARGET_FILE_DIR:octavo_capi> OCTAVO_LIB_DIR=$<TARGET_FILE_DIR:octavo_capi>
      OCTAVO_INCLUDE_DIR=${PROJECT_SOURCE_DIR}/capi)
  find_program(octavo_cargo cargo)
  if(octavo_cargo)
    add_test(NAME "languages: Rust"
             COMMAND ${octavo_cargo} test --offline --manifest-path ${PROJECT_SOURCE_DIR}/capi/rust/Cargo.toml
                     --target-dir ${CMAKE_CURRENT_BINARY_DIR}/rust)
    set_tests_properties("languages: Rust" PROPERTIES LABELS model TIMEOUT 600 ENVIRONMENT "${octavo_language_environment}")
  endif()
  find_program(octavo_go go)
  if(octavo_go)
    add_test(NAME "languages: Go" COMMAND ${octavo_go} test -count=1 ./... WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}/capi/go)
    set_tests_properties("languages: Go" PROPERTIES LABELS model TIMEOUT 600
      ENVIRONMENT "${octavo_language_environment};CGO_CFLAGS=-I${PROJECT_SOURCE_DIR}/capi;CGO_LDFLAGS=-L$<TARGET_FILE_DIR:octavo_capi>;GOFLAGS=-mod=mod;GOPROXY=off;GOCACHE=${CMAKE_CURRENT_BINARY_DIR}/go;GOPATH=${CMAKE_CURRENT_BINARY_DIR}/gopath")
  endif()
endif()
