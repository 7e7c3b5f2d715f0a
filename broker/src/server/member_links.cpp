#include "server/member_links.hpp"

#include <utility>

namespace peal::broker {

MemberLinks::MemberLinks(const std::vector<bus::BrokerAddress>& members, wire::Hello me,
                         runtime::CurveConfig curve, const Limits& limits,
                         const runtime::Logger& logger, std::uint64_t seed)
    : me_(std::move(me)),
      curve_(std::move(curve)),
      limits_(limits),
      logger_(logger),
      mine_(members.size(), bus::Standing{.not_ready = true, .stood_in = {}, .view = 0}) {
  for (const bus::BrokerAddress& member : members) {
    const auto index = static_cast<std::uint32_t>(dials_.size());
    bus::DialOwner& owner = *this;
    dials_.push_back(member.name == me_.node
                         ? nullptr
                         : std::make_unique<bus::ZmqDial>(
                               bus::ZmqDial::Target{member.name, member.endpoint}, index, 1, curve_,
                               limits_, logger_, context_, probe_, seed + index, owner));
  }
}

void MemberLinks::begin_turn(bus::LinkTime now) {
  for (const auto& dial : dials_)
    if (dial) dial->begin_turn(now);
}

bool MemberLinks::hear(bus::LinkTime now) {
  bool more = false;
  for (const auto& dial : dials_)
    if (dial) more = dial->hear(now) || more;
  return more;
}

void MemberLinks::end_turn(bus::LinkTime now) {
  for (const auto& dial : dials_)
    if (dial) dial->flush(now);
  const std::vector<bus::Published> outcomes(results_.outcomes().begin(),
                                             results_.outcomes().end());
  results_.reset();
  for (const bus::Published& outcome : outcomes) {
    const auto found = asked_.find(outcome.id);
    if (found == asked_.end()) continue;
    const LocalOutcome done = std::move(found->second);
    asked_.erase(found);
    done(outcome);
  }
}

void MemberLinks::close(bus::LinkTime now) {
  for (const auto& dial : dials_)
    if (dial) dial->close(now);
}

bool MemberLinks::pending() const {
  for (const auto& dial : dials_)
    if (dial && dial->pending()) return true;
  return false;
}

const std::vector<int>& MemberLinks::descriptors() {
  descriptors_.clear();
  for (const auto& dial : dials_) {
    if (!dial) continue;
    descriptors_.push_back(dial->descriptor());
    descriptors_.push_back(dial->monitor_descriptor());
  }
  return descriptors_;
}

std::chrono::milliseconds MemberLinks::patience(bus::LinkTime now,
                                                std::chrono::milliseconds most) const {
  for (const auto& dial : dials_)
    if (dial) most = dial->patience(now, most);
  return most;
}

std::optional<bus::Standing> MemberLinks::standing_of(std::size_t member) const {
  const auto& dial = dials_[member];
  return dial && dial->linked() ? std::optional(dial->standing()) : std::nullopt;
}

void MemberLinks::stand(std::size_t member, const bus::Standing& mine) {
  mine_[member] = mine;
  const auto& dial = dials_[member];
  if (dial && dial->linked()) dial->session().link().stand(mine);
}

std::optional<std::string> MemberLinks::quarrel() {
  return std::exchange(quarrel_, std::nullopt);
}

std::string MemberLinks::trouble_with(std::size_t member) const {
  const auto& dial = dials_[member];
  return dial ? dial->trouble() : std::string();
}

void MemberLinks::on_lost(bus::ZmqDial&, const Error& why) {
  if (why.code == ErrorCode::members_mismatch) quarrel_ = why.message;
}

void MemberLinks::publish(std::size_t member, const bus::PublishRequest& request,
                          LocalOutcome done) {
  const auto& dial = dials_[member];
  if (!dial || !dial->takes_commands()) {
    if (!done) return;
    return done(
        bus::refused_publish(0, fail(ErrorCode::broker_unavailable,
                                     "the broker that serves this channel can't be reached")));
  }
  bus::PublishRequest numbered = request;
  numbered.id = 0;
  if (done) {
    numbered.id = next_++;
    asked_.emplace(numbered.id, std::move(done));
  }
  dial->session().publish(0, numbered);
}

}  // namespace peal::broker
