#pragma once
// A question to every gateway of a cluster, and what was found: sessions are closed wherever they
// are, sessions and subscriptions are counted. Whoever asks says how long it waits. Nothing is
// promised about those that don't answer in time, so every answer says how many were asked, how
// many have answered, and who did not. Rare, so these own their texts.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "peal/proto/close_code.hpp"
#include "peal/proto/result.hpp"

namespace peal::bus {

struct ClusterQuery {
  enum class What : std::uint8_t { disconnect_session = 1, disconnect_user = 2, count = 3 };
  What what = What::count;
  // disconnect_…
  std::string who;  ///< the session's id, or the user
  CloseCode code = CloseCode::disconnected;
  std::string reason;  ///< told to the client; at most kReasonBytesMax
  // count
  std::vector<std::string> channels;  ///< globs of those to list; none: no channel is listed
  std::string after;                  ///< only names above this one
  std::size_t limit = 1000;           ///< of the channels listed
  std::chrono::milliseconds within{1000};

  static constexpr std::size_t kReasonBytesMax = 123;  ///< what a Close frame holds
  static constexpr std::size_t kGlobsMax = 100;
  static constexpr std::size_t kLimitMax = 1000;
  static constexpr std::chrono::milliseconds kWithinMax{60'000};
};

/// What one gateway has found, or all of them together.
struct ClusterAnswer {
  struct ChannelCount {
    std::string name;
    std::uint64_t subscribers = 0;
    friend bool operator==(const ChannelCount&, const ChannelCount&) = default;
  };
  struct Missing {
    std::string node;
    std::string why;  ///< "did not within 1 s"
    friend bool operator==(const Missing&, const Missing&) = default;
  };
  std::optional<Error> error;  ///< nobody was asked; of one gateway: it can't say
  std::uint64_t disconnected = 0;
  std::uint64_t sessions = 0;
  std::uint64_t subscriptions = 0;
  /// In name order. With `more` those up to the last of these are whole, and there are others.
  std::vector<ChannelCount> channels;
  bool more = false;
  std::uint64_t asked = 0;
  std::uint64_t answered = 0;
  std::vector<Missing> missing;  ///< as many as there is room for; asked - answered are missing
};

inline ClusterAnswer failed_answer(Error why) {
  ClusterAnswer answer;
  answer.error = std::move(why);
  return answer;
}

/// Called once, on a thread of the other side: return soon.
using ClusterDone = std::function<void(const ClusterAnswer&)>;
/// Answers for this process, now or later, from any thread. Called on a thread of the bus.
using ClusterHandler = std::function<void(const ClusterQuery&, ClusterDone)>;

}  // namespace peal::bus
