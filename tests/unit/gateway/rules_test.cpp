#include "peal/gateway/rules.hpp"

#include <gtest/gtest.h>

#include "session/authenticator.hpp"

namespace peal::gateway {
namespace {

ChannelRule rule(std::string pattern, std::string subscribe, std::string publish) {
  ChannelRule made;
  made.pattern = std::move(pattern);
  made.subscribe = std::move(subscribe);
  made.publish = std::move(publish);
  return made;
}

std::string refusal(const ChannelRule& one) {
  const auto made = ChannelRules::make({rule("first", "anyone", "anyone"), one}, {"app"});
  return made.has_error() ? made.error().message : "";
}

TEST(ChannelRules, LetNobodyInWithoutARule) {
  const auto rules = *ChannelRules::make({}, {});
  const auto error = rules->may_subscribe({}, "room");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::permission_denied);
  EXPECT_NE(error->message.find("no channel rule matches"), std::string::npos);
  EXPECT_TRUE(rules->may_publish({}, "room"));
  EXPECT_EQ(rules->find("room"), nullptr);
}

TEST(ChannelRules, TakeTheFirstThatMatches) {
  const auto rules =
      *ChannelRules::make({rule("news:secret", "nobody", "nobody"),
                           rule("news:*", "anyone", "key:app"), rule("*", "key:app", "nobody")},
                          {"app"});
  const Principal anonymous;
  const Principal app{"", {"other", "app"}};
  EXPECT_TRUE(rules->may_subscribe(app, "news:secret"));
  EXPECT_FALSE(rules->may_subscribe(anonymous, "news:x"));
  EXPECT_TRUE(rules->may_publish(anonymous, "news:x"));
  EXPECT_FALSE(rules->may_publish(app, "news:x"));
  EXPECT_FALSE(rules->may_subscribe(app, "else"));
  EXPECT_NE(rules->may_subscribe(anonymous, "else")->message.find("the key \"app\""),
            std::string::npos);
  EXPECT_NE(
      rules->may_publish(app, "else")->message.find("the channel rule \"*\" lets nobody publish"),
      std::string::npos);
  EXPECT_EQ(rules->find("news:x")->pattern, "news:*");
}

TEST(ChannelRules, NameTheRuleAndFieldThatIsWrong) {
  EXPECT_EQ(refusal(rule("a", "anyone", "key:app")), "");
  EXPECT_NE(
      refusal(rule("a", "everyone", "anyone")).find("number 2 (\"a\"): subscribe is \"everyone\""),
      std::string::npos);
  EXPECT_NE(refusal(rule("a", "anyone", "key:")).find("publish"), std::string::npos);
  EXPECT_NE(refusal(rule("a", "anyone", "key:ap")).find("not in [keys]"), std::string::npos);
  EXPECT_NE(refusal(rule("", "anyone", "anyone")).find("pattern is missing"), std::string::npos);
  auto both = rule("a", "anyone", "anyone");
  both.recoverable = true;
  both.slow_consumer = SlowConsumerPolicy::drop_oldest;
  EXPECT_NE(refusal(both).find("slow_consumer"), std::string::npos);
}

using Keys = std::map<std::string, std::string>;

TEST(Authenticator, AddsTheNameOfAKeyThatWasShown) {
  const Authenticator keys(Keys{{"app", "s3cret"}, {"other", "t0ken"}, {"unset", ""}});
  const auto app = *keys.authenticate({}, "s3cret");
  EXPECT_EQ(app->key_names, (std::vector<std::string>{"app"}));
  const auto both = *keys.authenticate(*app, "t0ken");
  EXPECT_EQ(both->key_names, (std::vector<std::string>{"app", "other"}));
  EXPECT_EQ((*keys.authenticate(*both, "t0ken"))->key_names.size(), 2U);
  for (const std::string_view wrong : {"", "s3cre", "s3crett", "S3cret", "s3crets3cret"}) {
    ASSERT_TRUE(keys.authenticate({}, wrong).has_error()) << wrong;
    EXPECT_EQ(keys.authenticate({}, wrong).error().code, ErrorCode::token_invalid);
  }
}

TEST(Authenticator, ReadsBearerTokens) {
  const Authenticator keys(Keys{{"app", "s3cret"}});
  EXPECT_TRUE((*keys.authorize(""))->key_names.empty());
  EXPECT_EQ((*keys.authorize("bearer  s3cret"))->key_names.size(), 1U);
  EXPECT_TRUE(keys.authorize("Bearer nope").has_error());
  EXPECT_TRUE(keys.authorize("Basic s3cret").has_error());
  EXPECT_TRUE(keys.authorize("Bearer").has_error());
}

TEST(Authenticator, ComparesWholeSecrets) {
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abcabc"));
  EXPECT_FALSE(equal_in_constant_time("", "a"));
  EXPECT_FALSE(equal_in_constant_time("a", ""));
  EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
}

}  // namespace
}  // namespace peal::gateway
