#include "core/core_probe.hpp"

#include <cassert>

namespace peal::broker {

void CoreProbe::collect(runtime::MetricSink& sink) const {
  sink.counter("peal_core_publications_total", "Publications that the core has taken",
               publications_);
  sink.counter("peal_core_publication_bytes_total", "Their payloads", publication_bytes_);
  sink.counter("peal_core_deliveries_total", "Publications handed to watching peers", deliveries_);
  sink.counter("peal_core_duplicates_total", "Publishes that had been appended before",
               duplicates_);
  sink.counter("peal_core_pages_total", "Reads of a log that were answered", pages_);
  sink.counter("peal_core_epochs_ended_total", "Logs whose past was given up", epochs_ended_);
  sink.gauge("peal_core_channels", "Channels that somebody watches", channels_);
  sink.gauge("peal_core_watches", "Watches of all peers", watches_);
  sink.gauge("peal_core_logs", "Recoverable channels with a log", logs_);
  sink.gauge("peal_core_log_bytes", "Bytes that the logs hold", log_bytes_);
  sink.gauge("peal_core_presence_members", "Sessions that are in a channel's presence", members_);
  sink.gauge("peal_core_presence_channels", "Channels with somebody in their presence",
             presence_channels_);
  sink.counter("peal_core_presence_refused_total", "Sessions that were not entered",
               members_refused_);
  sink.counter("peal_core_presence_events_total", "Joins, leaves and the like told to peers",
               presence_events_);
  sink.counter("peal_core_occupancy_events_total", "Occupied, vacated and reset told",
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
