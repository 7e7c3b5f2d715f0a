#pragma once
// What a configuration that was read again would change. Pure.

#include <map>
#include <string>
#include <vector>

namespace peal::gateway {

/// Key -> value, as ConfigSchema::values() says it.
using Settings = std::map<std::string, std::string>;

/// Keys whose values differ and that only a restart puts in force: all but the certificate's files.
std::vector<std::string> keys_for_a_restart(const Settings& before, const Settings& after);

}  // namespace peal::gateway
