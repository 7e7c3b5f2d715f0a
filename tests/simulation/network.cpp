#include "network.hpp"

#include <algorithm>

namespace peal::simulation {
namespace {

using namespace std::chrono_literals;

constexpr Duration kConnectTimeout = 3s;
constexpr Duration kSynAgain = 500ms;
/// There and back within what is waited for an answer to a ping (settings.cpp).
constexpr Duration kDelayMax = 900ms;

}  // namespace

std::size_t Line::room(int end) const {
  const End& other = ends_[1 - end];
  return other.unread >= window_ ? 0 : window_ - other.unread;
}

void Line::send(int end, Parcel parcel) {
  if (!sendable(end)) return;
  move(1 - end, Moving::What::parcel, std::move(parcel));
}

void Line::move(int to, Moving::What what, Parcel parcel) {
  End& end = ends_[to];
  World& world = network_.world();
  const Time arrives = std::max(end.last_arrival, world.now() + network_.delay());
  end.last_arrival = arrives;
  end.unread += weight(parcel);
  end.coming.push_back({what, arrives, std::move(parcel)});
  world.at(arrives, [line = shared_from_this(), to] { line->pump_to(to); });
}

void Line::release(int from) {
  End& end = ends_[1 - from];
  if (end.coming.empty()) return;
  World& world = network_.world();
  // Retransmissions are spaced out: the longer it was held, the later the next one.
  const Time first = world.now() + world.between(1ms, 400ms);
  for (Moving& moving : end.coming)
    moving.arrives = std::max(moving.arrives, first);
  end.last_arrival = std::max(end.last_arrival, first);
  world.at(end.last_arrival, [line = shared_from_this(), from] { line->pump_to(1 - from); });
  world.at(first, [line = shared_from_this(), from] { line->pump_to(1 - from); });
}

void Line::pump_to(int to) {
  const LinePtr self = shared_from_this();
  while (!ends_[to].coming.empty()) {
    End& end = ends_[to];
    if (end.coming.front().arrives > network_.world().now()) return;
    if (network_.held(*ends_[1 - to].machine, *end.machine)) return;
    Moving moving = std::move(end.coming.front());
    end.coming.pop_front();
    arrive(to, std::move(moving));
  }
}

void Line::arrive(int to, Moving moving) {
  End& end = ends_[to];
  const bool nobody = end.closed || end.dead;
  if (nobody || end.reset) {
    end.unread -= weight(moving.parcel);
    // Who sends to a socket that isn't there is told so, by a machine that is.
    if (nobody && moving.what == Moving::What::parcel && end.machine->up && !ends_[1 - to].reset)
      move(1 - to, Moving::What::reset, {});
    return;
  }
  switch (moving.what) {
    case Moving::What::parcel:
      end.inbox.push_back(std::move(moving.parcel));
      break;
    case Moving::What::end:
      end.ended = true;
      break;
    case Moving::What::reset:
      end.reset = true;
      for (const Parcel& parcel : end.inbox)
        end.unread -= weight(parcel);
      end.inbox.clear();
      break;
  }
  changed(to);
}

void Line::changed(int end) {
  if (ends_[end].closed || ends_[end].dead || !ends_[end].call) return;
  const auto call = ends_[end].call;  // it may be replaced meanwhile
  call();
}

void Line::finish(int end) {
  if (ends_[end].finished || ends_[end].dead) return;
  ends_[end].finished = true;
  if (!ends_[end].reset) move(1 - end, Moving::What::end, {});
}

void Line::close(int end) {
  finish(end);
  ends_[end].closed = true;
  ends_[end].call = nullptr;
}

void Line::kill(int end, bool silent) {
  if (ends_[end].closed || ends_[end].dead) return;
  ends_[end].dead = ends_[end].finished = true;
  ends_[end].call = nullptr;
  if (!silent && !ends_[end].reset) move(1 - end, Moving::What::reset, {});
}

Parcel Line::take(int end) {
  Parcel parcel = std::move(ends_[end].inbox.front());
  ends_[end].inbox.pop_front();
  ends_[end].unread -= weight(parcel);
  return parcel;
}

std::string Line::take_bytes(int end, std::size_t size) {
  End& at = ends_[end];
  const bool was_full = at.unread >= window_;
  std::string bytes;
  while (!at.inbox.empty() && bytes.size() < size) {
    std::string& first = at.inbox.front().body;
    const std::size_t some = std::min(first.size(), size - bytes.size());
    bytes.append(first, 0, some);
    first.erase(0, some);
    if (first.empty()) at.inbox.pop_front();
  }
  at.unread -= bytes.size();
  if (was_full && at.unread < window_)
    network_.world().after(network_.delay(),
                           [line = shared_from_this(), end] { line->changed(1 - end); });
  return bytes;
}

Duration Network::delay() {
  const Duration usual = world_.between(delay_min, delay_max);
  return world_.one_in(200) ? std::min<Duration>(usual * 10, kDelayMax) : usual;
}

void Network::connect(Machine& from, Machine& to, Line::Measure measure, std::size_t window,
                      std::function<void(LinePtr)> then) {
  auto line = std::make_shared<Line>(*this, from, to, measure, window);
  if (lines_.size() > 64)
    std::erase_if(lines_, [](const std::weak_ptr<Line>& each) { return each.expired(); });
  lines_.push_back(line);
  try_connect(from, to, std::move(line), world_.now() + kConnectTimeout, std::move(then));
}

void Network::try_connect(Machine& from, Machine& to, LinePtr line, Time until,
                          std::function<void(LinePtr)> then) {
  world_.after(
      delay(), [this, &from, &to, line = std::move(line), until, then = std::move(then)]() mutable {
        if (held(from, to) || held(to, from) || !to.up) {
          if (world_.now() >= until) return then(nullptr);
          world_.after(kSynAgain, [this, &from, &to, line = std::move(line), until,
                                   then = std::move(then)]() mutable {
            try_connect(from, to, std::move(line), until, std::move(then));
          });
          return;
        }
        const auto listener = listeners_.find(to.number);
        if (listener == listeners_.end()) {
          world_.after(delay(), [then = std::move(then)] { then(nullptr); });
          return;
        }
        listener->second(line);
        world_.after(delay(), [line = std::move(line), then = std::move(then)] { then(line); });
      });
}

template <class Each>
void Network::each_line(Each&& each) {
  const std::vector<std::weak_ptr<Line>> lines = lines_;
  for (const auto& weak : lines)
    if (const LinePtr line = weak.lock()) each(*line);
}

void Network::kill_lines(const Machine& machine, bool silent) {
  each_line([&](Line& line) {
    for (const int end : {0, 1})
      if (&line.machine(end) == &machine) line.kill(end, silent);
  });
}

void Network::cut(const Machine& a, const Machine& b) {
  each_line([&](Line& line) {
    const bool between = (&line.machine(0) == &a && &line.machine(1) == &b) ||
                         (&line.machine(0) == &b && &line.machine(1) == &a);
    if (between) line.cut();
  });
}

void Network::hold(const Machine& from, const Machine& to) {
  held_.insert({from.number, to.number});
}

void Network::release(const Machine& from, const Machine& to) {
  if (held_.erase({from.number, to.number}) == 0) return;
  each_line([&](Line& line) {
    for (const int end : {0, 1})
      if (&line.machine(end) == &from && &line.machine(1 - end) == &to) line.release(end);
  });
}

void Network::release_all() {
  const auto held = std::exchange(held_, {});
  each_line([&](Line& line) {
    for (const int end : {0, 1})
      if (held.contains({line.machine(end).number, line.machine(1 - end).number}))
        line.release(end);
  });
}

}  // namespace peal::simulation
