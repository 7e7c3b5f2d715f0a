#include "session/gateway_probe.hpp"

#include <string_view>

namespace peal::gateway {
namespace {

constexpr std::array<std::string_view, 8> kActionNames{
    "connect", "subscribe", "unsubscribe", "publish", "history", "presence", "refresh", "ping"};
constexpr std::array<std::string_view, 3> kForwardedIgnored{"untrusted", "other_header", "broken"};

}  // namespace

void GatewayProbe::closed(CloseCode code) {
  closes_[static_cast<std::size_t>(&info(code) - close_code_table().data())].add();
}

void GatewayProbe::sent(const OutletCounts& counts) {
  flushes_.set(counts.flushes);
  frames_.set(counts.frames);
  messages_sent_.set(counts.messages);
  bytes_sent_.set(counts.bytes);
  blocked_.set(counts.blocked);
  dropped_.set(counts.dropped);
}

void GatewayProbe::collect(runtime::MetricSink& sink) const {
  sink.gauge("peal_connections", "Open client connections", connections_);
  sink.counter("peal_connections_total", "Client connections accepted", connections_total_);
  sink.counter("peal_accepts_refused_total", "Connections closed for want of descriptors",
               accepts_refused_);
  sink.counter("peal_tls_handshakes_failed_total", "TLS handshakes that failed or were late",
               handshakes_failed_);
  for (std::size_t i = 0; i < forwarded_ignored_.size(); ++i)
    sink.counter("peal_forwarded_ignored_total",
                 "Times that what was said of a client's address was not believed",
                 forwarded_ignored_[i], {{"reason", kForwardedIgnored[i]}});
  sink.gauge("peal_sessions", "Open sessions", sessions_);
  sink.counter("peal_sessions_total", "Sessions opened", sessions_total_);
  sink.gauge("peal_subscriptions", "Subscriptions of sessions", subscriptions_);
  sink.gauge("peal_channels_watched", "Channels with a subscriber here", channels_);
  sink.counter("peal_encodes_total", "Publications encoded, once per protocol", encodes_);
  sink.counter("peal_deliveries_total", "Publications queued for sessions", deliveries_);
  sink.counter("peal_flushes_total", "System calls that sent", flushes_);
  sink.counter("peal_frames_sent_total", "Frames handed to the kernel", frames_);
  sink.counter("peal_messages_sent_total", "Publications handed to the kernel", messages_sent_);
  sink.counter("peal_bytes_sent_total", "Bytes handed to the kernel", bytes_sent_);
  sink.counter("peal_blocked_total", "Times the kernel took no more of a connection", blocked_);
  sink.counter("peal_dropped_total", "Publications dropped for slow sessions", dropped_);
  sink.counter("peal_http_requests_total", "HTTP requests", http_requests_);
  sink.counter("peal_turns_total", "Turns of the shards' loops", turns_);
  sink.counter("peal_feed_repairs_total", "Holes read from the log", repairs_);
  sink.counter("peal_feed_resets_total", "Channels whose past was lost", resets_);
  sink.counter("peal_page_reads_total", "Pages of logs asked of the cores", reads_);
  sink.counter("peal_page_reads_shared_total", "Reads that joined one of the same page",
               reads_shared_);
  sink.gauge("peal_recoveries", "Subscriptions that are catching up", recoveries_);
  sink.counter("peal_recovery_pages_total", "Pages given to sessions that catch up", pages_given_);
  sink.counter("peal_recoveries_lost_total", "Sessions that were told that their past is gone",
               recoveries_lost_);
  sink.gauge("peal_presence_listeners", "Sessions' subscriptions with presence", listeners_);
  sink.counter("peal_presence_pushes_total", "Sets, joins and leaves queued for sessions",
               presence_pushes_);
  const double flushes = static_cast<double>(flushes_.value());
  const double messages = static_cast<double>(messages_sent_.value());
  sink.gauge("peal_messages_per_flush", "Publications per sending system call, since the start",
             flushes > 0 ? messages / flushes : 0);
  for (std::size_t i = 0; i < commands_.size(); ++i)
    sink.counter("peal_commands_total", "Commands of sessions", commands_[i],
                 {{"action", kActionNames[i]}});
  sink.counter("peal_slow_consumers_total", "Sessions whose queue was full or too old", slow_[0],
               {{"reason", "bytes"}});
  sink.counter("peal_slow_consumers_total", "Sessions whose queue was full or too old", slow_[1],
               {{"reason", "age"}});
  for (std::size_t i = 0; i < error_code_table().size(); ++i)
    // Those that say something of the cluster are there from the first: alerts look for the step.
    if (errors_[i].value() > 0 || error_code_table()[i].temporary)
      sink.counter("peal_errors_total", "Errors told to clients", errors_[i],
                   {{"code", error_code_table()[i].name}});
  for (std::size_t i = 0; i < close_code_table().size(); ++i)
    if (closes_[i].value() > 0)
      sink.counter("peal_closes_total", "Sessions closed by the gateway", closes_[i],
                   {{"code", close_code_table()[i].name}});
}

}  // namespace peal::gateway
