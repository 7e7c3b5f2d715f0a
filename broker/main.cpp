#include "server/app.hpp"

int main(int argc, char** argv) {
  return peal::broker::run_broker(argc, argv);
}
