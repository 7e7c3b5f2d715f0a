#pragma once
// A channel's value as a page to look at: it shows the value and, by /channel.js, follows it. No
// script stands in the page, so that its policy can forbid any but the gateway's own. Pure.

#include <string>
#include <string_view>

#include "http/http_machine.hpp"
#include "http/value.hpp"

namespace peal::gateway::http {

inline constexpr std::string_view kChannelScriptPath = "/channel.js";

Response channel_page(std::string_view channel, const CurrentValue& value,
                      std::string cache_control);
/// /channel.js
Response channel_script();

}  // namespace peal::gateway::http
