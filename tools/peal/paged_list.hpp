#pragma once
// A list that a process gives page by page ({"<member>": [...], "next"?}): asks on until the last
// page or the limit, giving each item once. The process never has to build the whole list.

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>

#include "control_target.hpp"
#include "json_text.hpp"
#include "signals.hpp"

namespace peal::cli {

struct ListOptions {
  ControlOptions control;
  std::uint64_t limit = 0;  ///< 0: all
  std::string after;
  std::string prefix;  ///< channels only
};

inline Outcome<void> for_each_listed(const ListOptions& options, std::string_view action,
                                     const std::function<void(const JsonObject&)>& take) {
  constexpr std::uint64_t kPage = 1000;
  auto client = open_control(options.control);
  if (!client) {
    return client.error();
  }
  std::string after = options.after;
  for (std::uint64_t taken = 0; !interrupted();) {
    JsonBuilder payload;
    payload.number("limit", options.limit == 0 ? kPage : std::min(kPage, options.limit - taken));
    if (!after.empty()) {
      payload.text("after", after);
    }
    if (!options.prefix.empty()) {
      payload.text("prefix", options.prefix);
    }
    auto result = (*client)->request(action, payload.str(), options.control.timeout);
    if (!result) {
      return result.error();
    }
    const JsonObject page(*result);
    for (const JsonObject& item : page.objects(action)) {
      take(item);
      ++taken;
    }
    after = page.text("next");
    if (after.empty() || (options.limit != 0 && taken >= options.limit)) {
      break;
    }
  }
  return {};
}

}  // namespace peal::cli
