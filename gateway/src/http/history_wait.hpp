#pragma once
// GET /channels/{name}?since=…&wait=…: a page of history at once or as soon as there is something,
// or the empty page when the time is over. Waits that ask for the same page read it in the same
// turn, so one read of the core serves them and their answers are equal, byte for byte; where the
// rule says `public` a shared cache may keep them. Held by the request's connection and by its
// read; its shard's thread only.

#include <memory>
#include <string>

#include "http/desk.hpp"
#include "session/follower.hpp"
#include "session/json_protocol.hpp"

namespace peal::gateway::http {

class HistoryWait final : public Waiter,
                          public Follower,
                          public std::enable_shared_from_this<HistoryWait> {
 public:
  /// `desk` and `protocol` outlive it; the request's channel is not used but `channel`.
  HistoryWait(Desk& desk, JsonProtocol& protocol, Call call, std::string channel,
              const bus::ReadRequest& request);
  void open(std::chrono::milliseconds wait);

  void on_due() override { read(); }
  void on_gone() override;
  void on_position(const std::optional<Position>& now) override;
  void on_publication(const PublicationView&) override {}
  void on_refused(const Error& error) override;

 private:
  void read();
  void let_go();
  std::string cache_control(const bus::Page& page) const;

  Desk& desk_;
  JsonProtocol& protocol_;
  Call call_;
  const std::string channel_;
  bus::ReadRequest request_;
  FollowId follow_ = 0;
  bool done_ = false;  ///< it waits no longer
};

}  // namespace peal::gateway::http
