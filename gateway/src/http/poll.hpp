#pragma once
// One long-poll: a request about several channels that is answered when something has come on one
// of them. It follows each channel and reads, from where the client stands, only what moved; of
// channels that keep no log it gathers what is published meanwhile. It answers once nothing is
// being read any more: with all that there is at that moment, or, when its time is over, with
// nothing. Held by the request's connection and by what it waits for; its shard's thread only.
//   opened -> waiting <-> reading -> due -> answered; gone at any time

#include <memory>
#include <string>
#include <vector>

#include "http/desk.hpp"
#include "http/stream_request.hpp"
#include "session/follower.hpp"
#include "session/json_protocol.hpp"

namespace peal::gateway::http {

class Poll final : public Waiter, public std::enable_shared_from_this<Poll> {
 public:
  /// `desk` and `protocol` outlive it.
  Poll(Desk& desk, JsonProtocol& protocol, Call call, StreamRequest request);
  ~Poll() override;
  void open();

  void on_due() override;
  void on_gone() override;

 private:
  /// One channel.
  struct Leg final : Follower {
    void on_position(const std::optional<Position>& now) override;
    void on_publication(const PublicationView& publication) override;
    void on_refused(const Error& error) override;

    Poll* poll = nullptr;
    FollowId follow = 0;
    std::uint32_t place = 0;  ///< among the request's channels
    bool told = false;        ///< something has been heard of it
    bool reading = false;
    bool given = false;  ///< the answer has its share
  };

  const StreamOrder::Channel& channel(const Leg& leg) const {
    return request_.order.channels[leg.place];
  }
  void add(const Push& push);
  void first_heard(Leg& leg, const std::optional<Position>& now);
  void moved(Leg& leg, const Position& now);
  void read(Leg& leg);
  void take(Leg& leg, const bus::Page& page);
  /// Answers soon, when that is due and nothing is being read.
  void settle();
  bool due() const;
  void answer();
  void let_go();

  Desk& desk_;
  JsonProtocol& protocol_;
  Call call_;
  StreamRequest request_;
  StreamCursor cursor_;
  std::vector<Leg> legs_;
  std::string events_;
  std::optional<Error> failure_;
  std::uint32_t unheard_ = 0;  ///< legs that nothing has been heard of
  std::uint32_t reading_ = 0;
  bool opening_ = true;
  bool over_ = false;  ///< the time is
  bool settling_ = false;
  bool done_ = false;
};

}  // namespace peal::gateway::http
