// The process peal-gateway.
#include "server/app.hpp"

int main(int argc, char** argv) {
  return peal::gateway::run_gateway(argc, argv);
}
