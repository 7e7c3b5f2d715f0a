#include "peal/runtime/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "config_value.hpp"

namespace peal::runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Action = LoadedConfig::Action;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Rule {
  std::string pattern;
  std::string publish = "nobody";
};

struct Settings {
  std::string listen = "127.0.0.1:8420";
  bool insecure = false;
  std::size_t bytes_max = 64 * 1024;
  milliseconds drain_time{10'000};
  seconds age{300};
  std::vector<std::string> connect = {"tcp://127.0.0.1:8422"};
  std::string secret_key;
  std::map<std::string, std::string> keys;
  std::vector<Rule> rules;
  std::vector<std::string> allow;
  Limits limits;
};

void describe_all(ConfigSchema& schema, Settings& s) {
  schema.field("listen", s.listen, "where to listen");
  schema.field("insecure", s.insecure, "allow plain tcp");
  schema.field("queue.bytes_max", s.bytes_max, "queue");
  schema.field("drain_time", s.drain_time, "drain");
  schema.field("history.age", s.age, "age");
  schema.field("bus.connect", s.connect, "brokers");
  schema.field("curve.secret_key", s.secret_key, "secret", ConfigSchema::Visibility::secret);
  schema.table("keys", s.keys, "named keys", ConfigSchema::Visibility::secret);
  schema.array(
      "channels",
      [&s](ConfigSchema& entry) {
        Rule& rule = s.rules.emplace_back();
        entry.field("pattern", rule.pattern, "glob");
        entry.field("publish", rule.publish, "who");
      },
      "channel rules");
  schema.flag("--allow", s.allow, "a pattern that anyone may use");
  describe(schema, s.limits);
}

class ConfigTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::temp_directory_path() / ("peal-config-test-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override {
    for (const std::string& name : variables_)
      unsetenv(name.c_str());
    std::filesystem::remove_all(folder_);
  }

  std::string file(const std::string& text) {
    const auto path = folder_ / "peal.toml";
    std::ofstream(path) << text;
    return path;
  }
  void variable(const std::string& name, const std::string& value) {
    variables_.push_back(name);
    setenv(name.c_str(), value.c_str(), 1);
  }
  LoadedConfig load(const std::vector<std::string>& arguments,
                    const std::function<Result<void>()>& validate = {}) {
    settings_ = {};
    ConfigSchema schema;
    describe_all(schema, settings_);
    return load_config(schema, "peal-test", "a test", arguments, validate);
  }
  LoadedConfig load_file(const std::string& text) { return load({"--config", file(text)}); }
  void expect_error(const LoadedConfig& loaded, const std::string& text) {
    EXPECT_EQ(loaded.action, Action::exit);
    EXPECT_EQ(loaded.exit_code, 2);
    EXPECT_THAT(loaded.output, HasSubstr(text));
  }

  std::filesystem::path folder_;
  std::vector<std::string> variables_;
  Settings settings_;
};

TEST_F(ConfigTest, WithoutAnythingTheDefaultsHold) {
  EXPECT_EQ(load({}).action, Action::run);
  EXPECT_EQ(settings_.listen, "127.0.0.1:8420");
  EXPECT_EQ(settings_.limits.json_depth_max, 1024U);
}

