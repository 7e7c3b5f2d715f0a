#include <poll.h>

#include <map>

#include "control_target.hpp"
#include "http_client.hpp"
#include "json_text.hpp"
#include "signals.hpp"
#include "verbs.hpp"

namespace peal::cli {
namespace {

using std::chrono::milliseconds;

/// Where the sets come from: a process's control socket, or a gateway over HTTP.
class Source {
 public:
  virtual ~Source() = default;
  /// One page: {"members", "count", "users", "next"?}.
  virtual Outcome<JsonObject> page(const std::string& payload) = 0;
};

class ControlSource final : public Source {
 public:
  ControlSource(std::unique_ptr<ControlClient> client, milliseconds timeout)
      : client_(std::move(client)), timeout_(timeout) {}
  Outcome<JsonObject> page(const std::string& payload) override {
    auto result = client_->request("presence", payload, timeout_);
    if (!result) {
      return result.error();
    }
    return JsonObject(*result);
  }

 private:
  std::unique_ptr<ControlClient> client_;
  const milliseconds timeout_;
};

class HttpSource final : public Source {
 public:
  HttpSource(Url url, const std::string& ca, std::string key, milliseconds timeout)
      : client_(std::move(url), ca), key_(std::move(key)), timeout_(timeout) {}
  Outcome<JsonObject> page(const std::string& payload) override {
    HttpRequest request;
    request.method = "POST";
    request.target = "/command";
    request.headers = {{"Content-Type", "application/json"}, {"User-Agent", "peal"}};
    if (!key_.empty()) {
      request.headers.emplace_back("Authorization", "Bearer " + key_);
    }
    request.body = JsonBuilder().text("action", "presence").raw("payload", payload).str();
    auto response = client_.request(request, timeout_);
    if (!response) {
      return response.error();
    }
    JsonReader reader;
    const JsonObject body(reader.validate(response->body) ? response->body : "");
    if (body.has("result")) {
      return body.object("result");
    }
    if (!body.has("code")) {
      return Failure{
          Exit::refused, "request_invalid",
          "HTTP " + std::to_string(response->status) + " from something that is no Peal gateway"};
    }
    return Failure{Exit::refused, body.text("code"),
                   body.text(body.has("detail") ? "detail" : "title")};
  }

 private:
  HttpClient client_;
  const std::string key_;
  const milliseconds timeout_;
};

/// What a set counts as one: the user, or a session without one.
std::string who(const JsonObject& member) {
  return member.has("user") ? "u" + member.text("user") : "s" + member.text("session");
}

class Presence final : public Verb {
 public:
  std::string_view name() const override { return "presence"; }
  std::string_view summary() const override { return "Show who is in a channel."; }

  void describe(Arguments& arguments) override {
    arguments.word("CHANNEL", channel_, "whose members");
    arguments.option("--limit", "N", limit_, "at most N members; 0: only the numbers");
    arguments.option("--after", "SESSION", after_, "begin behind this session");
    arguments.flag("--watch", watch_, "go on: print who comes and who goes, looking every second");
    arguments.option("--url", "URL", url_, "a gateway over HTTP, as a client of it");
    arguments.option("--key", "SECRET", key_, "with --url: key for a key:NAME rule");
    arguments.option("--ca", "FILE", ca_, "with --url: authority to trust for https");
    cli::describe(arguments, control_);
    arguments.example("peal presence room:1", "who is there");
    arguments.example("peal presence room:1 --limit 0 --json", "how many: {\"count\",\"users\"}");
    arguments.example("peal presence room:1 --watch", "follow who comes and goes");
  }

  Outcome<void> run(Console& console) override {
    auto source = open();
    if (!source) {
      return source.error();
    }
    return watch_ ? follow(console, **source) : show(console, **source);
  }

 private:
  static constexpr std::uint64_t kAll = ~std::uint64_t{0};
  static constexpr std::uint64_t kPage = 1000;

