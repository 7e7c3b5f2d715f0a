#include "bus_subscriber.hpp"

#include <optional>

#include "bus_client.hpp"
#include "json_text.hpp"
#include "peal/proto/base64.hpp"
#include "signals.hpp"

namespace peal::cli {
namespace {

class Listener final : public BusEvents {
 public:
  Listener(const BusSubscription& subscription, PublicationPrinter& printer, Console& console)
      : subscription_(subscription), printer_(printer), console_(console) {}

  void on_publication(std::size_t channel, const PublicationView& publication) override {
    JsonBuilder out;
    if (publication.offset.value != 0) {
      out.number("offset", publication.offset.value);
    }
    if (!publication.key.empty()) {
      out.text("key", publication.key);
    }
    if (publication.kind == Kind::deletion) {
      out.boolean("delete", true);
    } else if (publication.type.empty()) {
      out.raw("message", publication.payload);
    } else {
      std::string base64;
      append_base64(base64, publication.payload);
      out.text("type", publication.type).text("base64", base64);
    }
    printer_.print(subscription_.channels[channel], JsonObject(out.str()));
  }

  void on_watched(std::size_t, const std::optional<Error>& error) override {
    if (error) {
      refusal = *error;
    }
  }

  void on_reset(std::size_t channel) override {
    console_.note("peal: " + printable(subscription_.channels[channel]) +
                  ": its past is gone; going on from here");
  }

  void on_link(bool linked, const std::string& detail) override {
    lost = !linked;
    why = detail;
    if (watching) {
      console_.note(linked ? "peal: the link is back" : "peal: the link is lost: " + detail);
    }
  }

  std::optional<Error> refusal;
  bool lost = false;
  bool watching = false;
  std::string why;

 private:
  const BusSubscription& subscription_;
  PublicationPrinter& printer_;
  Console& console_;
};

}  // namespace

Outcome<void> subscribe_on_bus(const BusSubscription& subscription, PublicationPrinter& printer,
                               Console& console) {
  Listener listener(subscription, printer, console);
  BusClient client(listener);
  if (auto connected =
          client.connect(subscription.endpoint, subscription.curve, subscription.timeout);
      !connected) {
    return connected;
  }
  listener.watching = true;
  for (std::size_t i = 0; i < subscription.channels.size(); ++i) {
    client.watch(i, subscription.channels[i]);
  }
  while (!printer.finished() && !interrupted()) {
    client.wait(-1, std::chrono::seconds(60));
    if (listener.refusal) {
      return refused(*listener.refusal);
    }
    if (listener.lost && subscription.once) {
      return unreachable("the link to " + subscription.endpoint + " is lost: " + listener.why);
    }
  }
  return {};
}

}  // namespace peal::cli
