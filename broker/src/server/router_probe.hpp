#pragma once
// What the broker's router did, counted by the broker's thread. Past-tense events.

#include <string_view>

#include "peal/runtime/probe.hpp"

namespace peal::broker {

class RouterProbe final : public runtime::Probe {
 public:
  void links_are(std::size_t count) { links_.set(count); }
  void linked() { linked_.add(); }
  void link_ended() { ended_.add(); }
  void hello_refused() { refused_.add(); }
  void stranger_heard() { strangers_.add(); }
  void garbage_received() { garbage_.add(); }
  void missed(std::uint64_t operations) { missed_.add(operations); }
  void message_received(std::size_t bytes) {
    messages_received_.add();
    bytes_received_.add(bytes);
  }
  void message_sent(std::size_t bytes) {
    messages_sent_.add();
    bytes_sent_.add(bytes);
  }
  void delivered() { deliveries_.add(); }
  void dropped() { dropped_.add(); }
  void replaced_by_head() { replaced_.add(); }
  void message_invalid() { invalid_.add(); }
  void handshake_failed() { handshakes_failed_.add(); }

  void collect(runtime::MetricSink& sink) const override {
    sink.gauge("peal_broker_links", "Peers linked now", links_);
    sink.counter("peal_broker_links_total", "Link sessions begun", linked_);
    sink.counter("peal_broker_links_ended_total", "Link sessions ended", ended_);
    sink.counter("peal_broker_hellos_refused_total", "Hellos of another cluster or version",
                 refused_);
    sink.counter("peal_broker_strangers_total", "Messages from links without a Hello", strangers_);
    sink.counter("peal_broker_garbage_total", "Messages that were none", garbage_);
    sink.counter("peal_broker_missed_total", "Operations that a gap in link numbers swallowed",
                 missed_);
    sink.counter("peal_broker_messages_received_total", "Messages received from peers",
                 messages_received_);
    sink.counter("peal_broker_received_bytes_total", "Bytes received from peers", bytes_received_);
    sink.counter("peal_broker_messages_sent_total", "Messages sent to peers", messages_sent_);
    sink.counter("peal_broker_sent_bytes_total", "Bytes sent to peers", bytes_sent_);
    sink.counter("peal_broker_deliveries_total", "Publications sent, one per peer that watches",
                 deliveries_);
    sink.counter("peal_broker_dropped_total",
                 "Ephemeral publications dropped for a peer without credit", dropped_);
    sink.counter("peal_broker_replaced_by_head_total",
                 "Recoverable publications that a peer without credit has to read from the log",
                 replaced_);
    sink.counter("peal_broker_messages_invalid_total", "Publishes whose payload is not valid JSON",
                 invalid_);
    sink.counter("peal_broker_handshakes_failed_total",
                 "Connections whose handshake failed, as by a wrong CURVE key", handshakes_failed_);
  }

 private:
  runtime::Counter links_, linked_, ended_, refused_, strangers_, garbage_, missed_,
      messages_received_, bytes_received_, messages_sent_, bytes_sent_, deliveries_, dropped_,
      replaced_, invalid_, handshakes_failed_;
};

}  // namespace peal::broker
