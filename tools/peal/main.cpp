#include <string>
#include <vector>

#include "verbs.hpp"

int main(int argc, char** argv) {
  return peal::cli::run(std::vector<std::string>(argv + 1, argv + argc));
}
