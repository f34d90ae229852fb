# The API reference, by Doxygen from the public headers and the pages of docs/: target `reference`, not part of `all`.
# A warning of Doxygen's fails it.
find_program(OCTAVO_DOXYGEN doxygen)
mark_as_advanced(OCTAVO_DOXYGEN)
if(NOT OCTAVO_DOXYGEN)
  return()
endif()
file(GLOB octavo_pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/*.md ${PROJECT_SOURCE_DIR}/docs/*.md)
set(octavo_reference_input ${PROJECT_SOURCE_DIR}/include/octavo ${PROJECT_SOURCE_DIR}/capi/octavo.h ${octavo_pages}
    ${PROJECT_SOURCE_DIR}/examples/README.md ${PROJECT_SOURCE_DIR}/examples/models/octavo-tiny-vl/README.md
    ${PROJECT_SOURCE_DIR}/capi/go/README.md ${PROJECT_SOURCE_DIR}/capi/rust/README.md)
list(JOIN octavo_reference_input " " octavo_reference_input)
configure_file(${PROJECT_SOURCE_DIR}/docs/Doxyfile.in ${PROJECT_BINARY_DIR}/Doxyfile @ONLY)
add_custom_target(reference
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${PROJECT_BINARY_DIR}/reference
  COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/reference
  COMMAND ${OCTAVO_DOXYGEN} ${PROJECT_BINARY_DIR}/Doxyfile
  COMMAND ${CMAKE_COMMAND} -E echo "The reference is ${PROJECT_BINARY_DIR}/reference/html/index.html"
  WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
  COMMENT "API reference by Doxygen" VERBATIM)
