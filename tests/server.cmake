# The HTTP server from outside: answers, limits, careless clients, the log, load.
if(TARGET octavo_server)
  find_program(octavo_python3 python3)
endif()
if(TARGET octavo_server AND octavo_python3)
  foreach(part answers limits log load)
    add_test(NAME "server: ${part}"
             COMMAND ${octavo_python3} ${CMAKE_CURRENT_SOURCE_DIR}/server/${part}.py $<TARGET_FILE:octavo_server>
                     ${PROJECT_SOURCE_DIR}/examples/models/octavo-tiny-vl)
    set_tests_properties("server: ${part}" PROPERTIES LABELS model TIMEOUT 600)
  endforeach()
endif()
