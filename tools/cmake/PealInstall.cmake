# What `cmake --install` puts where, and the Debian packages that CPack makes of it: `peal` runs, `peal-dev`
# is for applications that embed a gateway: headers, libraries, a CMake package.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(packaging "${PROJECT_SOURCE_DIR}/tools/packaging")
set(PEAL_CONFIGURATION_FOLDER /etc/peal CACHE STRING "Where the configuration goes; relative: below the prefix")
set(package_folder "${CMAKE_INSTALL_LIBDIR}/cmake/peal")

# --- runtime ---
foreach(program peal peal-gateway peal-broker peal-monitor-postgres peal-monitor-redis)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME COMPONENT runtime)
    if(EXISTS "${packaging}/${program}.service")
      install(FILES "${packaging}/${program}.service" DESTINATION lib/systemd/system COMPONENT runtime)
    endif()
  endif()
endforeach()
install(FILES "${packaging}/gateway.toml" "${packaging}/broker.toml" DESTINATION "${PEAL_CONFIGURATION_FOLDER}"
        PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ COMPONENT runtime)
install(FILES "${packaging}/peal.sysusers" DESTINATION lib/sysusers.d RENAME peal.conf COMPONENT runtime)
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}" RENAME copyright COMPONENT runtime)
install(FILES helm/peal/files/alerts.yaml helm/peal/files/dashboard.json
        DESTINATION "${CMAKE_INSTALL_DATADIR}/peal" COMPONENT runtime)
# The client, the pages and the examples of proxies; bundled where esbuild is.
find_program(PEAL_ESBUILD esbuild)
if(PEAL_ESBUILD)
  install(CODE "execute_process(COMMAND \"${PROJECT_SOURCE_DIR}/gateway/web/build\"
    \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/peal/web\" COMMAND_ERROR_IS_FATAL ANY)"
          COMPONENT runtime)
endif()
install(DIRECTORY docs/deploy/ DESTINATION "${CMAKE_INSTALL_DATADIR}/peal/deploy" COMPONENT runtime)

# --- dev ---
get_property(libraries GLOBAL PROPERTY PEAL_LIBRARIES)
install(TARGETS ${libraries} peal_boost peal_zmq peal_options EXPORT PealTargets ARCHIVE COMPONENT dev)
foreach(room proto proto/runtime broker gateway monitors)
  if(IS_DIRECTORY "${PROJECT_SOURCE_DIR}/${room}/include")
    install(DIRECTORY ${room}/include/ DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT dev)
  endif()
endforeach()
install(EXPORT PealTargets NAMESPACE peal:: DESTINATION "${package_folder}" COMPONENT dev)
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/PealConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES tools/cmake/PealConfig.cmake tools/cmake/PealDependencies.cmake
              "${CMAKE_CURRENT_BINARY_DIR}/PealConfigVersion.cmake"
        DESTINATION "${package_folder}" COMPONENT dev)

# --- packages ---
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR "The Peal authors")
set(CPACK_PACKAGE_CONTACT "The Peal authors <peal@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL runtime dev)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME peal)
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION "clustered real-time messaging: gateways, brokers, the command line")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_RECOMMENDS systemd)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA "${packaging}/deb/conffiles;${packaging}/deb/postinst;${packaging}/deb/prerm;${packaging}/deb/postrm")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_DEV_PACKAGE_NAME peal-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_DESCRIPTION "clustered real-time messaging: headers, libraries and a CMake package")
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "libboost-dev (>= 1.81) | libboost1.81-dev, libzmq3-dev, cppzmq-dev, libprotobuf-dev, libspdlog-dev, libsimdjson-dev, libtomlplusplus-dev, prometheus-cpp-dev, librocksdb-dev, libhiredis-dev, libpq-dev, libssl-dev")
include(CPack)
