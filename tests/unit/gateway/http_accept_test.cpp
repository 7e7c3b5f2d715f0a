#include "http/accept.hpp"

#include <gtest/gtest.h>

#include "http/query.hpp"

namespace peal::gateway::http {
namespace {

TEST(Accept, WeighsByQualityThenByExactness) {
  const char* browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
  EXPECT_EQ(wish_for(browser, "text/html"), (Wish{1000, 3}));
  EXPECT_EQ(wish_for(browser, "application/json"), (Wish{800, 1}));
  EXPECT_EQ(wish_for("", "image/png"), (Wish{1000, 0}));
  EXPECT_EQ(wish_for("image/*;q=0.25", "image/png"), (Wish{250, 2}));
  EXPECT_EQ(wish_for("image/*;q=0.25", "imagex/png").quality, 0U);
  EXPECT_EQ(wish_for("image/*, image/png;q=0", "image/png").quality, 0U) << "the exact one counts";
  EXPECT_EQ(wish_for("Application/JSON; charset=utf-8; Q=1.000", "application/json"),
            (Wish{1000, 3}));
  EXPECT_LT(wish_for("*/*", "a/b"), wish_for("a/b", "a/b"));
}

TEST(Accept, PassesOverWhatItCannotRead) {
  for (const char* broken : {"json", "/", "a/", "/b", "text/html;q=2", "text/html;q=1.1",
                             "text/html;q=x", "text/html;q=0.1234", ";;;", ", ,"})
    EXPECT_EQ(wish_for(broken, "text/html"), (Wish{1000, 0})) << broken;
  EXPECT_EQ(wish_for("text/html;q=x, text/plain", "text/html").quality, 0U);
}

TEST(Accept, SaysWhatIsWantedFirst) {
  EXPECT_TRUE(named_first("text/event-stream", "text/event-stream"));
  EXPECT_TRUE(named_first("text/event-stream, */*", "text/event-stream"));
  EXPECT_TRUE(named_first("*/*;q=0.1, text/event-stream;q=0.5", "text/event-stream"));
  EXPECT_FALSE(named_first("application/json, text/event-stream", "text/event-stream"));
  EXPECT_FALSE(named_first("text/event-stream;q=0", "text/event-stream"));
  EXPECT_FALSE(named_first("*/*", "text/event-stream"));
  EXPECT_FALSE(named_first("", "text/event-stream"));
}

TEST(Query, GivesTheFirstOfAName) {
  EXPECT_EQ(query_value("a=1&b=%412&a=3", "a"), "1");
  EXPECT_EQ(query_value("a=1&b=%412&a=3", "b"), "A2");
  EXPECT_EQ(query_value("%61=1", "a"), "1");
  EXPECT_EQ(query_value("state", "state"), "");
  EXPECT_EQ(query_value("&&state=&", "state"), "");
  EXPECT_EQ(query_value("a=x=y", "a"), "x=y");
  EXPECT_EQ(query_value("ab=1", "a"), std::nullopt);
  EXPECT_EQ(query_value("a=%4", "a"), std::nullopt);
  EXPECT_EQ(query_value("", "a"), std::nullopt);
}

}  // namespace
}  // namespace peal::gateway::http
