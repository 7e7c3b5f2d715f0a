# find_package(Peal) gives peal::gateway, and what it is made of.
cmake_minimum_required(VERSION 3.25)
set(PEAL_TESTS OFF)
set(PEAL_INSTALLED ON)
include("${CMAKE_CURRENT_LIST_DIR}/PealDependencies.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/PealTargets.cmake")