  Outcome<std::unique_ptr<Source>> open() {
    if (!url_.empty()) {
      auto url = parse_url(url_);
      if (!url) {
        return url.error();
      }
      return std::make_unique<HttpSource>(std::move(*url), ca_, key_, control_.timeout);
    }
    auto client = open_control(control_);
    if (!client) {
      return client.error();
    }
    return std::make_unique<ControlSource>(std::move(*client), control_.timeout);
  }

  /// Each member once, page by page; `numbers` are those of the first page.
  Outcome<void> each(Source& source, std::uint64_t limit, JsonObject& numbers,
                     const std::function<void(const JsonObject&)>& take) {
    std::string after = after_;
    for (std::uint64_t taken = 0, pages = 0; !interrupted(); ++pages) {
      JsonBuilder payload;
      payload.text("channel", channel_).number("limit", std::min(kPage, limit - taken));
      if (!after.empty()) {
        payload.text("after", after);
      }
      auto page = source.page(payload.str());
      if (!page) {
        return page.error();
      }
      for (const JsonObject& member : page->objects("members")) {
        take(member);
        ++taken;
      }
      after = page->text("next");
      if (pages == 0) {
        numbers = std::move(*page);
      }
      if (after.empty() || taken >= limit) {
        break;
      }
    }
    return {};
  }

  static std::string line_of(const JsonObject& member) {
    JsonBuilder out;
    for (const auto& [name, value] : member.members()) {
      out.raw(name, minify(value));
    }
    return out.str();
  }

  Outcome<void> show(Console& console, Source& source) {
    JsonObject numbers;
    Table table({{"SESSION"}, {"USER"}, {"DATA"}});
    auto listed = each(source, limit_, numbers, [&](const JsonObject& member) {
      if (console.json) {
        console.line(line_of(member));
        return;
      }
      table.row({printable(member.text("session")), printable(member.text("user")),
                 member.has("data") ? printable(minify(member.raw("data"))) : ""});
    });
    if (!listed) {
      return listed;
    }
    if (console.json) {
      if (limit_ == 0) {
        console.line(JsonBuilder()
                         .number("count", numbers.number("count"))
                         .number("users", numbers.number("users"))
                         .str());
      }
      return {};
    }
    if (!table.empty()) {
      table.print(console);
    }
    console.note(grouped(numbers.number("count")) + " sessions of " +
                 grouped(numbers.number("users")) + " users");
    return {};
  }

  Outcome<void> follow(Console& console, Source& source) {
    std::map<std::string, JsonObject> before;
    for (bool first = true; !interrupted(); first = false) {
      std::map<std::string, JsonObject> now;
      JsonObject numbers;
      auto listed = each(source, kAll, numbers,
                         [&](const JsonObject& member) { now.emplace(who(member), member); });
      if (!listed) {
        return listed;
      }
      for (const auto& [key, member] : now) {
        if (!before.contains(key)) {
          tell(console, first ? "there" : "join", member);
        }
      }
      for (const auto& [key, member] : before) {
        if (!now.contains(key)) {
          tell(console, "leave", member);
        }
      }
      before = std::move(now);
      pollfd wait{interrupt_fd(), POLLIN, 0};
      ::poll(&wait, 1, 1000);
    }
    return {};
  }

  static void tell(Console& console, std::string_view what, const JsonObject& member) {
    if (console.json) {
      console.line(JsonBuilder().text("event", what).raw("member", line_of(member)).str());
      return;
    }
    const Colour colour = what == "leave" ? Colour::red : Colour::green;
    console.line(console.paint(colour, what) + " " +
                 printable(member.text(member.has("user") ? "user" : "session")) +
                 (member.has("data") ? " " + printable(minify(member.raw("data"))) : ""));
  }

  std::string channel_, after_, url_, key_, ca_;
  std::uint64_t limit_ = kAll;
  bool watch_ = false;
  ControlOptions control_;
};

}  // namespace

std::unique_ptr<Verb> make_presence() {
  return std::make_unique<Presence>();
}

}  // namespace peal::cli
