#include "peal/runtime/logger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "log_capture.hpp"
#include "log_line.hpp"
#include "peal/proto/json.hpp"

namespace peal::runtime {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

TEST(LogLineTest, TextQuotesOnlyWhatNeedsIt) {
  EXPECT_EQ(text_line("gateway", "listening",
                      {{"address", "127.0.0.1:8420"}, {"note", "two words"}, {"empty", ""}}),
            R"([gateway] listening address=127.0.0.1:8420 note="two words" empty="")");
  EXPECT_EQ(text_line("", "x", {{"n", -3}, {"u", 7U}, {"on", true}, {"r", 0.5}}),
            "x n=-3 u=7 on=true r=0.5");
}

TEST(LogLineTest, AClientsValueCannotBeginALineOfItsOwn) {
  const std::string line = text_line("a", "refused", {{"origin", "x\n2026 error forged\x1b[31m"}});
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_EQ(text_line("", "bad\nmessage", {}).find('\n'), std::string::npos);
}

TEST(LogLineTest, JsonStaysValidWhateverTheValuesAre) {
  const std::string line = "{" + json_line_tail(LogLevel::warn, "a.b", "said \"so\"",
                                                {{"bytes", std::string("\xff\x00z", 3)},
                                                 {"nan", std::numeric_limits<double>::quiet_NaN()},
                                                 {"n", std::numeric_limits<std::int64_t>::min()},
                                                 {"off", false}});
  JsonReader reader;
  ASSERT_TRUE(reader.validate(line)) << line;
  EXPECT_THAT(line, HasSubstr(R"("level":"warn","component":"a.b","message":"said \"so\"")"));
  EXPECT_THAT(line, HasSubstr(R"("nan":null,"n":-9223372036854775808,"off":false})"));
}

TEST(LoggerTest, CarriesItsPrefixAndItsLevel) {
  const auto capture = std::make_shared<test::LogCapture>();
  capture->set_level(LogLevel::info);
  const Logger logger = Logger(capture, "gateway").with("shard").with("3");
  logger.debug("not said");
  logger.info("said", {{"n", 1}});
  EXPECT_THAT(capture->lines(), testing::ElementsAre("info gateway.shard.3: said n=1"));
  EXPECT_FALSE(logger.enabled(LogLevel::debug));
  EXPECT_TRUE(logger.enabled(LogLevel::warn));
}

TEST(LoggerTest, ADefaultLoggerSaysNothing) {
  const Logger logger;
  EXPECT_FALSE(logger.enabled(LogLevel::error));
  logger.error("into the void");
  logger.with("still").error("nothing");
}

TEST(LoggerTest, LevelsHaveNames) {
  EXPECT_EQ(log_level_from_name("warn"), LogLevel::warn);
  EXPECT_EQ(log_level_from_name("loud"), std::nullopt);
  EXPECT_EQ(name_of(LogLevel::trace), "trace");
}

std::string stderr_of(LogFormat format, const auto& say) {
  testing::internal::CaptureStderr();
  const auto backend = make_log_backend(format, LogLevel::info);
  say(Logger(backend, "peal"), *backend);
  return testing::internal::GetCapturedStderr();
}

TEST(LogBackendTest, WritesOneTextLineAnEvent) {
  const std::string out = stderr_of(LogFormat::text, [](const Logger& logger, LogBackend&) {
    logger.debug("hidden");
    logger.warn("100% {} sure", {{"key", "value"}});
  });
  EXPECT_THAT(out, MatchesRegex("[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+\\.[0-9]+Z warning "
                                "\\[peal\\] 100% \\{\\} sure key=value\n"));
}

TEST(LogBackendTest, WritesOneJsonObjectAnEvent) {
  std::string out = stderr_of(LogFormat::json, [](const Logger& logger, LogBackend&) {
    logger.error("a \"b\" %v", {{"n", 2}});
  });
  ASSERT_THAT(out, testing::EndsWith("}\n"));
  JsonReader reader;
  ASSERT_TRUE(reader.validate(out)) << out;
  EXPECT_THAT(out,
              HasSubstr(R"("level":"error","component":"peal","message":"a \"b\" %v","n":2})"));
}

TEST(LogBackendTest, ALevelChangeTakesEffectAtOnce) {
  const std::string out = stderr_of(LogFormat::text, [](const Logger& logger, LogBackend& backend) {
    logger.debug("one");
    backend.set_level(LogLevel::debug);
    logger.debug("two");
    backend.set_level(LogLevel::off);
    logger.error("three");
  });
  EXPECT_THAT(out, HasSubstr("two"));
  EXPECT_THAT(out, testing::Not(HasSubstr("one")));
  EXPECT_THAT(out, testing::Not(HasSubstr("three")));
}

}  // namespace
}  // namespace peal::runtime
