#include "peal/bus/peer_link.hpp"

#include <algorithm>
#include <array>

namespace peal::bus {
namespace {

using wire::LinkClass;
constexpr std::array kClasses = {LinkClass::control, LinkClass::live, LinkClass::history};

/// An eighth of the credit consumed and untold is worth a message of its own.
constexpr std::uint64_t kReportShare = 8;

std::string named(const wire::Hello& hello) {
  return hello.node + " of cluster " + hello.cluster;
}

std::string versions(const wire::Hello& hello) {
  return std::to_string(hello.version_min) + "-" + std::to_string(hello.version_max);
}

/// As many names as a person reads.
std::string listed(const std::vector<std::string>& names) {
  if (names.empty()) return "no list of brokers";
  std::string list = "the brokers";
  for (const std::string& name : names)
    list += (name == names.front() ? " " : ", ") + name;
  constexpr std::size_t kReadable = 400;
  return list.size() <= kReadable ? list : list.substr(0, kReadable) + "…";
}

std::string seconds(std::chrono::milliseconds time) {
  return std::to_string(static_cast<double>(time.count()) / 1000.0).substr(0, 4) + " s";
}

/// Who is there is not the one that was to be there.
bool misses(const wire::Hello& who, const wire::Hello& there) {
  return !who.wanted.empty() && (who.wanted != there.node || !there.broker);
}

}  // namespace

wire::Hello make_hello(std::string cluster, std::string node, std::uint64_t incarnation,
                       const Limits& limits) {
  wire::Hello hello;
  hello.cluster = std::move(cluster);
  hello.node = std::move(node);
  hello.incarnation = incarnation;
  hello.message_bytes_max = limits.message_bytes_max;
  hello.batch_bytes_max = limits.batch_bytes_max;
  hello.credit_bytes = limits.link_credit_bytes;
  hello.credit_messages = kLinkMessagesMax;
  return hello;
}

PeerLink::PeerLink(wire::Hello me, LinkOptions options, LinkTime now)
    : me_(std::move(me)), options_(options), last_turn_(now), last_heard_(now), last_sent_(now) {}

void PeerLink::end(Error why) {
  if (state_ == State::ended) return;
  state_ = State::ended;
  why_ = std::move(why);
}

void PeerLink::refuse(ErrorCode code, std::string message) {
  if (state_ == State::ended) return;
  refuse_ = true;
  end(fail(code, std::move(message)));
}

void PeerLink::on_garbage(const Error& error) {
  refuse(error.code, error.message);
}

void PeerLink::greet(const wire::Hello& hello) {
  peer_ = hello;
  if (hello.cluster != me_.cluster) {
    return refuse(ErrorCode::cluster_mismatch, named(me_) + " does not link with " + named(hello));
  }
  for (const auto& [seeker, found] : {std::pair(&hello, &me_), std::pair(&me_, &hello)}) {
    if (!misses(*seeker, *found)) continue;
    return refuse(ErrorCode::members_mismatch, found->node + " is not the broker " +
                                                   seeker->wanted + ", which " + seeker->node +
                                                   " was told to find there");
  }
  if (hello.members != me_.members) {
    return refuse(ErrorCode::members_mismatch, me_.node + " knows " + listed(me_.members) + "; " +
                                                   hello.node + " knows " + listed(hello.members));
  }
  if (hello.broker && me_.broker) {
    if (hello.node == me_.node)
      return refuse(ErrorCode::members_mismatch, "two brokers are named " + me_.node);
    if (hello.store != me_.store) {
      return refuse(ErrorCode::members_mismatch, me_.node + " keeps its logs in " + me_.store +
                                                     ", " + hello.node + " in " + hello.store +
                                                     ": store.driver differs");
    }
  }
  version_ = std::min(hello.version_max, me_.version_max);
  if (version_ < std::max(hello.version_min, me_.version_min)) {
    return refuse(ErrorCode::version_unsupported, me_.node + " speaks version " + versions(me_) +
                                                      ", " + hello.node + " speaks " +
                                                      versions(hello));
  }
  if (hello.credit_bytes == 0 || hello.credit_messages == 0) {
    return refuse(ErrorCode::command_invalid, hello.node + " grants no credit");
  }
  state_ = State::linked;
}

bool PeerLink::acknowledge(const wire::Stamp& stamp) {
  for (const LinkClass c : kClasses) {
    if (stamp.consumed[c] > sent_[c]) return false;
    acked_[c] = std::max(acked_[c], stamp.consumed[c]);
  }
  if (stamp.consumed_messages > messages_sent_) return false;
  messages_acked_ = std::max(messages_acked_, stamp.consumed_messages);
  return true;
}

PeerLink::Verdict PeerLink::on_message(const Arrival& arrival, LinkTime now) {
  Verdict verdict;
  if (state_ == State::ended) return verdict;
  if (arrival.refusal) {
    end(*arrival.refusal);
    return verdict;
  }
  standing_ = {arrival.stamp.not_ready, arrival.stamp.stood_in, arrival.stamp.view};
  if (state_ == State::greeting) {
    if (!arrival.hello) {
      refuse(ErrorCode::hello_required, me_.node + " does not know this link: say Hello");
      return verdict;
    }
    greet(*arrival.hello);
    verdict.linked_now = state_ == State::linked;
    last_heard_ = now;
    return verdict;
  }
  if (arrival.hello) {
    refuse(ErrorCode::command_invalid, "a second Hello on one link");
    return verdict;
  }
  last_heard_ = now;
  const wire::Stamp& stamp = arrival.stamp;
  if (!acknowledge(stamp) || stamp.number < expected_number_) {
    refuse(ErrorCode::command_invalid, "link numbers that were never sent");
    return verdict;
  }
  verdict.missing = stamp.number - expected_number_;
  expected_number_ = stamp.number + arrival.numbered;
  if (!arrival.operations) return verdict;
  ++messages_received_;
  for (const LinkClass c : kClasses) {
    // What is charged while there is credit may overshoot it once. Control is answers, which go
    // beyond by what one message asked for.
    const std::uint64_t allowed = me_.credit_bytes * (c == LinkClass::control ? 2 : 1);
    const bool beyond = stamp.bytes[c] != 0 && received_[c] > consumed_[c] + allowed;
    received_[c] += stamp.bytes[c];
    if (beyond) {
      refuse(ErrorCode::overloaded, peer_.node + " sends beyond limits.link_credit_bytes");
      return verdict;
    }
  }
  if (messages_received_ > messages_consumed_ + me_.credit_messages) {
    refuse(ErrorCode::overloaded, peer_.node + " sends more messages than it has credit for");
    return verdict;
  }
  verdict.take = true;
  return verdict;
}

void PeerLink::consumed(const wire::PerClass<std::uint32_t>& bytes) {
  ++messages_consumed_;
  for (const LinkClass c : kClasses)
    consumed_[c] += bytes[c];
}

void PeerLink::on_turn(LinkTime now) {
  const auto stalled = now - last_turn_;
  last_turn_ = now;
  if (state_ == State::ended) return;
  if (stalled > options_.dead_after) {
    // What is queued by now is too old to be carried out, and the other side has given us up.
    return refuse(ErrorCode::broker_unavailable,
                  me_.node + " itself stood still for more than " + seconds(options_.dead_after));
  }
  if (now - last_heard_ > options_.dead_after) {
    const std::string who = peer_.node.empty() ? "the other side" : peer_.node;
    refuse(ErrorCode::broker_unavailable,
           who + " was silent for more than " + seconds(options_.dead_after));
  }
}

bool PeerLink::has_credit(LinkClass c) const {
  return linked() && on_the_way(c) < peer_.credit_bytes;
}

void PeerLink::charge(LinkClass c, std::size_t bytes) {
  charged_[c] += bytes;
}

wire::Stamp PeerLink::stamp(const wire::PerClass<std::uint32_t>& bytes, std::uint32_t numbered,
                            bool operations, LinkTime now) {
  wire::Stamp stamp;
  stamp.number = next_number_;
  next_number_ += numbered;
  stamp.bytes = bytes;
  for (const LinkClass c : kClasses)
    sent_[c] += bytes[c];
  if (operations) ++messages_sent_;
  stamp.not_ready = mine_.not_ready;
  stamp.stood_in = mine_.stood_in;
  stamp.view = mine_.view;
  standing_due_ = false;
  stamp.consumed = reported_ = consumed_;
  stamp.consumed_messages = messages_reported_ = messages_consumed_;
  last_sent_ = now;
  return stamp;
}

void PeerLink::stand(const Standing& mine) {
  if (mine == mine_) return;
  mine_ = mine;
  standing_due_ = true;
}

bool PeerLink::report_due() const {
  if (!linked()) return false;
  if (standing_due_) return true;
  for (const LinkClass c : kClasses) {
    if (consumed_[c] - reported_[c] >= me_.credit_bytes / kReportShare) return true;
  }
  return messages_consumed_ - messages_reported_ >= me_.credit_messages / kReportShare;
}

}  // namespace peal::bus
