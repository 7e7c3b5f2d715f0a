#include "core/core_probe.hpp"

#include <cassert>

namespace peal::broker {

void CoreProbe::collect(runtime::MetricSink& sink) const {
  const auto counter = [&](const char* name, const char* help, const runtime::Counter& from) {
    sink.counter(name, help, static_cast<double>(from.value()));
  };
  const auto gauge = [&](const char* name, const char* help, const runtime::Counter& from) {
    sink.gauge(name, help, static_cast<double>(from.value()));
  };
  counter("peal_core_publications_total", "Publications that the core has taken", publications_);
  counter("peal_core_publication_bytes_total", "Their payloads", publication_bytes_);
  counter("peal_core_deliveries_total", "Publications handed to watching peers", deliveries_);
  counter("peal_core_duplicates_total", "Publishes that had been appended before", duplicates_);
  counter("peal_core_pages_total", "Reads of a log that were answered", pages_);
  counter("peal_core_epochs_ended_total", "Logs whose past was given up", epochs_ended_);
  gauge("peal_core_channels", "Channels that somebody watches", channels_);
  gauge("peal_core_watches", "Watches of all peers", watches_);
  gauge("peal_core_logs", "Recoverable channels with a log", logs_);
  gauge("peal_core_log_bytes", "Bytes that the logs hold", log_bytes_);
  gauge("peal_core_presence_members", "Sessions that are in a channel's presence", members_);
  gauge("peal_core_presence_channels", "Channels with somebody in their presence",
        presence_channels_);
  counter("peal_core_presence_refused_total", "Sessions that were not entered", members_refused_);
  counter("peal_core_presence_events_total", "Joins, leaves and the like told to peers",
          presence_events_);
  counter("peal_core_occupancy_events_total", "Occupied, vacated and reset told",
          occupancy_events_);

  const auto codes = error_code_table();
  assert(codes.size() <= refused_.size());
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const auto count = refused_[i].value();
    if (count == 0) continue;
    sink.counter("peal_core_refused_total", "Commands refused by the core",
                 static_cast<double>(count), {{"code", codes[i].name}});
  }
}

}  // namespace peal::broker
