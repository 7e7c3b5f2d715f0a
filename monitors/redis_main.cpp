#include "redis/run.hpp"

int main(int argc, char** argv) {
  return peal::monitor::run_redis_monitor(argc, argv);
}
