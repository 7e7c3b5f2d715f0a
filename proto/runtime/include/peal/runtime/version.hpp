#pragma once
// Which Peal this is, as --version, /version and Hello tell it.

#include <string_view>

namespace peal::runtime {

std::string_view version();  ///< "0.1.0"

}  // namespace peal::runtime
