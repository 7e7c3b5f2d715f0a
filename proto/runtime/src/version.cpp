#include "peal/runtime/version.hpp"

namespace peal::runtime {

std::string_view version() {
  return PEAL_VERSION;
}

}  // namespace peal::runtime