TEST_F(ConfigTest, TheFileTheEnvironmentAndTheFlagsFollowEachOther) {
  const std::string path = file(
      "listen = \"a:1\"\ninsecure = true\ndrain_time = \"2m\"\n[queue]\nbytes_max = \"1MiB\"\n");
  ASSERT_EQ(load({"--config", path}).action, Action::run);
  EXPECT_EQ(settings_.listen, "a:1");
  EXPECT_TRUE(settings_.insecure);
  EXPECT_EQ(settings_.drain_time, milliseconds(120'000));
  EXPECT_EQ(settings_.bytes_max, 1024U * 1024U);

  variable("PEAL_LISTEN", "b:2");
  variable("PEAL_QUEUE_BYTES_MAX", "77");
  variable("PEAL_INSECURE", "false");
  ASSERT_EQ(load({"--config=" + path}).action, Action::run);
  EXPECT_EQ(settings_.listen, "b:2");
  EXPECT_EQ(settings_.bytes_max, 77U);
  EXPECT_FALSE(settings_.insecure);

  ASSERT_EQ(load({"--listen", "c:3", "--insecure", "--config", path}).action, Action::run);
  EXPECT_EQ(settings_.listen, "c:3");
  EXPECT_EQ(settings_.bytes_max, 77U);
  EXPECT_TRUE(settings_.insecure);
}

TEST_F(ConfigTest, TheFileMayBeNamedByTheEnvironment) {
  variable("PEAL_CONFIG", file("listen = \"a:1\"\n"));
  ASSERT_EQ(load({}).action, Action::run);
  EXPECT_EQ(settings_.listen, "a:1");
}

TEST_F(ConfigTest, ListsComeFromEverySource) {
  ASSERT_EQ(load_file("bus.connect = [\"tcp://a:1\", \"tcp://b:1\"]").action, Action::run);
  EXPECT_THAT(settings_.connect, ElementsAre("tcp://a:1", "tcp://b:1"));
  ASSERT_EQ(load({"--bus-connect", "x", "--bus-connect=y", "--allow", "demo:*"}).action,
            Action::run);
  EXPECT_THAT(settings_.connect, ElementsAre("x", "y"));
  EXPECT_THAT(settings_.allow, ElementsAre("demo:*"));
  variable("PEAL_BUS_CONNECT", "p,q");
  ASSERT_EQ(load({}).action, Action::run);
  EXPECT_THAT(settings_.connect, ElementsAre("p", "q"));
}

TEST_F(ConfigTest, TablesAndArraysOfTablesAreRead) {
  ASSERT_EQ(load_file("[keys]\nbackend = \"s3cret\"\n\"a.b\" = \"x\"\n"
                      "[[channels]]\npattern = \"demo:*\"\npublish = \"anyone\"\n"
                      "[[channels]]\npattern = \"*\"\n")
                .action,
            Action::run);
  EXPECT_EQ(settings_.keys.at("backend"), "s3cret");
  EXPECT_EQ(settings_.keys.at("a.b"), "x");
  ASSERT_EQ(settings_.rules.size(), 2U);
  EXPECT_EQ(settings_.rules[0].pattern, "demo:*");
  EXPECT_EQ(settings_.rules[0].publish, "anyone");
  EXPECT_EQ(settings_.rules[1].publish, "nobody");
  EXPECT_EQ(load_file("channels = []\n").action, Action::run);
}

TEST_F(ConfigTest, AKeyOfATableMayComeFromTheEnvironment) {
  variable("PEAL_KEYS_BACKEND", "from-env");
  ASSERT_EQ(load({}).action, Action::run);
  EXPECT_EQ(settings_.keys.at("backend"), "from-env");
}

TEST_F(ConfigTest, AnUnknownKeyIsRefusedWithTheNearestOneAndItsLine) {
  expect_error(load_file("insecure = true\n\n[limits]\nmesage_bytes_max = 1\n"),
               "peal.toml:4: limits.mesage_bytes_max is no key; did you mean "
               "limits.message_bytes_max?");
  expect_error(load_file("[qeue]\nbytes_max = 1\n"),
               ":2: qeue.bytes_max is no key; did you mean "
               "queue.bytes_max?");
  expect_error(load_file("zzzzzzzz = 1\n"), ":1: zzzzzzzz is no key; --help lists them all");
  expect_error(load_file("[[chanels]]\npattern = \"x\"\n"),
               ":1: [[chanels]] is no key; did you mean channels?");
  expect_error(load_file("[[channels]]\npattern = \"x\"\npubilsh = \"anyone\"\n"),
               ":3: pubilsh is no key; did you mean publish?");
}

TEST_F(ConfigTest, UnknownFlagsAndVariablesAreRefusedLikewise) {
  expect_error(load({"--lisen", "x"}), "--lisen is no flag; did you mean --listen?");
  expect_error(load({"--frobnicate=1"}), "--frobnicate is no flag; --help lists them all");
  expect_error(load({"serve"}), "\"serve\" is no flag");
  expect_error(load({"--listen"}), "--listen needs a value");
  variable("PEAL_LISTN", "x");
  expect_error(load({}), "PEAL_LISTN is no variable; did you mean PEAL_LISTEN?");
}

TEST_F(ConfigTest, AVariableOfSomebodyElseIsOnlyToldOf) {
  variable("PEAL_PORT_8420_TCP_ADDR", "10.0.0.1");
  const auto loaded = load({});
  EXPECT_EQ(loaded.action, Action::run);
  EXPECT_THAT(loaded.warnings, ElementsAre(HasSubstr("PEAL_PORT_8420_TCP_ADDR")));
}

TEST_F(ConfigTest, WrongTypesAndValuesNameTheLineAndWhatIsTaken) {
  expect_error(load_file("listen = 8420\n"), ":1: listen takes a string, not a number");
  expect_error(load_file("insecure = \"yes\"\n"), "insecure takes true or false, not a string");
  expect_error(load_file("drain_time = 10\n"), "drain_time takes a duration");
  expect_error(load_file("drain_time = \"10 s\"\n"), ":1: drain_time: \"10 s\" is not a duration");
  expect_error(load_file("queue.bytes_max = -1\n"), "\"-1\" is not a number or size");
  expect_error(load_file("queue.bytes_max = 1.5\n"), "\"1.5\" is not a number or size");
  expect_error(load_file("history.age = \"10ms\"\n"), "whole seconds");
  expect_error(load_file("bus.connect = [1]\n"), "a list of strings, not a list of something else");
  expect_error(load_file("keys.a = 1\n"), "keys.a takes a string");
  expect_error(load_file("listen = 1979-05-27\n"), "not a date or time");
  expect_error(load({"--drain-time", "soon"}), "--drain-time: \"soon\" is not a duration");
  expect_error(load({"--insecure=maybe"}), "--insecure: \"maybe\" is not true or false");
}

TEST_F(ConfigTest, EveryMistakeIsToldAtOnce) {
  const auto loaded = load_file("lisen = \"x\"\ninsecure = 3\n");
  expect_error(loaded, ":1: lisen");
  expect_error(loaded, ":2: insecure");
}

TEST_F(ConfigTest, BrokenTomlNamesTheLine) {
  expect_error(load_file("listen = \"a\"\nlisten =\n"), "peal.toml:2: ");
  expect_error(load_file("a = 1\na = 2\n"), "peal.toml:2: ");
}

TEST_F(ConfigTest, FilesThatCannotBeReadAreNamedWithTheReason) {
  expect_error(load({"--config", "/nonexistent/peal.toml"}),
               "cannot read /nonexistent/peal.toml: No such file or directory");
  expect_error(load({"--config", folder_.string()}), "it is a folder");
}

TEST_F(ConfigTest, PrintConfigMasksSecretsAndCanBeReadBack) {
  const std::string path = file(
      "curve.secret_key = \"abcdef\"\n[keys]\nbackend = \"s3cret\"\n"
      "[[channels]]\npattern = \"demo:\\\"*\"\n[[channels]]\npattern = \"second\"\n");
  const auto printed = load({"--config", path, "--print-config", "--listen", "x:1"});
  EXPECT_EQ(printed.action, Action::exit);
  EXPECT_EQ(printed.exit_code, 0);
  EXPECT_THAT(printed.output, Not(HasSubstr("abcdef")));
  EXPECT_THAT(printed.output, Not(HasSubstr("s3cret")));
  EXPECT_THAT(printed.output, HasSubstr("secret_key = \"********\""));
  EXPECT_THAT(printed.output, HasSubstr("listen = \"x:1\""));
  EXPECT_THAT(printed.output, HasSubstr("bytes_max = \"64KiB\""));
  ASSERT_EQ(load_file(printed.output).action, Action::run) << printed.output;
  EXPECT_EQ(settings_.listen, "x:1");
  EXPECT_EQ(settings_.bytes_max, 64U * 1024U);
  ASSERT_EQ(settings_.rules.size(), 2U);
  EXPECT_EQ(settings_.rules[0].pattern, "demo:\"*");
  EXPECT_EQ(settings_.rules[1].pattern, "second");
}

TEST_F(ConfigTest, ValuesToCompareHaveSecretsAsTheyAre) {
  Settings settings;
  ConfigSchema schema;
  describe_all(schema, settings);
  settings.secret_key = "abcdef";
  const auto values = schema.values();
  EXPECT_EQ(values.at("curve.secret_key"), "\"abcdef\"");
  EXPECT_EQ(values.at("queue.bytes_max"), "\"64KiB\"");
  EXPECT_EQ(values.count("keys"), 0U);
}

TEST_F(ConfigTest, AWrongSecretIsNotRepeated) {
  EXPECT_THAT(load_file("curve.secret_key = 12345\n").output, Not(HasSubstr("12345")));
}

TEST_F(ConfigTest, CheckConfigHelpAndVersionLeave) {
  const auto checked = load({"--check-config"});
  EXPECT_EQ(checked.exit_code, 0);
  EXPECT_THAT(checked.output, HasSubstr("valid"));
  expect_error(load({"--check-config", "--config", "/nonexistent"}), "cannot read");
  const auto help = load({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* text :
       {"--listen TEXT", "where to listen [\"127.0.0.1:8420\"]", "--allow", "[[channels]]",
        "[keys]", "--print-config", "--limits-message-bytes-max SIZE"}) {
    EXPECT_THAT(help.output, HasSubstr(text));
  }
  EXPECT_THAT(load({"--version"}).output, testing::MatchesRegex("peal-test [0-9.]+\n"));
}

TEST_F(ConfigTest, AKeyBelongsToOneComponent) {
  ConfigSchema schema;
  std::string first;
  bool second = false;
  schema.field("name", first, "one");
  EXPECT_THROW(schema.field("name", second, "two"), std::logic_error);
}

TEST_F(ConfigTest, MistakesAreToldInTheOrderOfTheFile) {
  const std::string output = load_file("zebra = 1\napple = 2\n").output;
  EXPECT_LT(output.find(":1: zebra"), output.find(":2: apple"));
}

TEST_F(ConfigTest, ValidationIsTheLastWord) {
  const auto refuse = [] { return fail(ErrorCode::config_invalid, "tls.key is missing"); };
  expect_error(load({}, refuse), "peal-test: tls.key is missing");
  expect_error(load({"--check-config"}, refuse), "tls.key is missing");
}

TEST(LimitsConfigTest, ZeroIsRefusedWhereItMeansNothing) {
  Limits limits;
  EXPECT_TRUE(validate(limits));
  limits.commands_per_second_max = 0;
  EXPECT_TRUE(validate(limits));
  limits.message_bytes_max = 0;
  ASSERT_TRUE(validate(limits).has_error());
  EXPECT_EQ(validate(limits).error().message, "limits.message_bytes_max cannot be 0");
}

TEST(LimitsConfigTest, AHeaderIsNotLargerThanTheHttpMachineTakes) {
  Limits limits;
  limits.header_bytes_max = 32 * 1024;
  EXPECT_TRUE(validate(limits));
  ++limits.header_bytes_max;
  ASSERT_TRUE(validate(limits).has_error());
  EXPECT_EQ(validate(limits).error().message, "limits.header_bytes_max cannot be above 32 KiB");
}

TEST(LimitsConfigTest, NoLimitIsAboveWhatASessionsCountersHold) {
  for (const auto target :
       {&Limits::commands_pending_max, &Limits::control_frames_per_second_max}) {
    Limits limits;
    limits.*target = 65'535;
    EXPECT_TRUE(validate(limits));
    limits.*target = 65'536;
    EXPECT_TRUE(validate(limits).has_error());
  }
  Limits limits;
  limits.queue_bytes_max = std::size_t{5} << 30U;
  ASSERT_TRUE(validate(limits).has_error());
  EXPECT_EQ(validate(limits).error().message, "limits.queue_bytes_max cannot be above 1 GiB");
}

TEST(ConfigValueTest, Sizes) {
  EXPECT_EQ(parse_size("0"), 0U);
  EXPECT_EQ(parse_size("512KiB"), 524288U);
  EXPECT_EQ(parse_size("2GiB"), 2147483648U);
  EXPECT_EQ(parse_size("3MB"), 3000000U);
  for (const char* text :
       {"", "KiB", "-1", "1.5", "1 KiB", "1kib", "99999999999999999999", "17179869184GiB"}) {
    EXPECT_EQ(parse_size(text), std::nullopt) << text;
  }
}

TEST(ConfigValueTest, SizesOfBytesAreShownInTheLargestUnit) {
  EXPECT_EQ(format_size(0, true), "0");
  EXPECT_EQ(format_size(1000, true), "1000");
  EXPECT_EQ(format_size(512 * 1024, true), "\"512KiB\"");
  EXPECT_EQ(format_size(1024 * 1024, true), "\"1MiB\"");
  EXPECT_EQ(format_size(std::size_t{3} << 30U, true), "\"3GiB\"");
  EXPECT_EQ(format_size(1024, false), "1024");
}

TEST(ConfigValueTest, Durations) {
  EXPECT_EQ(parse_duration("250ms"), milliseconds(250));
  EXPECT_EQ(parse_duration("30d"), milliseconds(2'592'000'000));
  EXPECT_EQ(parse_duration("0"), milliseconds(0));
  for (const char* text : {"", "10", "s", "-1s", "1w", "4000d", "99999999999999999999s"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
  for (const int ms : {0, 1, 999, 1000, 60'000, 90'000, 3'600'000, 86'400'000}) {
    const std::string text = format_duration(milliseconds(ms));
    EXPECT_EQ(parse_duration(text.substr(1, text.size() - 2)), milliseconds(ms)) << text;
  }
}

TEST(ConfigValueTest, DistancesCountASwapOnce) {
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("listen", "lisetn"), 1U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(nearest("listne", {"listen", "limits"}), "listen");
  EXPECT_EQ(nearest("qqqqqq", {"listen", "limits"}), "");
}

}  // namespace
}  // namespace peal::runtime
