# What `cmake --install` puts where, so that find_package(octavo) and pkg-config find it. Install components, which are
# also the Debian packages (package.cmake): runtime (shared libraries), tools (the program, its pages and the bundled
# model), server (the HTTP server and its pages), dev (headers, archives, what build systems read, examples).
option(OCTAVO_INSTALL "Install Octavo with the project" ${PROJECT_IS_TOP_LEVEL})
if(NOT OCTAVO_INSTALL)
  return()
endif()
include(CMakePackageConfigHelpers)
set(octavo_config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/octavo)
set(octavo_data_dir ${CMAKE_INSTALL_DATADIR}/octavo)

# One export set for each component of find_package, so that a C project need not find what only C++ links.
set(octavo_archives "")
function(octavo_install_library target component)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "STATIC_LIBRARY")
    set(octavo_archives ${octavo_archives} ${component} PARENT_SCOPE)
  endif()
  install(TARGETS ${target} EXPORT octavo-${component}
          LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT dev
          ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev
          PUBLIC_HEADER DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev)
  install(EXPORT octavo-${component} NAMESPACE octavo:: FILE octavo-${component}-targets.cmake
          DESTINATION ${octavo_config_dir} COMPONENT dev)
endfunction()

octavo_install_library(octavo_core octavo)
install(DIRECTORY include/octavo DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev)
if(TARGET octavo_capi)
  octavo_install_library(octavo_capi capi)
  # Relative, so that the installed tree may be moved.
  file(RELATIVE_PATH octavo_prefix_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  # A static link needs more; a shared library brings it along.
  set(octavo_pc_needs "-ldnnl -lpcre2-8 -lwebpdemux -lwebp -lpng -ljpeg -lgif -lstdc++ -lm -ldl -lpthread")
  if("capi" IN_LIST octavo_archives)
    set(octavo_pc_libs "Libs: -L\${libdir} -loctavo ${octavo_pc_needs}")
  else()
    set(octavo_pc_libs "Libs: -L\${libdir} -loctavo\nLibs.private: ${octavo_pc_needs}")
  endif()
  configure_file(capi/octavo.pc.in ${CMAKE_CURRENT_BINARY_DIR}/octavo.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/octavo.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)
endif()
# A program, its completions and its page, which examples/CMakeLists.txt has it print.
function(octavo_install_program target name component)
  install(TARGETS ${target} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT ${component})
  if(CMAKE_CROSSCOMPILING)
    return()
  endif()
  set(made ${CMAKE_CURRENT_BINARY_DIR}/examples/${name})
  install(FILES ${made}.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME ${name}
          COMPONENT ${component})
  install(FILES ${made}.zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions RENAME _${name}
          COMPONENT ${component})
  install(FILES ${made}.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT ${component})
  install(FILES ${made}.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT ${component})
endfunction()
if(TARGET octavo_cli)
  octavo_install_program(octavo_cli octavo tools)
  install(DIRECTORY examples/models DESTINATION ${octavo_data_dir} COMPONENT tools PATTERN training EXCLUDE)
  install(DIRECTORY examples/c examples/cpp examples/python DESTINATION ${octavo_data_dir}/examples COMPONENT dev)
endif()
set(octavo_packages runtime:liboctavo0 tools:octavo dev:liboctavo-dev)
if(TARGET octavo_server)
  list(APPEND octavo_packages server:octavo-server)
  octavo_install_program(octavo_server octavo-server server)
endif()
# As Debian lays it out: one licence in each package.
foreach(package IN LISTS octavo_packages)
  string(REPLACE ":" ";" package ${package})
  list(GET package 0 component)
  list(GET package 1 name)
  install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${name} RENAME copyright COMPONENT ${component})
endforeach()
configure_package_config_file(lib/octavoConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/octavoConfig.cmake
                              INSTALL_DESTINATION ${octavo_config_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/octavoConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/octavoConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/octavoConfigVersion.cmake
              lib/FindOneDNN.cmake DESTINATION ${octavo_config_dir} COMPONENT dev)
if(PROJECT_IS_TOP_LEVEL)
  include(lib/package.cmake)
endif()
