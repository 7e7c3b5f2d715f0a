#include "peal/redis/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "peal/runtime/config.hpp"
#include "temp_folder.hpp"

namespace peal::redis {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string trouble(Config config) {
  const auto done = complete(config);
  return done.has_error() ? done.error().message : std::string();
}

TEST(RedisConfig, IsUsableAsItIs) {
  EXPECT_EQ(trouble({}), "");
  EXPECT_EQ(trouble({.addresses = {"unix:/run/redis.sock"}}), "");
  EXPECT_EQ(trouble({.mode = "sentinel", .addresses = {"a:26379", "[::1]:26379"}}), "");
}

TEST(RedisConfig, SaysWhatIsWrong) {
  EXPECT_THAT(trouble({.mode = "replica"}), HasSubstr("none of single, sentinel, cluster"));
  EXPECT_THAT(trouble({.addresses = {}}), HasSubstr("at least one"));
  EXPECT_THAT(trouble({.addresses = {"here"}}), HasSubstr("\"here\""));
  EXPECT_THAT(trouble({.addresses = {"unix:here"}}), HasSubstr("unix:/path"));
  EXPECT_THAT(trouble({.addresses = {"a:0"}}), HasSubstr("no address to connect to"));
  EXPECT_THAT(trouble({.addresses = {"a:1", "b:1"}}), HasSubstr("has one address"));
  EXPECT_THAT(trouble({.mode = "cluster", .addresses = {"unix:/a"}}), HasSubstr("over TCP"));
  EXPECT_THAT(trouble({.mode = "cluster", .database = 1}), HasSubstr("only database 0"));
  EXPECT_THAT(trouble({.tls_key_file = "a"}), HasSubstr("both or none"));
  EXPECT_THAT(trouble({.command_timeout = std::chrono::milliseconds(0)}),
              HasSubstr("redis.command_timeout"));
  EXPECT_THAT(trouble({.reconnect_max = std::chrono::milliseconds(1)}),
              HasSubstr("redis.reconnect_max"));
  EXPECT_THAT(trouble({.probe_timeout = std::chrono::milliseconds(1000)}),
              HasSubstr("redis.probe_timeout"));
  EXPECT_THAT(trouble({.prefix = "a{b}"}), HasSubstr("redis.prefix"));
}

TEST(RedisConfig, ReadsAPasswordFromAFileAndNeverShowsIt) {
  const test::TempFolder folder;
  const std::string file = folder.path() + "/password";
  std::ofstream(file) << "s3cret with blanks \r\nmore\n";
  Config config{.password_file = file};
  ASSERT_FALSE(complete(config).has_error());
  EXPECT_EQ(config.password, "s3cret with blanks ");
  runtime::ConfigSchema schema;
  describe(schema, config);
  EXPECT_THAT(schema.print(), Not(HasSubstr("s3cret")));

  EXPECT_THAT(trouble({.password = "other", .password_file = file}), HasSubstr("only one"));
  EXPECT_THAT(trouble({.sentinel_password_file = folder.path() + "/none"}),
              HasSubstr("no password can be read from"));
}

}  // namespace
}  // namespace peal::redis
