#pragma once
// What a link session over ZeroMQ did, counted by the bus thread. Past-tense events.

#include <string_view>

#include "peal/bus/bus_port.hpp"
#include "peal/runtime/probe.hpp"

namespace peal::bus {

class ZmqBusProbe final : public runtime::Probe {
 public:
  void linked() { links_.add(); }
  void link_lost() { lost_.add(); }
  void links_are(std::size_t links) { linked_.set(links); }
  void message_sent(std::size_t bytes) {
    messages_sent_.add();
    bytes_sent_.add(bytes);
  }
  void message_received(std::size_t bytes) {
    messages_received_.add();
    bytes_received_.add(bytes);
  }
  void garbage_received() { garbage_.add(); }
  void missed(std::uint64_t operations) { missed_.add(operations); }
  void dropped() { dropped_.add(); }
  void replaced_by_head() { replaced_.add(); }
  void handshake_failed() { handshakes_failed_.add(); }
  void connect_failed() { connects_failed_.add(); }
  void publish_refused() { refused_.add(); }
  void outcome_unknown() { unknown_.add(); }

  void collect(runtime::MetricSink& sink) const override {
    sink.gauge("peal_bus_brokers_linked", "Brokers that this process is linked with", linked_);
    sink.counter("peal_bus_links_total", "Link sessions begun", links_);
    sink.counter("peal_bus_links_lost_total", "Link sessions ended", lost_);
    sink.counter("peal_bus_messages_sent_total", "Messages sent to brokers", messages_sent_);
    sink.counter("peal_bus_sent_bytes_total", "Bytes sent to brokers", bytes_sent_);
    sink.counter("peal_bus_messages_received_total", "Messages received from brokers",
                 messages_received_);
    sink.counter("peal_bus_received_bytes_total", "Bytes received from brokers", bytes_received_);
    sink.counter("peal_bus_garbage_total", "Messages of brokers that were none", garbage_);
    sink.counter("peal_bus_missed_total", "Operations that a gap in link numbers swallowed",
                 missed_);
    sink.counter("peal_bus_dropped_total", "Ephemeral publications dropped: the receiver lags",
                 dropped_);
    sink.counter("peal_bus_replaced_by_head_total",
                 "Recoverable publications that a lagging receiver has to read from the log",
                 replaced_);
    sink.counter("peal_bus_handshakes_failed_total",
                 "Handshakes refused or broken, as by a wrong CURVE key", handshakes_failed_);
    sink.counter("peal_bus_connects_failed_total", "Attempts to connect that failed",
                 connects_failed_);
    sink.counter("peal_bus_publishes_refused_total",
                 "Publishes refused since they reached no broker", refused_);
    sink.counter("peal_bus_publishes_unknown_total",
                 "Publishes whose outcome a lost link took along", unknown_);
  }

 private:
  runtime::Counter linked_, links_, lost_, messages_sent_, bytes_sent_, messages_received_,
      bytes_received_, garbage_, missed_, dropped_, replaced_, handshakes_failed_, connects_failed_,
      refused_, unknown_;
};

}  // namespace peal::bus
