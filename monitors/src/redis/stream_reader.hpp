#pragma once
// From one Redis stream to the bus, over a connection of its own, since a read waits there. An
// entry's id is its sequence. What was acknowledged stands in Redis beside a lease: whoever has the
// lease reads on from there, so two who both think that they have it publish the same in the same
// order, and the log takes each once. Belongs to the thread that runs the io_context.
//   away -> leasing (standby) -> looking -> reading -> publishing -> saving -> reading …
// `looking` compares with the stream itself: more was ever added than was read (trimmed before it
// was read), or its ids have gone back (made anew, restored): a reset is published.

#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <string>

#include "peal/bus/bus_port.hpp"
#include "peal/monitor/publisher.hpp"
#include "peal/redis/client.hpp"
#include "process/monitor_probe.hpp"
#include "redis/stream_rule.hpp"

namespace peal::monitor {

class StreamReader final : private redis::ClientOwner, private PublisherOut {
 public:
  StreamReader(boost::asio::io_context& context, const RedisMonitorConfig& config, StreamRule rule,
               const runtime::Logger& logger, MonitorProbe& probe);

  bus::BusSink& sink() { return publisher_; }
  void publish_over(bus::BusPort& port);
  void start() { client_.start(); }
  /// Reads no more; `stopped` once nothing is under way.
  void stop();
  bool stopped() const;
  void close() { client_.stop(); }
  /// The bus has something, or it is time.
  void turn();

  bool linked() const { return publisher_.linked(); }
  bool connected() const { return connected_; }
  bool active() const { return step_ != Step::away && step_ != Step::leasing; }
  /// Entries that were not read when it last looked, and for how long the oldest has waited.
  std::uint64_t lag_entries() const { return lag_; }
  std::uint64_t lag_ms() const;
  const std::string& trouble() const { return trouble_; }
  const Publisher& publisher() const { return publisher_; }

 private:
  enum class Step : std::uint8_t { away, leasing, looking, reading, publishing, saving };

  std::vector<std::vector<std::string>> setup(const redis::Node&) override { return {}; }
  std::string judge_setup(const redis::Node&, const std::vector<redis::Reply>&) override {
    return {};
  }
  void on_connected(const redis::Node& node) override;
  void on_disconnected(const redis::Node& node, std::string_view reason) override;
  void on_subscribed(std::string_view) override {}
  void on_broken(std::string_view) override {}
  void on_message(std::string_view, std::string_view) override {}
  void on_turn() override {}
  void on_done(const Done& done) override;
  void on_link(bool, const std::string&) override {}

  void ask(std::vector<std::string> args, void (StreamReader::*then)(const redis::Reply&));
  void lease();
  void on_lease(const redis::Reply& reply);
  void look();
  void on_look(const redis::Reply& reply);
  void begin_anew(const std::string& why, std::uint64_t ordinal);
  std::string source() const;
  void read();
  void on_read(const redis::Reply& reply);
  void save();
  void on_save(const redis::Reply& reply);
  void on_idle_save(const redis::Reply& reply);
  void publish(Ring ring, Sequence sequence);
  void again(const std::string& why);
  void later();

  const RedisMonitorConfig& config_;
  const StreamRule rule_;
  const runtime::Logger logger_;
  MonitorProbe& probe_;
  redis::Client client_;
  boost::asio::steady_timer timer_;
  Publisher publisher_;
  bus::BusPort* port_ = nullptr;
  JsonReader reader_;
  const std::string state_key_;
  const std::string token_;  ///< of this process, in the lease

  Step step_ = Step::away;
  std::uint64_t round_ = 0;  ///< answers of an older one are nobody's
  bool connected_ = false;
  bool stopping_ = false;
  std::uint64_t lag_ = 0;
  std::chrono::steady_clock::time_point looked_{};
  bool first_ = false;  ///< nothing was saved yet
  std::string trouble_ = "Redis has not been reached yet";
  // As in Redis once it was saved:
  Sequence cursor_;               ///< the last entry that was published
  std::uint64_t ordinal_ = 0;     ///< of all that were ever added, how many up to there
  std::uint64_t generation_ = 0;  ///< grows when the ids have gone back
};

}  // namespace peal::monitor
