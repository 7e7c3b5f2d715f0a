#include <algorithm>

#include "cluster_options.hpp"
#include "signals.hpp"
#include "verbs.hpp"

namespace peal::cli {
namespace {

class Count final : public Verb {
 public:
  std::string_view name() const override { return "count"; }
  std::string_view summary() const override {
    return "Count sessions, and channels and their subscribers, at all gateways.";
  }

  void describe(Arguments& arguments) override {
    arguments.rest("CHANNEL", globs_, "channels to list, as names or globs", false);
    arguments.option("--limit", "N", limit_, "list at most N (default: all)");
    arguments.option("--after", "NAME", after_, "begin behind this name");
    cli::describe(arguments, options_);
    arguments.example("peal count", "sessions and subscriptions of the whole cluster");
    arguments.example("peal count 'room:*' lobby", "and who listens to which of these channels");
  }

  Outcome<void> run(Console& console) override {
    auto client = open_control(options_.control);
    if (!client) {
      return client.error();
    }
    Table table({{"CHANNEL"}, {"SUBSCRIBERS", Table::Align::right}});
    JsonObject worst;  // the page that the fewest have answered
    JsonObject page;
    std::uint64_t taken = 0;
    std::uint64_t subscribers = 0;
    do {
      auto result = (*client)->request("count", payload(taken), patience(options_));
      if (!result) {
        return result.error();
      }
      page = JsonObject(*result);
      if (!worst.has("asked") || missing(page) > missing(worst)) {
        worst = page;
      }
      for (const JsonObject& channel : page.objects("channels")) {
        ++taken;
        subscribers += channel.number("subscribers");
        show(console, table, channel);
      }
      after_ = page.text("next");
    } while (!after_.empty() && (limit_ == 0 || taken < limit_) && !interrupted());
    tell(console, table, page, taken, subscribers);
    return tell_answered(console, worst);
  }

 private:
  static constexpr std::uint64_t kPage = 1000;

  static std::uint64_t missing(const JsonObject& page) {
    return page.number("asked") - page.number("answered");
  }

  std::string payload(std::uint64_t taken) const {
    JsonBuilder out;
    out.number("limit", limit_ == 0 ? kPage : std::min(kPage, limit_ - taken));
    if (!globs_.empty()) {
      std::string list;
      for (const std::string& glob : globs_) {
        list += (list.empty() ? "[" : ",") + json_string(glob);
      }
      out.raw("channels", list + "]");
    }
    if (!after_.empty()) {
      out.text("after", after_);
    }
    add(out, options_);
    return out.str();
  }

  static void show(Console& console, Table& table, const JsonObject& channel) {
    if (!console.json) {
      table.row({printable(channel.text("name")), grouped(channel.number("subscribers"))});
      return;
    }
    JsonBuilder out;
    for (const auto& [name, value] : channel.members()) {
      out.raw(name, value);
    }
    console.line(out.str());
  }

  void tell(Console& console, const Table& table, const JsonObject& page, std::uint64_t taken,
            std::uint64_t subscribers) const {
    if (console.json) {
      JsonBuilder out;
      out.number("sessions", page.number("sessions"))
          .number("subscriptions", page.number("subscriptions"));
      if (!globs_.empty()) {
        out.number("channels", taken).number("subscribers", subscribers);
      }
      out.number("asked", page.number("asked")).number("answered", page.number("answered"));
      if (page.has("missing")) {
        out.raw("missing", minify(page.raw("missing")));
      }
      console.line(out.str());
      return;
    }
    if (!table.empty()) {
      table.print(console);
    }
    console.line(grouped(page.number("sessions")) + " sessions, " +
                 grouped(page.number("subscriptions")) + " subscriptions");
    if (!globs_.empty()) {
      console.line(grouped(taken) + " channels with " + grouped(subscribers) + " subscribers");
    }
  }

  ClusterOptions options_;
  std::vector<std::string> globs_;
  std::string after_;
  std::uint64_t limit_ = 0;
};

}  // namespace

std::unique_ptr<Verb> make_count() {
  return std::make_unique<Count>();
}

}  // namespace peal::cli
