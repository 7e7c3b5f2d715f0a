#pragma once
// What a configuration that was read again would change. Pure.

#include <string>
#include <string_view>
#include <vector>

namespace peal::gateway {

/// Keys whose values differ between two outcomes of ConfigSchema::print() and that only a restart
/// puts in force: all but the certificate's files, [keys] and [[channels]].
std::vector<std::string> keys_for_a_restart(std::string_view before, std::string_view after);

}  // namespace peal::gateway
