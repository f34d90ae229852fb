# The modules of the library, lowest level first. Each is an object library, so that a test links exactly the modules
# it may know, and a call upwards fails to link; together they are the archive liboctavo_core.a.
#
#   octavo_add_module(gemm LINKS DNNL::dnnl)   takes every lib/gemm/**.cpp
set(OCTAVO_MODULES "")
# The C++ library is an archive unless BUILD_SHARED_LIBS says otherwise; C++ knows no list of exports, so that it then
# shows everything.
if(BUILD_SHARED_LIBS)
  set(octavo_visibility default)
else()
  set(octavo_visibility hidden)
endif()
function(octavo_add_module name)
  cmake_parse_arguments(arg "" "" "LINKS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/lib/${name}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_library(octavo_${name} OBJECT ${sources})
  set_target_properties(octavo_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON VISIBILITY_INLINES_HIDDEN ON
                                                  CXX_VISIBILITY_PRESET ${octavo_visibility})
  target_include_directories(octavo_${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/lib/${name})
  target_link_libraries(octavo_${name} PRIVATE octavo_build_flags Threads::Threads ${arg_LINKS})
  set(OCTAVO_MODULES ${OCTAVO_MODULES} ${name} PARENT_SCOPE)
endfunction()

octavo_add_module(tensor)
octavo_add_module(json LINKS nlohmann_json::nlohmann_json)
octavo_add_module(pattern LINKS PkgConfig::PCRE2)
octavo_add_module(output_form)
octavo_add_module(checkpoint)
octavo_add_module(trace)
octavo_add_module(gemm LINKS DNNL::dnnl ${CMAKE_DL_LIBS})
set_property(SOURCE lib/gemm/build_info.cpp PROPERTY COMPILE_DEFINITIONS OCTAVO_BUILD_TYPE="$<CONFIG>")
octavo_add_module(attention)
octavo_add_module(text)
set(octavo_picture_libraries JPEG::JPEG PNG::PNG PkgConfig::WEBP GIF::GIF)
octavo_add_module(image LINKS ${octavo_picture_libraries})
octavo_add_module(quant LINKS Eigen3::Eigen)
octavo_add_module(model)
foreach(module samples job metrics check compare evaluation verify attribution report quantize)
  octavo_add_module(${module})
endforeach()
if(TARGET octavo_gemm)
  # A product and a sum are one step only where the source says so: results must not depend on the instruction set.
  target_compile_options(octavo_gemm PRIVATE -ffp-contract=off)
  # GCC 12 warns of operands of its own intrinsics that do not matter (PR 105593).
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    file(GLOB octavo_kernels ${CMAKE_CURRENT_SOURCE_DIR}/lib/gemm/kernels/*.cpp)
    set_source_files_properties(${octavo_kernels} PROPERTIES
                                COMPILE_OPTIONS "-Wno-maybe-uninitialized;-Wno-uninitialized")
  endif()
endif()
if(TARGET octavo_attention)
  # One file per instruction set, chosen from when the program runs. Products are added in one step only where the
  # source says so, so that AVX2 and AVX-512 give the same bits.
  set(octavo_attention_kernels ${CMAKE_CURRENT_SOURCE_DIR}/lib/attention/kernels)
  set_source_files_properties(${octavo_attention_kernels}/portable.cpp PROPERTIES COMPILE_OPTIONS "-ffp-contract=off")
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    # GCC 12 takes the don't-care operands of its own intrinsics for ours (PR 105593).
    set(octavo_quiet $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized$<SEMICOLON>-Wno-uninitialized>)
    set_source_files_properties(${octavo_attention_kernels}/avx2.cpp PROPERTIES
                                COMPILE_OPTIONS "-ffp-contract=off;-mavx2;-mfma;${octavo_quiet}")
    set_source_files_properties(${octavo_attention_kernels}/avx512.cpp PROPERTIES
      COMPILE_OPTIONS "-ffp-contract=off;-mavx512f;-mavx512bw;-mavx512vl;-mavx512dq;${octavo_quiet}")
    set_source_files_properties(${octavo_attention_kernels}/amx.cpp PROPERTIES COMPILE_OPTIONS
      "-ffp-contract=off;-mavx512f;-mavx512bw;-mavx512vl;-mavx512dq;-mavx512bf16;-mamx-tile;-mamx-bf16;${octavo_quiet}")
  endif()
endif()
if(TARGET octavo_quant)  # the sweep: a rounding that turns must not depend on the instruction set
  set_source_files_properties(${CMAKE_CURRENT_SOURCE_DIR}/lib/quant/gptq.cpp PROPERTIES
                              COMPILE_OPTIONS "-ffp-contract=off")
endif()
if(TARGET octavo_tensor)  # as gemm, whose epilogues compute the same activations
  set_source_files_properties(${CMAKE_CURRENT_SOURCE_DIR}/lib/tensor/elementwise.cpp PROPERTIES
                              COMPILE_OPTIONS "-ffp-contract=off")
endif()

# What a link of the archive needs besides it.
set(octavo_link_libraries DNNL::dnnl PkgConfig::PCRE2 ${octavo_picture_libraries} Threads::Threads ${CMAKE_DL_LIBS})

set(octavo_objects "")
foreach(module IN LISTS OCTAVO_MODULES)
  list(APPEND octavo_objects $<TARGET_OBJECTS:octavo_${module}>)
endforeach()
add_library(octavo_core ${octavo_objects})
add_library(octavo::octavo ALIAS octavo_core)
set_target_properties(octavo_core PROPERTIES EXPORT_NAME octavo LINKER_LANGUAGE CXX
                      VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
target_compile_features(octavo_core PUBLIC cxx_std_20)
target_include_directories(octavo_core PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>
                                              $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(octavo_core PRIVATE ${octavo_link_libraries})
