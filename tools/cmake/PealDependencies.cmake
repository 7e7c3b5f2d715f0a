# Every third-party library, found on the system and nowhere else; the minimum versions are Debian 12's.
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(ZeroMQ 4.3.4 QUIET CONFIG)
find_package(PkgConfig REQUIRED)
pkg_check_modules(ZeroMQ REQUIRED IMPORTED_TARGET libzmq>=4.3.4)
find_package(cppzmq 4.9 REQUIRED)
find_package(Protobuf 3.21 REQUIRED)
find_package(spdlog 1.10 REQUIRED)
find_package(simdjson 3.0 REQUIRED)
find_package(tomlplusplus 3.0 REQUIRED)
find_package(prometheus-cpp REQUIRED)  # 1.0 or newer; Debian's package states no version
find_package(OpenSSL 3.0 REQUIRED)
pkg_check_modules(RocksDB REQUIRED IMPORTED_TARGET rocksdb>=7.8)
pkg_check_modules(Hiredis REQUIRED IMPORTED_TARGET hiredis>=0.14)
pkg_check_modules(Libpq REQUIRED IMPORTED_TARGET libpq>=14)
if(PEAL_TESTS)
  find_package(GTest 1.12 REQUIRED)
endif()

if(PEAL_INSTALLED)  # they come with the libraries, from PealTargets.cmake
  return()
endif()

# Header-only Boost (Asio, Beast, System); Asio's deprecated API stays out.
add_library(peal_boost INTERFACE)
target_link_libraries(peal_boost INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(peal_boost INTERFACE BOOST_ASIO_NO_DEPRECATED)

add_library(peal_zmq INTERFACE)
target_link_libraries(peal_zmq INTERFACE PkgConfig::ZeroMQ)
