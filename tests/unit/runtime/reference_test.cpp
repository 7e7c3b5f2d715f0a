// The generated pages of docs/reference. A stale page fails; to write them anew:
//   PEAL_REFERENCE=write build/dev/bin/unit_runtime --gtest_filter='Reference*'

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "peal/proto/close_code.hpp"
#include "peal/proto/error_code.hpp"
#include "peal/runtime/config.hpp"
#include "postgres/monitor_config.hpp"
#include "redis/redis_config.hpp"
#include "server/app_config.hpp"
#include "server/broker_config.hpp"

namespace peal::runtime {
namespace {

constexpr const char* kGenerated =
    "<!-- Generated from the tables in the code by tests/unit/runtime/reference_test.cpp. -->\n";

/// The folder that holds the project: the nearest one above this program with the presets.
std::filesystem::path project_folder() {
  std::filesystem::path at = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  while (!std::filesystem::exists(at / "CMakePresets.json") && at != at.root_path()) {
    at = at.parent_path();
  }
  return at;
}

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string without_limits(const std::string& rows) {
  std::istringstream in(rows);
  std::string kept;
  for (std::string row; std::getline(in, row);) {
    if (!row.starts_with("| `limits.")) kept += row + "\n";
  }
  return kept;
}

void check_page(const std::string& name, const std::string& text) {
  const auto path = project_folder() / "docs" / "reference" / name;
  const char* const mode = std::getenv("PEAL_REFERENCE");
  if (mode && std::string_view(mode) == "write") {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }
  EXPECT_TRUE(read(path) == text)
      << path << " is stale. Write it anew:\n  PEAL_REFERENCE=write build/dev/bin/unit_runtime "
      << "--gtest_filter='Reference*'";
}

TEST(ReferenceTest, ErrorAndCloseCodesAreAsDocumented) {
  std::string text =
      std::string(kGenerated) +
      "# Error codes\n\n"
      "The `code` of every error, over WebSocket, HTTP, the control socket and the bus. "
      "*Temporary* means that trying\nthe same again later may help.\n\n"
      "| code | temporary | HTTP | meaning |\n|---|---|---|---|\n";
  for (const ErrorInfo& error : error_code_table()) {
    text += "| `" + std::string(error.name) + "` | " + (error.temporary ? "yes" : "no") + " | " +
            std::to_string(error.http_status) + " | " + std::string(error.meaning) + " |\n";
  }
  text +=
      "\n# Close codes\n\n"
      "WebSocket close codes that a gateway sends. After one that *may reconnect*, a client comes "
      "back "
      "by itself, with\nits positions and a random delay.\n\n"
      "| code | name | may reconnect | meaning |\n|---|---|---|---|\n";
  for (const CloseInfo& close : close_code_table()) {
    text += "| " + std::to_string(close.number) + " | `" + std::string(close.name) + "` | " +
            (close.may_reconnect ? "yes" : "no") + " | " + std::string(close.meaning) + " |\n";
  }
  check_page("codes.md", text);
}

TEST(ReferenceTest, LimitsAreAsDocumented) {
  Limits limits;
  ConfigSchema schema;
  describe(schema, limits);
  check_page(
      "limits.md",
      std::string(kGenerated) +
          "# Limits\n\n"
          "Every limit is a key in the section `[limits]` of the config file, a flag "
          "(`--limits-message-bytes-max`) and a\nvariable (`PEAL_LIMITS_MESSAGE_BYTES_MAX`). "
          "An error that comes from a limit names it.\n\n"
          "| key | default | what it limits |\n|---|---|---|\n" +
          schema.markdown());
}

TEST(ReferenceTest, ConfigIsAsDocumented) {
  broker::BrokerConfig broker;
  ConfigSchema broker_schema;
  broker::describe(broker_schema, broker);
  gateway::AppConfig gateway;
  ConfigSchema gateway_schema;
  gateway::describe(gateway_schema, gateway);
  monitor::MonitorConfig monitor;
  ConfigSchema monitor_schema;
  monitor::describe(monitor_schema, monitor);
  monitor::RedisMonitorConfig redis_monitor;
  ConfigSchema redis_monitor_schema;
  monitor::describe(redis_monitor_schema, redis_monitor);
  std::string text =
      std::string(kGenerated) +
      "# Configuration\n\n"
      "Defaults, then the file (`--config FILE` or `PEAL_CONFIG`, TOML), then the environment, "
      "then "
      "flags; the later wins.\nThe key `log.level` is the flag `--log-level` and the variable "
      "`PEAL_LOG_LEVEL`. A list is a repeated flag, and in\nthe environment separated by commas. A "
      "key of a table is the variable `PEAL_KEYS_NAME`, its name in lower case.\n`--check-config` "
      "tells all mistakes, `--print-config` the outcome with secrets masked, `--help` every flag.\n"
      "The section `[limits]` is in [limits.md](limits.md).\n";
  for (const auto& [name, schema] :
       {std::pair{"peal-gateway", &gateway_schema}, std::pair{"peal-broker", &broker_schema},
        std::pair{"peal-monitor-postgres", &monitor_schema},
        std::pair{"peal-monitor-redis", &redis_monitor_schema}}) {
    text += "\n## " + std::string(name) + "\n\n| key | default | meaning |\n|---|---|---|\n" +
            without_limits(schema->markdown());
  }
  check_page("config.md", text);
}

TEST(ReferenceTest, EveryCodeIsInOneTableOnly) {
  for (const ErrorInfo& error : error_code_table()) {
    const auto code = error_code_from_name(error.name);
    ASSERT_TRUE(code) << error.name;
    EXPECT_EQ(info(*code).name, error.name);
    EXPECT_GE(error.http_status, 400);
    EXPECT_LT(error.http_status, 600);
  }
  EXPECT_FALSE(error_code_from_name("no_such_code"));
  for (const CloseInfo& close : close_code_table()) {
    EXPECT_EQ(info(static_cast<CloseCode>(close.number)).name, close.name);
    if (close.number < 3000) continue;
    EXPECT_EQ(close.may_reconnect, close.number < 3500) << close.name;
  }
}

}  // namespace
}  // namespace peal::runtime
