# How everything of Peal is compiled: the standard, the warnings, the linker, the sanitizers.
option(PEAL_TESTS "Build the tests and the benchmarks" ON)
option(PEAL_WERROR "Treat warnings as errors" ON)
set(PEAL_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them: address,undefined or thread")
option(PEAL_COVERAGE "Instrument for gcov" OFF)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
# Dev: as fast as Release, with assertions and line numbers. Coverage wants -O0 for honest lines.
set(CMAKE_CXX_FLAGS_DEV "-O2 -g1")
if(PEAL_SANITIZE)
  set(CMAKE_CXX_FLAGS_DEV "-O1 -g1")
elseif(PEAL_COVERAGE)
  set(CMAKE_CXX_FLAGS_DEV "-O0 -g1")
endif()
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Dev)
endif()

# Paths of the build machine stay out of the binaries, and ccache hits across checkouts.
add_compile_options("-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=")

find_program(PEAL_CCACHE ccache)
if(PEAL_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}"
      CCACHE_NOHASHDIR=1 "${PEAL_CCACHE}")
endif()
find_program(PEAL_MOLD mold)
if(PEAL_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

if(PEAL_SANITIZE)
  add_compile_options("-fsanitize=${PEAL_SANITIZE}" -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options("-fsanitize=${PEAL_SANITIZE}")
  # GCC warns wrongly of what it has instrumented itself; the dev build has this warning on.
  add_compile_options(-Wno-maybe-uninitialized)
  if(PEAL_SANITIZE STREQUAL "thread")
    # GCC can't instrument fences; where Asio's stand a mutex orders things as well.
    add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
endif()
if(PEAL_COVERAGE)
  add_compile_options(--coverage -fprofile-update=atomic)
  add_link_options(--coverage)
endif()

add_library(peal_options INTERFACE)
target_compile_options(peal_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
                       -Wimplicit-fallthrough $<$<BOOL:${PEAL_WERROR}>:-Werror>)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 sees overlapping copies in `"text" + std::string` at -O3 (its bug 105651).
  target_compile_options(peal_options INTERFACE -Wno-restrict)
endif()

# peal_library(NAME bus ALIAS peal::bus SOURCES ... PUBLIC_DIR include PRIVATE_DIR src
#              LINK_PUBLIC ... LINK_PRIVATE ...): one library of a room.
function(peal_library name)
  cmake_parse_arguments(ARG "" "PRIVATE_DIR" "SOURCES;LINK_PUBLIC;LINK_PRIVATE" ${ARGN})
  if(NOT ARG_SOURCES)  # a room whose first file has not landed yet
    set(ARG_SOURCES "${CMAKE_CURRENT_BINARY_DIR}/no_sources_${name}.cpp")
    file(CONFIGURE OUTPUT "${ARG_SOURCES}" CONTENT "")
  endif()
  add_library(peal_${name} STATIC ${ARG_SOURCES})
  add_library(peal::${name} ALIAS peal_${name})
  set_target_properties(peal_${name} PROPERTIES EXPORT_NAME ${name})
  set_property(GLOBAL APPEND PROPERTY PEAL_LIBRARIES peal_${name})
  target_include_directories(peal_${name} PUBLIC "$<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>"
                             "$<INSTALL_INTERFACE:include>")
  if(ARG_PRIVATE_DIR)
    target_include_directories(peal_${name} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/${ARG_PRIVATE_DIR}")
  endif()
  target_link_libraries(peal_${name} PUBLIC ${ARG_LINK_PUBLIC} PRIVATE ${ARG_LINK_PRIVATE} peal_options)
endfunction()
