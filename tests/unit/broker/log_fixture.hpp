#pragma once
// A log with a clock of the test's own, and short words for appending and reading.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/log.hpp"

namespace peal::broker::test {

inline const Epoch kEpoch = *Epoch::parse("Epoch001");
inline const Epoch kNext = *Epoch::parse("Epoch002");

class LogFixture : public testing::Test {
 protected:
  using Mode = bus::ReadRequest::Mode;
  using Status = bus::Published::Status;

  explicit LogFixture(const ChannelOptions& chosen) : options(chosen) {}
  static ChannelOptions keeping(std::size_t length) {
    ChannelOptions options;
    options.recoverable = true;
    options.history_length_max = length;
    options.history_age_max = std::chrono::seconds(10);
    return options;
  }
  static bus::PublishRequest request(std::string_view payload, std::string_view key = {}) {
    bus::PublishRequest made;
    made.publication.payload = payload;
    made.publication.key = key;
    return made;
  }
  static bus::PublishRequest deletion(std::string_view key = {}) {
    bus::PublishRequest made = request({}, key);
    made.publication.kind = Kind::deletion;
    return made;
  }
  bus::Published append(std::string_view payload, std::string_view key = {}) {
    return log.append(request(payload, key), now);
  }
  ErrorCode refusal(const bus::PublishRequest& request) {
    const bus::Published outcome = log.append(request, now, kNext);
    EXPECT_EQ(outcome.status, Status::refused);
    return outcome.error ? outcome.error->code : ErrorCode{};
  }
  bus::ReadRequest reading(Mode mode, std::uint64_t after) const {
    bus::ReadRequest wanted;
    wanted.mode = mode;
    wanted.after = {after};
    return wanted;
  }
  /// Payloads, and which range the page covers: "bc 1..3".
  std::string read(Mode mode, std::uint64_t after, std::size_t limit = 100,
                   std::size_t bytes = 1000) {
    bus::ReadRequest wanted = reading(mode, after);
    wanted.limit = limit;
    wanted.bytes = bytes;
    page = log.read(wanted, publications, now);
    std::string text;
    for (const auto& publication : page.publications)
      text += publication.payload;
    return text + ' ' + std::to_string(page.after.value) + ".." + std::to_string(page.to.value);
  }
  bool covered(std::uint64_t since) {
    bus::ReadRequest wanted = reading(Mode::forward, since);
    wanted.epoch = log.epoch();
    return !log.read(wanted, publications, now).error;
  }

  Limits limits;
  TimePoint now{std::chrono::hours(1)};
  const ChannelOptions options;
  Log log{kEpoch, options, limits};
  bus::Page page;
  std::vector<PublicationView> publications;
};

}  // namespace peal::broker::test
