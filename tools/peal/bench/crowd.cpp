#include "bench/crowd.hpp"

#include "bench/client/stamp.hpp"
#include "json_text.hpp"
#include "signals.hpp"

namespace peal::cli {
namespace {

constexpr auto kGatherTimeout = std::chrono::seconds(30);  // without any progress
constexpr std::uint64_t kPortsOfAnAddress = 20'000;
constexpr std::uint64_t kSubscribeId = 1;

}  // namespace

Crowd::Crowd(const BenchPlan& plan, std::vector<bench::Target> targets)
    : plan_(plan), targets_(std::move(targets)), loop_(*this) {}

Outcome<void> Crowd::gather(std::uint64_t subscribers, std::uint64_t publishers, Console& console) {
  subscribers_ = subscribers;
  wanted_ = subscribers + publishers;
  members_.reserve(wanted_);
  std::uint64_t seen = 0;
  std::uint64_t moved_at = bench::steady_ns();
  std::uint64_t shown_at = 0;
  while (ready_ + failures_ < wanted_ && !interrupted()) {
    open_more();
    loop_.turn(std::chrono::milliseconds(100), interrupt_fd());
    const std::uint64_t now = bench::steady_ns();
    if (ready_ + failures_ != seen) {
      seen = ready_ + failures_;
      moved_at = now;
    }
    if (failures_ > 0 && ready_ == 0) {
      return unreachable("no connection: " + last_failure_);
    }
    if (now - moved_at >
        static_cast<std::uint64_t>(std::chrono::nanoseconds(kGatherTimeout).count())) {
      return unreachable("only " + grouped(ready_) + " of " + grouped(wanted_) +
                         " connections came to be within their time");
    }
    if (now - shown_at > 100'000'000) {
      shown_at = now;
      console.progress("connecting " + grouped(ready_) + " of " + grouped(wanted_));
    }
  }
  console.progress("");
  return {};
}

void Crowd::open_more() {
  while (begun_ < wanted_ && begun_ - ready_ - failures_ < plan_.at_once) {
    const auto& target = targets_[begun_ % targets_.size()];
    const auto source =
        static_cast<unsigned>(wanted_ > kPortsOfAnAddress ? 1 + begun_ / kPortsOfAnAddress : 0);
    auto id = loop_.connect(target, source);
    if (!id) {
      ++begun_;
      failed(id.error().message);
      continue;
    }
    Member member;
    member.id = *id;
    member.speaks_only = begun_ >= subscribers_;
    member.began_ns = bench::steady_ns();
    // A connection that got no id leaves no gap: ids count the successful ones.
    members_.push_back(member);
    ++begun_;
  }
}

void Crowd::on_open(bench::ClientId id) {
  Member& member = members_[id];
  if (!plan_.key.empty()) {
    loop_.send(id, connect_command(plan_.key));
  }
  if (member.speaks_only) {
    became_ready(member);
  } else {
    loop_.send(id, subscribe_command(kSubscribeId, channel_name(plan_, id % plan_.channels)));
  }
}

void Crowd::became_ready(Member& member) {
  member.ready = true;
  ++ready_;
  ready_times_.add(bench::steady_ns() - member.began_ns);
}

void Crowd::on_text(bench::ClientId id, std::string_view text) {
  Member& member = members_[id];
  if (member.ready) {
    if (on_text_hook) {
      on_text_hook(id, text);
    }
    return;
  }
  const JsonObject reply(text);
  if (reply.has("error") || reply.text("event") == "error") {
    const JsonObject error = reply.has("error") ? reply.object("error") : reply;
    failed(error.text("code") + ": " + error.text("message"));
    member.ready = true;  // counted: what comes later is no second answer
    loop_.drop(id);
  } else if (reply.number("id") == kSubscribeId) {
    became_ready(member);
  }
}

void Crowd::failed(std::string_view why) {
  ++failures_;
  last_failure_ = why;
}

void Crowd::on_closed(bench::ClientId id, int code, std::string_view why) {
  Member& member = members_[id];
  if (!member.ready) {
    member.ready = true;
    failed(why.empty() ? "closed with " + std::to_string(code) : why);
  } else if (on_closed_hook) {
    on_closed_hook(id, code, why);
  }
}

}  // namespace peal::cli
