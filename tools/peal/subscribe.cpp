#include <poll.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "bus_subscriber.hpp"
#include "control_target.hpp"
#include "json_text.hpp"
#include "peal/proto/channel_name.hpp"
#include "peal/proto/position.hpp"
#include "publication_printer.hpp"
#include "signals.hpp"
#include "verbs.hpp"
#include "ws_client.hpp"

namespace peal::cli {
namespace {

using std::chrono::milliseconds;

/// One channel, across connections: where it stands, so that a new connection asks for what was
/// missed.
struct Followed {
  std::string channel;
  std::string epoch;
  std::uint64_t offset = 0;
};

/// Speaks peal.json.v1 on one connection after the other.
class Follower final : public WsHandler {
 public:
  Follower(Console& console, PublicationPrinter& printer, const std::vector<std::string>& channels,
           std::string key)
      : console_(console), printer_(printer), key_(std::move(key)) {
    for (const auto& channel : channels) {
      followed_.push_back({channel, {}, 0});
    }
  }

  std::vector<std::string> on_open() override {
    std::vector<std::string> messages;
    JsonBuilder connect;
    if (!key_.empty()) {
      connect.text("token", key_);
    }
    connect.raw("client", JsonBuilder().text("name", "peal").text("version", PEAL_VERSION).str());
    messages.push_back(command(0, "connect", connect.str()));
    for (std::size_t i = 0; i < followed_.size(); ++i) {
      const Followed& followed = followed_[i];
      JsonBuilder payload;
      payload.text("channel", followed.channel);
      if (!followed.epoch.empty()) {
        payload.raw(
            "since",
            JsonBuilder().text("epoch", followed.epoch).number("offset", followed.offset).str());
      }
      messages.push_back(command(i + 1, "subscribe", payload.str()));
    }
    return messages;
  }

  Next on_message(std::string_view text) override {
    if (!reader_.validate(text)) {
      return Next::more;
    }
    const JsonObject object(text);
    if (object.has("id")) {
      return on_reply(object);
    }
    const std::string event = object.text("event");
    if (event == "message") {
      return on_publication(object);
    }
    if (event == "reset") {
      if (Followed* followed = find(object.text("channel"))) {
        followed->epoch = object.text("epoch");
        followed->offset = object.number("offset");
      }
      console_.note("peal: " + printable(object.text("channel")) +
                    ": its past is gone; going on from here");
    } else if (event == "unsubscribed" || event == "error") {
      console_.note("peal: " + object.text("code") + ": " + printable(object.text("message")));
      refused_ = Failure{Exit::refused, object.text("code"), object.text("message")};
      retry_ = object.boolean("temporary");
      return event == "unsubscribed" ? Next::close : Next::more;
    }
    return Next::more;
  }

  bool subscribed() const { return subscribed_ > 0; }
  bool retry() const { return retry_; }
  const Failure& refusal() const { return refused_; }
  void new_connection() {
    subscribed_ = 0;
    retry_ = false;
    refused_ = {};
  }

 private:
  /// Ids count from 1; connect takes the first.
  static std::string command(std::uint64_t number, std::string_view action,
                             std::string_view payload) {
    return JsonBuilder()
        .number("id", number + 1)
        .text("action", action)
        .raw("payload", payload)
        .str();
  }

  Followed* find(const std::string& channel) {
    const auto found =
        std::find_if(followed_.begin(), followed_.end(),
                     [&](const Followed& followed) { return followed.channel == channel; });
    return found == followed_.end() ? nullptr : &*found;
  }

  Next on_reply(const JsonObject& reply) {
    if (reply.has("error")) {
      const JsonObject error = reply.object("error");
      refused_ = Failure{Exit::refused, error.text("code"), error.text("message")};
      retry_ = error.boolean("temporary");
      return Next::close;
    }
    const std::uint64_t id = reply.number("id");
    if (id < 2 || id > followed_.size() + 1) {
      return Next::more;
    }
    ++subscribed_;
    Followed& followed = followed_[static_cast<std::size_t>(id - 2)];
    const JsonObject result = reply.object("result");
    followed.epoch = result.text("epoch");
    followed.offset = result.number("offset");
    if (result.has("recovered") && !result.boolean("recovered")) {
      console_.note("peal: " + printable(followed.channel) + ": what was missed cannot be had");
    }
    for (const JsonObject& publication : result.objects("publications")) {
      if (print(followed.channel, publication) == Next::close) {
        return Next::close;
      }
    }
    return Next::more;
  }

  Next on_publication(const JsonObject& push) {
    const std::string channel = push.text("channel");
    if (Followed* followed = find(channel); followed != nullptr && push.has("offset")) {
      followed->offset = push.number("offset");
    }
    return print(channel, push);
  }

  Next print(const std::string& channel, const JsonObject& publication) {
    printer_.print(channel, publication);
    return printer_.finished() ? Next::close : Next::more;
  }

