#include "postgres/app.hpp"

int main(int argc, char** argv) {
  return peal::monitor::run_monitor(argc, argv);
}
