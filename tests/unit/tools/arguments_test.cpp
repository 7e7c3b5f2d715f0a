#include "arguments.hpp"

#include <gtest/gtest.h>

namespace peal::cli {
namespace {

struct Line {
  std::string channel, text;
  std::vector<std::string> urls;
  std::uint64_t count = 0;
  double rate = 0;
  std::chrono::milliseconds time{0};
  bool once = false;
  Arguments arguments;

  Line() {
    arguments.word("CHANNEL", channel, "where");
    arguments.word("TEXT", text, "what", false);
    arguments.option("--count", "N", count, "how many");
    arguments.option("--rate", "N", rate, "how fast");
    arguments.option("--time", "TIME", time, "how long");
    arguments.option("--url", "URL", urls, "where to");
    arguments.flag("--once", once, "one time");
    arguments.example("peal x", "an example");
  }
  std::string why(const std::vector<std::string>& words) {
    auto parsed = arguments.parse(words);
    EXPECT_FALSE(parsed);
    EXPECT_EQ(parsed.error().exit, Exit::usage);
    return parsed.error().message;
  }
};

TEST(Arguments, options_and_words_come_in_any_order) {
  Line line;
  ASSERT_TRUE(line.arguments.parse({"--count", "3", "a", "--once", "--time=250ms", "b", "--url",
                                    "x", "--url=y", "--rate", "0.5"}));
  EXPECT_EQ(line.channel, "a");
  EXPECT_EQ(line.text, "b");
  EXPECT_EQ(line.count, 3u);
  EXPECT_EQ(line.rate, 0.5);
  EXPECT_EQ(line.time, std::chrono::milliseconds(250));
  EXPECT_EQ(line.urls, (std::vector<std::string>{"x", "y"}));
  EXPECT_TRUE(line.once);
}

TEST(Arguments, a_lone_dash_and_negative_numbers_are_words) {
  Line line;
  ASSERT_TRUE(line.arguments.parse({"-", "-5.2"}));
  EXPECT_EQ(line.channel, "-");
  EXPECT_EQ(line.text, "-5.2");
}

TEST(Arguments, behind_two_dashes_everything_is_a_word) {
  Line line;
  ASSERT_TRUE(line.arguments.parse({"--", "--count", "--help"}));
  EXPECT_EQ(line.channel, "--count");
  EXPECT_EQ(line.text, "--help");
  EXPECT_FALSE(line.arguments.help_wanted());
}

TEST(Arguments, what_is_wrong_is_named) {
  EXPECT_EQ(Line().why({}), "missing CHANNEL");
  EXPECT_EQ(Line().why({"a", "b", "c"}), "one word too many: 'c'");
  EXPECT_EQ(Line().why({"a", "--cuont", "3"}), "unknown option --cuont; did you mean --count?");
  EXPECT_EQ(Line().why({"a", "--count"}), "--count needs a value: --count N");
  EXPECT_EQ(Line().why({"a", "--count", "-3"}), "'-3' is not a value for --count N");
  EXPECT_EQ(Line().why({"a", "--count=3x"}), "'3x' is not a value for --count N");
  EXPECT_EQ(Line().why({"a", "--once=yes"}), "--once takes no value");
  EXPECT_EQ(Line().why({"a", "--xyzzyxyzzy"}), "unknown option --xyzzyxyzzy");
}

TEST(Arguments, the_rest_takes_all_words_that_are_left) {
  Arguments arguments;
  std::vector<std::string> channels;
  arguments.rest("CHANNEL", channels, "which");
  ASSERT_TRUE(arguments.parse({"a", "b", "c"}));
  EXPECT_EQ(channels.size(), 3u);
  EXPECT_FALSE(arguments.parse({}));
}

TEST(Arguments, help_shows_usage_options_and_examples) {
  Line line;
  ASSERT_TRUE(line.arguments.parse({"a", "--help", "--nonsense"}));
  EXPECT_TRUE(line.arguments.help_wanted());
  const std::string help = line.arguments.help("x", "Does it.");
  for (const char* part : {"Does it.", "Usage: peal x CHANNEL [TEXT] [options]", "--count N",
                           "# an example", "peal x\n"}) {
    EXPECT_NE(help.find(part), std::string::npos) << part;
  }
}

TEST(Duration, takes_units_and_counts_seconds_without_one) {
  std::chrono::milliseconds out{0};
  for (const auto& [text, ms] : {std::pair<const char*, int>{"250ms", 250},
                                 {"2s", 2000},
                                 {"1.5m", 90'000},
                                 {"1h", 3'600'000},
                                 {"3", 3000},
                                 {"0", 0}}) {
    EXPECT_TRUE(parse_duration(text, out)) << text;
    EXPECT_EQ(out.count(), ms) << text;
  }
  for (const char* text : {"", "s", "-1s", "1x", "1e300d", "nan"}) {
    EXPECT_FALSE(parse_duration(text, out)) << text;
  }
}

TEST(NearestName, is_given_only_when_it_is_near) {
  const std::vector<std::string> names{"publish", "subscribe", "stats"};
  EXPECT_EQ(nearest_name("pubish", names), "publish");
  EXPECT_EQ(nearest_name("stat", names), "stats");
  EXPECT_EQ(nearest_name("explode", names), "");
}

}  // namespace
}  // namespace peal::cli
