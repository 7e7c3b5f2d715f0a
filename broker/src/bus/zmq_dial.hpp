#pragma once
// One broker as a process sees it that wants links with it: the socket, the link session of the
// moment, and when to try again. A session begins when the connection's handshake has succeeded and
// ends with it, with silence, with a refusal or with a stall of this loop; each session has a fresh
// socket, so nothing old can reach it. One thread's. What becomes of it is told to the owner, from
// within the calls.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "bus/zmq_probe.hpp"
#include "bus/zmq_session.hpp"
#include "bus/zmq_socket.hpp"
#include "peal/runtime/control.hpp"
#include "peal/runtime/logger.hpp"

namespace peal::bus {

class ZmqDial;

class DialOwner {
 public:
  virtual ~DialOwner() = default;
  /// What a new session says first.
  virtual wire::Hello hello(const ZmqDial& dial) = 0;
  virtual Standing standing(const ZmqDial& /*dial*/) { return {}; }
  virtual void on_linked(ZmqDial& dial) = 0;
  /// The session is over; what is unanswered on it is answered after this.
  virtual void on_lost(ZmqDial& dial, const Error& why) = 0;
  /// So many operations were lost on the way: heads are to be asked for.
  virtual void on_missed(ZmqDial& dial, std::uint64_t operations) = 0;
  virtual TurnResults& results(std::uint32_t port) = 0;
  virtual void deliver(ZmqDial& dial, std::uint32_t port, Alias alias, const Epoch& epoch,
                       const PublicationView& publication) = 0;
  /// Whether the port is to hear it.
  virtual bool on_head(ZmqDial& dial, std::uint32_t port, const HeadNotice& notice) = 0;
  virtual bool on_presence_event(ZmqDial& dial, std::uint32_t port, Alias alias) = 0;
  virtual ZmqQueries* queries() = 0;
  /// Before a message is carried out: what others have done with makes room for what it brings.
  virtual void make_room() {}
};

class ZmqDial final : private SessionOwner {
 public:
  struct Target {
    std::string name;  ///< that the broker must have; empty: any
    std::string endpoint;
  };
  ZmqDial(Target target, std::uint32_t index, std::uint32_t ports,
          const runtime::CurveConfig& curve, const Limits& limits, const runtime::Logger& logger,
          ZmqContext& context, ZmqBusProbe& probe, std::uint64_t seed, DialOwner& owner);

  /// Before anything else of a turn: a stall discards what is queued, a new attempt is due.
  void begin_turn(LinkTime now);
  /// What the socket says; true: there is more.
  bool hear(LinkTime now);
  void flush(LinkTime now) {
    if (session_) session_->flush(now);
  }
  /// Says goodbye.
  void close(LinkTime now);

  const Target& target() const { return target_; }
  std::uint32_t index() const { return index_; }
  bool linked() const { return session_ && session_->link().linked(); }
  /// Linked with a broker that serves.
  bool ready() const { return linked() && !standing().not_ready; }
  /// While linked.
  ZmqSession& session() { return *session_; }
  const ZmqSession& session() const { return *session_; }
  /// How the broker stands, while linked.
  const Standing& standing() const { return session_->link().standing(); }
  /// Differs from link to link of this dial; 0: not linked.
  std::uint32_t serial() const { return linked() ? serial_ : 0; }
  bool takes_commands() const { return linked() && session_->takes_commands(); }
  /// Grows with all that a look at this dial would show.
  std::uint64_t changes() const { return changes_; }
  /// Why there is no link.
  const std::string& trouble() const { return trouble_; }
  /// Whether an attempt has come to nothing.
  bool failed() const { return failed_; }

  bool pending() const { return socket_ && socket_->pending(); }
  int descriptor() const { return socket_ ? socket_->descriptor() : -1; }
  int monitor_descriptor() const { return socket_ ? socket_->monitor_descriptor() : -1; }
  /// How long nothing is due, at most `most`.
  std::chrono::milliseconds patience(LinkTime now, std::chrono::milliseconds most) const;

 private:
  // SessionOwner
  Sent send(wire::Message& message) override;
  TurnResults& results(std::uint32_t port) override { return owner_.results(port); }
  void deliver(std::uint32_t port, Alias alias, const Epoch& epoch,
               const PublicationView& publication) override {
    owner_.deliver(*this, port, alias, epoch, publication);
  }
  bool on_head(std::uint32_t port, const HeadNotice& notice) override {
    return owner_.on_head(*this, port, notice);
  }
  bool on_presence_event(std::uint32_t port, Alias alias) override {
    return owner_.on_presence_event(*this, port, alias);
  }
  ZmqQueries* queries() override { return owner_.queries(); }

  void open_socket(LinkTime now);
  void hear_events(LinkTime now);
  bool hear_messages(LinkTime now);
  void on_failure(const SocketEvent& event, LinkTime now);
  void on_verdict(const PeerLink::Verdict& verdict);
  void end_session(LinkTime now);
  bool may_complain(LinkTime now);

  const Target target_;
  const std::uint32_t index_;
  const std::uint32_t ports_;
  const runtime::CurveConfig& curve_;
  const Limits& limits_;
  const runtime::Logger& logger_;
  ZmqContext& context_;
  ZmqBusProbe& probe_;
  std::mt19937_64 random_;
  DialOwner& owner_;

  std::unique_ptr<ZmqSocket> socket_;
  std::unique_ptr<ZmqSession> session_;
  ZmqFrames frames_;
  std::uint32_t serial_ = 0;
  std::uint64_t changes_ = 0;
  bool failed_ = false;
  Standing seen_;  ///< how the broker stood at the last look
  LinkTime next_socket_{};
  LinkTime last_complaint_{};
  std::chrono::milliseconds pause_{0};  ///< before the next socket, after a refusal
  std::string trouble_ = "not connected yet";
};

}  // namespace peal::bus
