# What `cmake --install` puts where, so that find_package(octavo) and pkg-config find it.
include(CMakePackageConfigHelpers)
install(TARGETS octavo_core EXPORT octavoTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/octavo DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(TARGET octavo_capi)
  install(TARGETS octavo_capi EXPORT octavoTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
          PUBLIC_HEADER DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  # Relative, so that the installed tree may be moved.
  file(RELATIVE_PATH octavo_prefix_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  configure_file(capi/octavo.pc.in ${CMAKE_CURRENT_BINARY_DIR}/octavo.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/octavo.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()
if(TARGET octavo_cli)
  install(TARGETS octavo_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  if(NOT CMAKE_CROSSCOMPILING)  # made by running the program, see examples/CMakeLists.txt
    set(octavo_made ${CMAKE_CURRENT_BINARY_DIR}/examples)
    install(FILES ${octavo_made}/octavo.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME octavo)
    install(FILES ${octavo_made}/octavo.zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions RENAME _octavo)
    install(FILES ${octavo_made}/octavo.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
    install(FILES ${octavo_made}/octavo.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  endif()
endif()
set(octavo_config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/octavo)
install(EXPORT octavoTargets NAMESPACE octavo:: DESTINATION ${octavo_config_dir})
configure_package_config_file(lib/octavoConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/octavoConfig.cmake
                              INSTALL_DESTINATION ${octavo_config_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/octavoConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/octavoConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/octavoConfigVersion.cmake
              lib/FindOneDNN.cmake DESTINATION ${octavo_config_dir})
