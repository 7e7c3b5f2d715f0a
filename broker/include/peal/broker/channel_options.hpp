#pragma once
// What the core decides per channel. The first matching rule of the config wins; none: ephemeral.

#include <chrono>
#include <cstddef>
#include <functional>
#include <string_view>

namespace peal::broker {

struct ChannelOptions {
  bool recoverable = false;
  std::size_t history_length_max = 1000;
  std::size_t history_bytes_max = 8 * 1024 * 1024;
  std::chrono::seconds history_age_max{300};
};
using OptionsOf = std::function<ChannelOptions(std::string_view channel)>;

}  // namespace peal::broker