  Console& console_;
  PublicationPrinter& printer_;
  std::string key_;
  std::vector<Followed> followed_;
  JsonReader reader_;
  std::size_t subscribed_ = 0;
  bool retry_ = false;
  Failure refused_;
};

class Subscribe final : public Verb {
 public:
  std::string_view name() const override { return "subscribe"; }
  std::string_view summary() const override { return "Print what is published, a JSON line each."; }

  void describe(Arguments& arguments) override {
    arguments.rest("CHANNEL", channels_, "what to hear");
    arguments.option("--url", "URL", url_, "the gateway (default ws://127.0.0.1:8420/ws)");
    arguments.option("--key", "SECRET", key_, "key for channels with a key:NAME rule");
    arguments.option("--ca", "FILE", ca_, "authority to trust for wss");
    arguments.option("--bus", "ENDPOINT", bus_,
                     "as a node of the bus, at a broker: tcp://HOST:8422; or at several: "
                     "NAME=tcp://HOST:8422,NAME=…");
    describe_curve(arguments, curve_);
    arguments.option("--count", "N", count_, "end after N publications");
    arguments.flag("--once", once_, "end when the connection ends; the default is to come back");
    arguments.option("--timeout", "TIME", timeout_, "how long a connection may take (default 5s)");
    arguments.example("peal subscribe demo:room", "follow a channel until Ctrl-C");
    arguments.example("peal subscribe demo:load --count 1 | jq .message", "wait for one message");
    arguments.example("peal subscribe --url wss://peal.example/ws --key SECRET orders",
                      "with a key");
  }

  Outcome<void> run(Console& console) override {
    for (const std::string& channel : channels_) {
      if (!ChannelName::valid(channel)) {
        return Failure{Exit::refused, "channel_name_invalid",
                       "a channel's name is 1 to 255 bytes of UTF-8 without control characters"};
      }
    }
    PublicationPrinter printer(console, count_);
    if (!bus_.empty()) {
      auto curve = curve_keys(curve_, bus_);
      if (!curve) {
        return curve.error();
      }
      return subscribe_on_bus({bus_, *curve, channels_, timeout_, once_}, printer, console);
    }
    auto url = parse_url(url_);
    if (!url) {
      return url.error();
    }
    return follow(console, printer, *url);
  }

 private:
  Outcome<void> follow(Console& console, PublicationPrinter& printer, const Url& url) {
    Follower follower(console, printer, channels_, key_);
    bool reached = false;
    for (unsigned failures = 0;;) {
      follower.new_connection();
      const WsEnd end = run_websocket(url, ca_, timeout_, follower);
      if (printer.finished() || interrupted()) {
        return {};
      }
      reached = reached || follower.subscribed();
      failures = follower.subscribed() ? 0 : failures + 1;
      const Failure why = reason(end, follower, url);
      if (once_ || !may_return(end, follower, reached)) {
        return why;
      }
      console.note("peal: " + why.message + "; coming back");
      pause(failures);
    }
  }

  static Failure reason(const WsEnd& end, const Follower& follower, const Url& url) {
    if (!follower.refusal().code.empty()) {
      return follower.refusal();
    }
    switch (end.why) {
      case WsEnd::Why::refused:
        return {Exit::refused, {}, url.authority() + " does not upgrade: " + printable(end.reason)};
      case WsEnd::Why::closed:
        return unreachable(url.authority() + " closed the connection" +
                           (end.code != 0 ? " (" + std::to_string(end.code) + ")" : "") +
                           (end.reason.empty() ? "" : ": " + printable(end.reason)));
      default:
        return unreachable("cannot reach " + url.authority() + ": " + end.reason);
    }
  }

  /// A gateway that was there once may come back; what it refuses for good, it refuses again.
  static bool may_return(const WsEnd& end, const Follower& follower, bool reached) {
    if (!follower.refusal().code.empty()) {
      return follower.retry();
    }
    const bool final_code = end.code == 1000 || end.code == 1008 || end.code >= 3500;
    return reached && !(end.why == WsEnd::Why::closed && final_code);
  }

  /// Full jitter: a gateway's thousand listeners don't come back in one moment.
  static void pause(unsigned failures) {
    static std::minstd_rand random(std::random_device{}());
    const int longest = 250 << std::min(failures, 6u);
    pollfd wait{interrupt_fd(), POLLIN, 0};
    ::poll(&wait, 1, std::uniform_int_distribution<int>(20, longest)(random));
  }

  std::vector<std::string> channels_;
  std::string url_ = "ws://127.0.0.1:8420/ws";
  std::string key_, ca_, bus_;
  ControlOptions curve_;
  std::uint64_t count_ = 0;
  bool once_ = false;
  milliseconds timeout_{5000};
};

}  // namespace

std::unique_ptr<Verb> make_subscribe() {
  return std::make_unique<Subscribe>();
}

}  // namespace peal::cli
