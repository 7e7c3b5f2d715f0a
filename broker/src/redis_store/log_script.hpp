#pragma once
// How the store speaks with log.lua: where a channel's keys are, what a call is given, what its
// reply and what it publishes mean. Pure. Bytes that Redis returns are never trusted to have a
// form: what can't be read is nothing.
//   keys     := prefix "{p" n "}:" letter ":" channel      letters: log.lua's KEYS, "c": where it
//               publishes; n = hash(channel) mod partitions
//   message  := told*
//   told     := "b" epoch top " " floor "\n"                an epoch begins, with this head
//             | "a" epoch before " " offset " " texts       appended; `before`: the top until then
//             | "e" texts                                   ephemeral: in no log
//   texts    := size " " size " " size "\n" key others payload
// `others` is all else of a publication, as the disk's rows have it.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peal/broker/channel_options.hpp"
#include "peal/bus/bus_port.hpp"
#include "peal/proto/limits.hpp"
#include "peal/redis/reply.hpp"

namespace peal::redis_store {

class KeySpace {
 public:
  KeySpace(std::string prefix, std::size_t partitions);

  std::size_t partitions() const { return partitions_; }
  /// Any name with the partition's tag, which decides the slot in a Cluster.
  std::string route(std::string_view channel) const { return route(partition_of(channel)); }
  std::string route(std::size_t partition) const;
  std::size_t partition_of(std::string_view channel) const;
  std::vector<std::string> keys(std::string_view channel) const;
  /// What messages of the channel are published on, and back.
  std::string told_on(std::string_view channel) const;
  std::string_view channel_of(std::string_view told_on) const;
  /// Where the number of partitions is kept.
  std::string layout_key() const { return prefix_ + "layout"; }
  /// What begins the names that are of no channel.
  std::string cluster_route() const { return prefix_ + "{cluster}:"; }

 private:
  std::string key(char letter, std::string_view channel) const;

  std::string prefix_;
  std::size_t partitions_;
};

/// What each call has beside its operation.
struct Frame {
  const KeySpace& keys;
  std::string_view channel;
  const broker::ChannelOptions& options;
  const Limits& limits;
  std::string_view publish_verb;
  std::string time;  ///< milliseconds, or "+n": Redis's own and n
  Epoch fresh;       ///< begun with when there is no log
  bool keeps_over_restart = false;
};

std::string_view log_script();
/// EVALSHA with all keys and arguments; with an empty `sha`, EVAL with the script.
std::vector<std::string> call(const Frame& frame, std::string_view operation, std::string_view sha);
/// Where such a call wants the config epoch and the run id.
inline constexpr std::size_t kMastershipAt = 11;
/// Where it wants "1" if that master is known to keep what it acknowledged over a restart.
inline constexpr std::size_t kKeepsAt = 13;
/// And where any by EVALSHA wants the hash.
inline constexpr std::size_t kShaAt = 1;

/// Appends to a call of "append"; `fresh` is the epoch that a `replace` begins.
void add_publish(std::vector<std::string>& args, const bus::PublishRequest& request,
                 const Epoch& fresh);
/// Completes a call of "read", or one of "end": the epoch that can't be vouched for ends.
void add_read(std::vector<std::string>& args, const bus::ReadRequest& request);
void add_end(std::vector<std::string>& args, const Epoch& epoch);

struct Standing {
  Head head;
  std::uint64_t end_byte = 0;
};
/// Of "head" and "end".
std::optional<Standing> standing_of(const redis::Reply& reply);
struct Outcome {
  bus::Published published;  ///< its id is the caller's
  Epoch epoch;               ///< of the log, at that moment
};
std::optional<std::vector<Outcome>> outcomes_of(const redis::Reply& reply);
/// `publications` borrow from the reply and are what the page shows.
std::optional<bus::Page> page_of(const redis::Reply& reply,
                                 std::vector<PublicationView>& publications);

struct Told {
  enum class What : std::uint8_t { begun, appended, ephemeral } what = What::begun;
  Head head{};                    ///< begun
  Epoch epoch{};                  ///< appended
  Offset before{};                ///< appended
  PublicationView publication{};  ///< borrows from the message
};
/// False when the rest of the message can't be read.
bool each_told(std::string_view message, const std::function<void(const Told&)>& tell);
std::string ephemeral_message(const PublicationView& publication);

}  // namespace peal::redis_store
