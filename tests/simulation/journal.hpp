#pragma once
// What clients saw of a run, in the lines that the system tests' checker reads
// (tests/system/swarm/journal.hpp). Publishers' lines come first when it is read.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "world.hpp"

namespace peal::simulation {

/// What an attempt to publish came to, as far as the publisher knows.
struct Attempt {
  std::uint64_t publisher = 0;
  std::uint64_t channel = 0;
  std::uint64_t number = 0;
  std::uint64_t sent = 0, done = 0;
  enum class Outcome : std::uint8_t {
    open,
    ok,
    duplicate,
    refused,
    unknown
  } outcome = Outcome::open;
  std::string epoch{};
  std::uint64_t offset = 0;
};

class Journal {
 public:
  explicit Journal(World& world) : world_(world) {}

  std::uint64_t now() const { return static_cast<std::uint64_t>(world_.age().count()); }
  void follows(std::uint64_t client, std::uint64_t channel, std::string_view epoch,
               std::uint64_t offset, bool told);
  void heard(std::uint64_t client, std::uint64_t channel, std::uint64_t publisher,
             std::uint64_t number, std::uint64_t offset);
  void stayed(std::uint64_t client, std::uint64_t channel);
  /// An attempt is written down once it is over.
  void attempted(const Attempt& attempt);

  std::string text() const { return published_ + heard_; }
  const std::vector<Attempt>& attempts() const { return attempts_; }
  /// From where a client has followed a channel since it was told last, or came first.
  struct Begun {
    Time when;
    std::string epoch;
  };
  using Follower = std::pair<std::uint64_t, std::uint64_t>;  ///< client, channel
  const std::map<Follower, Begun>& last_begun() const { return last_begun_; }
  std::uint64_t told() const { return told_; }
  const std::map<std::uint64_t, std::uint64_t>& told_by_channel() const { return told_by_channel_; }
  std::uint64_t deliveries() const { return deliveries_; }

 private:
  World& world_;
  std::string published_, heard_;
  std::vector<Attempt> attempts_;
  std::map<Follower, Begun> last_begun_;
  std::uint64_t told_ = 0, deliveries_ = 0;
  std::map<std::uint64_t, std::uint64_t> told_by_channel_;
};

}  // namespace peal::simulation
