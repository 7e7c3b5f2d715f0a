#include "control_probe.hpp"

namespace peal::runtime {

void ControlProbe::collect(MetricSink& sink) const {
  const auto by_code = [&](const char* name, const char* help, const ByCode& counters) {
    for (std::size_t i = 0; i < counters.size(); ++i) {
      if (counters[i].value() == 0) continue;
      sink.counter(name, help, counters[i], {{"code", info(static_cast<ErrorCode>(i)).name}});
    }
  };
  sink.counter("peal_control_commands_total", "Commands that came to the control socket",
               commands_);
  sink.counter("peal_control_replies_dropped_total",
               "Replies whose client was gone or did not read", replies_dropped_);
  by_code("peal_control_errors_total", "Control commands answered by an error", refused_);
  sink.counter("peal_ingest_publications_total", "Publications taken from the ingest socket",
               ingested_);
  by_code("peal_ingest_refused_total", "Messages on the ingest socket that were refused",
          not_ingested_);
}

}  // namespace peal::runtime
