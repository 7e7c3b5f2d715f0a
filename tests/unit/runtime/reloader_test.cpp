#include "peal/runtime/reloader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "log_capture.hpp"
#include "peal/runtime/replaceable.hpp"

namespace peal::runtime {
namespace {

using testing::HasSubstr;

const Settings kBefore{{"listen", "\"a\""},
                       {"shards", "1"},
                       {"tls.certificate", "\"x\""},
                       {"limits.message_bytes_max", "1"}};

TEST(Reload, NamesWhatOnlyARestartChanges) {
  EXPECT_TRUE(keys_for_a_restart(kBefore, kBefore, {}).empty());
  Settings after = kBefore;
  after["shards"] = "2";
  after["tls.certificate"] = "\"y\"";
  after["limits.message_bytes_max"] = "2";
  EXPECT_EQ(keys_for_a_restart(kBefore, after, {"tls.certificate"}),
            (std::vector<std::string>{"limits.message_bytes_max", "shards"}));
}

class Reloads : public testing::Test {
 protected:
  bool reload(const LoadedConfig& loaded, const Settings& settings, const Result<void>& applied) {
    return reloader.reload(
        [&](Settings& read) {
          read = settings;
          return loaded;
        },
        [&] {
          ++asked;
          return applied;
        });
  }
  std::shared_ptr<test::LogCapture> log = std::make_shared<test::LogCapture>();
  ProbeRegistry probes;
  Reloader reloader{{kBefore, {"tls.certificate"}, "rules"}, Logger(log), probes};
  int asked = 0;
};

TEST_F(Reloads, KeepTheOldWhenAnythingIsWrongAndSayWhy) {
  LoadedConfig wrong;
  wrong.action = LoadedConfig::Action::exit;
  wrong.output = "file.toml:3: no such key";
  EXPECT_FALSE(reload(wrong, kBefore, {}));
  EXPECT_EQ(asked, 0);
  EXPECT_TRUE(log->said("file.toml:3"));
  EXPECT_THAT(probes.text(), HasSubstr("peal_reload_refused 1"));
  EXPECT_FALSE(reload({}, kBefore, fail(ErrorCode::config_invalid, "no such certificate")));
  EXPECT_TRUE(log->said("no such certificate"));
  EXPECT_TRUE(reload({}, kBefore, {}));
  EXPECT_THAT(probes.text(), HasSubstr("peal_reload_refused 0"));
  EXPECT_THAT(probes.text(), HasSubstr("peal_reloads_total 1"));
  EXPECT_TRUE(log->said("reloaded: rules"));
}

TEST_F(Reloads, NameKeysAndNeverTheirValues) {
  Settings after = kBefore;
  after["shards"] = "\"a secret\"";
  EXPECT_TRUE(reload({}, after, {}));
  EXPECT_TRUE(log->said("shards"));
  EXPECT_FALSE(log->said("a secret"));
}

TEST(Replaceable, IsReadWholeWhileItIsReplaced) {
  Replaceable<std::vector<int>> value(std::vector<int>(100, 0));
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop) {
      const auto& seen = value.get();
      ASSERT_EQ(std::ranges::count(seen, seen.front()), 100);
    }
  });
  for (int i = 1; i < 500; ++i)
    value.replace(std::vector<int>(100, i));
  stop = true;
  reader.join();
  EXPECT_EQ(value.get().front(), 499);
}

}  // namespace
}  // namespace peal::runtime
