#include "postgres/run.hpp"

int main(int argc, char** argv) {
  return peal::monitor::run_postgres_monitor(argc, argv);
}
