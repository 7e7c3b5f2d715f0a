#pragma once
// What a client is told of the limits that concern it, in the connect result.

#include <string>

#include "peal/proto/limits.hpp"

namespace peal::gateway {

inline std::string limits_json(const Limits& limits) {
  const auto member = [](const char* name, std::size_t value) {
    return '"' + std::string(name) + "\":" + std::to_string(value);
  };
  return '{' + member("message_bytes_max", limits.message_bytes_max) + ',' +
         member("command_bytes_max", limits.command_bytes_max) + ',' +
         member("subscriptions_max", limits.subscriptions_max) + ',' +
         member("commands_pending_max", limits.commands_pending_max) + ',' +
         member("commands_per_second_max", limits.commands_per_second_max) + ',' +
         member("channels_per_publish_max", limits.channels_per_publish_max) + '}';
}

}  // namespace peal::gateway
