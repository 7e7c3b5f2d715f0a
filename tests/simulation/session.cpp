#include "session.hpp"

#include <algorithm>
#include <utility>

namespace peal::simulation {
namespace {

using namespace std::chrono_literals;
using gateway::websocket::Event;
using gateway::websocket::Opcode;

constexpr Duration kConnectTimeout = 5s, kCheckTimeout = 3s, kReplyTimeout = 6s;
constexpr Duration kRetryBase = 200ms, kRetryMax = 4s;
/// One and a half of the gateway's ping interval (settings.cpp).
constexpr Duration kSilence = 7500ms;
constexpr std::size_t kWindow = 32 * 1024;
constexpr std::string_view kRequest =
    "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:8420\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

}  // namespace

void Session::later(Duration time, std::function<void()> then) {
  world_.after(time, [this, then = std::move(then), life = life_, alive = alive_]() mutable {
    if (!*alive || life != life_) return;
    if (machine_.still()) return later(machine_.still_until + 1us - world_.now(), std::move(then));
    then();
  });
}

Session::~Session() {
  *alive_ = false;
  if (line_) line_->close(0);
}

void Session::start() {
  connect();
}

void Session::connect() {
  ++life_;
  state_ = State::connecting;
  gateway_ = gateways_[world_.below(gateways_.size())];
  network_.connect(machine_, *gateway_, Line::Measure::bytes, kWindow,
                   [this, life = life_, alive = alive_](LinePtr line) {
                     if (!*alive || life != life_) {
                       if (line) line->close(0);
                       return;
                     }
                     line ? opened(std::move(line)) : lose("nobody there");
                   });
  later(kConnectTimeout, [this] {
    if (state_ != State::connected) lose("not connected in time");
  });
}

void Session::opened(LinePtr line) {
  line_ = std::move(line);
  state_ = State::greeting;
  upgraded_ = false;
  in_.clear();
  out_ = kRequest;
  decoder_ = {};
  line_->on_change(0, [this] { on_change(); });
  flush();
}

void Session::on_change() {
  if (machine_.still()) {
    // It sleeps: what comes meanwhile is there when it wakes.
    return world_.at(machine_.still_until + 1us, [this, life = life_, alive = alive_] {
      if (*alive && life == life_ && line_) on_change();
    });
  }
  const LinePtr line = line_;
  read();
  if (line_ != line) return;
  if (line->reset(0) || line->ended(0)) return lose(line->reset(0) ? "reset" : "ended");
  flush();
}

void Session::read() {
  const LinePtr line = line_;
  in_ += line->take_bytes(0, kWindow);
  if (!upgraded_ && !read_head()) return;
  if (line_ == line) read_frames();
}

bool Session::read_head() {
  const std::size_t end = in_.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  if (!in_.starts_with("HTTP/1.1 101 ")) {
    lose(in_.substr(0, in_.find('\r')));
    return false;
  }
  in_.erase(0, end + 4);
  upgraded_ = true;
  greet();
  return true;
}

void Session::read_frames() {
  const std::uint64_t life = life_;
  std::string bytes = std::exchange(in_, {});
  std::span<char> input(bytes.data(), bytes.size());
  while (life == life_ && !input.empty()) {
    const Event event = decoder_.next(input, {1 << 20, 64}, false);
    if (event.kind == Event::Kind::need_more) break;
    heard();
    if (event.kind == Event::Kind::message) on_message(event.payload);
    if (event.kind == Event::Kind::ping) frame(Opcode::pong, event.payload);
    if (event.kind == Event::Kind::close || event.kind == Event::Kind::error)
      return lose("closed by the gateway: " + std::string(event.payload));
  }
  if (life == life_) in_.assign(input.data(), input.size());
}

void Session::on_message(std::string_view text) {
  const cli::JsonObject message(text);
  if (!message.has("id")) return owner_.on_push(message);
  const auto found = answers_.find(message.number("id"));
  if (found == answers_.end()) return;
  const Answer answer = std::move(found->second);
  answers_.erase(found);
  answer(&message);
}

void Session::greet() {
  send("connect", "{}", [this](const cli::JsonObject* reply) {
    if (reply == nullptr) return;
    if (reply->has("error")) return lose("not greeted");
    session_id_ = reply->object("result").text("session");
    state_ = State::connected;
    world_.tell(machine_.name, "connected to", gateway_->name, "as", session_id_);
    later(5s, [this] { failures_ = 0; });
    heard();
    owner_.on_connected();
  });
}

void Session::send(std::string_view action, const std::string& payload, Answer answer) {
  const std::uint64_t id = next_id_++;
  answers_.emplace(id, std::move(answer));
  frame(Opcode::text, "{\"id\":" + std::to_string(id) + ",\"action\":\"" + std::string(action) +
                          "\",\"payload\":" + payload + "}");
  later(kReplyTimeout, [this, id] {
    if (answers_.contains(id)) lose("no reply to a command");
  });
}

void Session::heard() {
  const std::uint64_t heard = ++heard_;
  later(kSilence, [this, heard] {
    if (heard == heard_ && state_ == State::connected) check();
  });
}

void Session::check() {
  const std::uint64_t heard = heard_;
  send("ping", "{}", [](const cli::JsonObject*) {});
  later(kCheckTimeout, [this, heard] {
    if (heard == heard_) lose("silence");
  });
}

void Session::drop() {
  ++life_;
  if (line_) line_->close(0);
  line_ = nullptr;
  state_ = State::waiting;
  in_.clear();
  out_.clear();
  for (const auto& [id, answer] : std::exchange(answers_, {}))
    answer(nullptr);
}

void Session::lose(std::string_view why) {
  lost_in_calm_ += calm_ ? 1 : 0;
  world_.tell(machine_.name, "loses its link:", why);
  drop();
  owner_.on_lost();
  const Duration most = std::min(kRetryMax, kRetryBase * (1 << std::min(failures_++, 10)));
  later(world_.between(Duration(0), most), [this] { connect(); });
}

void Session::leave(Duration away) {
  drop();
  owner_.on_lost();
  failures_ = 0;
  later(away, [this] { connect(); });
}

// A client's frame is masked; a mask of zeros is one.
void Session::frame(Opcode opcode, std::string_view payload) {
  out_ += static_cast<char>(0x80U | static_cast<unsigned>(opcode));
  if (payload.size() < 126) {
    out_ += static_cast<char>(0x80U | payload.size());
  } else {
    out_ += static_cast<char>(0x80U | 126U);
    out_ += static_cast<char>(payload.size() >> 8U);
    out_ += static_cast<char>(payload.size() & 0xffU);
  }
  out_.append(4, '\0');
  out_ += payload;
  flush();
}

void Session::flush() {
  if (!line_ || out_.empty() || machine_.still()) return;
  const std::size_t some = std::min(line_->room(0), out_.size());
  if (some == 0) return;
  line_->send(0, {{}, out_.substr(0, some)});
  out_.erase(0, some);
}

}  // namespace peal::simulation
