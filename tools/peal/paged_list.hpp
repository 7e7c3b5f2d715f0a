#pragma once
// A list that a process gives page by page ({"<member>": [...], "next"?}): asks on until the last
// page or the limit, and prints each item once. The process never has to build the whole list.

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "control_target.hpp"
#include "json_text.hpp"
#include "output.hpp"
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

/// As a table of what `row` makes of each item; with --json the items as they came.
inline Outcome<void> print_listed(
    const ListOptions& options, std::string_view action, Console& console,
    std::vector<Table::Column> columns,
    const std::function<std::vector<std::string>(const JsonObject&)>& row) {
  Table table(std::move(columns));
  auto listed = for_each_listed(options, action, [&](const JsonObject& item) {
    if (!console.json) {
      return table.row(row(item));
    }
    JsonBuilder out;
    for (const auto& [name, value] : item.members()) {
      out.raw(name, value);
    }
    console.line(out.str());
  });
  if (!listed) {
    return listed;
  }
  if (!console.json) {
    table.empty() ? console.note("no " + std::string(action)) : table.print(console);
  }
  return {};
}

}  // namespace peal::cli
