#pragma once
// Which channels are wanted, and where they are subscribed. Redis answers SUBSCRIBE and UNSUBSCRIBE
// of a connection in order, one push each; what comes unasked (sunsubscribe, when a slot moves) is
// told from that. A channel counts as subscribed only by the answer to its latest SUBSCRIBE. Pure:
// what is to be said to a link, and what the owner is to be told, leaves by Actions; those to the
// owner may call subscribe() and unsubscribe().

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "peal/redis/reply.hpp"
#include "redis/verdict.hpp"

namespace peal::redis {

class Subscriptions {
 public:
  using LinkId = std::uint32_t;  ///< 0: none
  struct Actions {
    /// The link that listens to a slot's master.
    std::function<LinkId(std::uint16_t slot)> home;
    std::function<void(LinkId, const std::vector<std::string>& args)> say;
    std::function<void(std::string_view channel)> subscribed, broken;
    std::function<void(std::string_view channel, std::string_view payload)> message;
  };

  Subscriptions(bool sharded, Actions actions) : sharded_(sharded), actions_(std::move(actions)) {}

  void subscribe(std::string_view channel);
  void unsubscribe(std::string_view channel);

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
  };
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
  Verdict on_error(LinkId link, const Reply& reply, std::string_view host);
  void on_confirmed(LinkId link, const std::string& channel);
  Verdict on_left(LinkId link, const std::string& channel);

  bool sharded_;
  Actions actions_;
  Entries entries_{};
  std::unordered_map<LinkId, std::deque<Asked>> asked_{};
  std::uint64_t turn_ = 0;
};

}  // namespace peal::redis
