#pragma once
// Which channels are wanted, and where they are subscribed. Redis answers SUBSCRIBE and UNSUBSCRIBE
// of a connection in order, one push each; what comes unasked (sunsubscribe, when a slot moves) is
// told from that. A topic is heard by SUBSCRIBE or PSUBSCRIBE, at one master or at each; a channel
// is by SSUBSCRIBE in a Cluster. A channel counts as subscribed only by the answer to its latest
// SUBSCRIBE. Pure: what is to be said to a link, and what the owner is to be told, leaves by
// Actions; those to the owner may call subscribe() and unsubscribe().

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "peal/redis/client.hpp"
#include "peal/redis/reply.hpp"
#include "redis/verdict.hpp"

namespace peal::redis {

class Subscriptions {
 public:
  using LinkId = std::uint32_t;  ///< 0: none
  struct Actions {
    /// The link that listens to a slot's master.
    std::function<LinkId(std::uint16_t slot)> home;
    /// All that listen.
    std::function<std::vector<LinkId>()> homes;
    std::function<void(LinkId, const std::vector<std::string>& args)> say;
    std::function<void(std::string_view channel)> subscribed, broken;
    std::function<void(std::string_view channel, std::string_view payload)> message;
    std::function<void(const Topic&)> listening, deaf;
    std::function<void(const Topic&, std::string_view channel, std::string_view payload)> heard;
  };

  Subscriptions(bool sharded, Actions actions) : sharded_(sharded), actions_(std::move(actions)) {}

  void subscribe(std::string_view channel);
  void unsubscribe(std::string_view channel);
  /// Twice is once.
  void listen(Topic topic);

  void on_deaf(LinkId link);
  /// A link listens, or slots have other masters: every channel goes where it belongs.
  void rehome();
  /// What a link's listening connection said. Where it wasn't a success: why not.
  Verdict on_push(LinkId link, const Reply& reply, std::string_view host);

  std::size_t size() const { return entries_.size(); }
  bool subscribed(std::string_view channel) const;

 private:
  struct Entry {
    std::uint16_t slot = 0;
    LinkId link = 0;         ///< where it was asked for; 0: nowhere
    std::uint64_t turn = 0;  ///< of its latest SUBSCRIBE
    bool confirmed = false;
  };
  struct Asked {
    bool subscribe = false;
    std::string channel{};
    std::uint64_t turn = 0;
    bool pattern = false;
  };
  struct Seat {
    std::uint64_t turn = 0;
    bool confirmed = false;
  };
  using Seats = std::map<LinkId, Seat>;
  using Topics = std::map<Topic, Seats>;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  using Entries = std::unordered_map<std::string, Entry, Hash, std::equal_to<>>;

  void ask(const std::string& channel, Entry& entry);
  void leave(const std::string& channel, LinkId link);
  /// It is subscribed nowhere any more.
  void lose(const std::string& channel);
  std::vector<std::string> channels_that(const std::function<bool(const Entry&)>& apply) const;
  void seat(const Topic& topic, Seats& seats);
  /// It is not heard there any more.
  void unseat(const Topic& topic, Seats& seats, LinkId link);
  /// The topic that was asked for in that turn; null: none.
  Topics::value_type* asked_in(LinkId link, std::uint64_t turn);
  Verdict on_error(LinkId link, const Reply& reply, std::string_view host);
  void on_said(LinkId link, bool pattern, const std::string& name, const std::string& channel,
               const std::string& payload);
  void on_confirmed(LinkId link, const std::string& channel, bool pattern);
  Verdict on_left(LinkId link, const std::string& channel);

  bool sharded_;
  Actions actions_;
  Entries entries_{};
  Topics topics_{};
  std::unordered_map<LinkId, std::deque<Asked>> asked_{};
  std::uint64_t turn_ = 0;
};

}  // namespace peal::redis
