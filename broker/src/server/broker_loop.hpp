#pragma once
// The broker's thread: socket, router and core, turn by turn. A turn reads messages until there are
// none or its batches are 200 µs old, carries out what other threads posted, and sends what was
// gathered. Other threads only post tasks; everything else belongs to the thread.

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bus/zmq_listener.hpp"
#include "server/member_links.hpp"
#include "server/router.hpp"

namespace peal::broker {

struct BrokerLoopConfig {
  std::string listen = "tcp://127.0.0.1:8422";
  std::string cluster = "peal";
  std::string node;
  runtime::CurveConfig curve;
  bool insecure = false;
  bus::LinkOptions link;
  bool check_json = true;
  MakeLogStore make_store{};  ///< none: logs in memory
  /// The cluster's brokers, in the order of their names; none, or one: there is no other.
  std::vector<bus::BrokerAddress> members{};
  StoreKind store = StoreKind::memory;
};

class BrokerLoop final : private Transport {
 public:
  BrokerLoop(BrokerLoopConfig config, OptionsOf options_of, const Limits& limits,
             const runtime::Logger& logger, runtime::ProbeRegistry& probes);
  ~BrokerLoop() override;

  /// Binds and starts the thread.
  Result<void> start();
  /// Tells the links and ends the thread. Tasks posted later are never run.
  void stop();
  const std::string& endpoint() const { return endpoint_; }  ///< as bound

  using Task = std::function<void(Router&)>;
  void post(Task task);                                    ///< any thread
  std::size_t backlog() const { return backlog_.load(); }  ///< tasks not yet run; any thread
  bool healthy() const;                                ///< a turn within the last 2 s; any thread
  std::size_t links() const { return links_.load(); }  ///< any thread
  std::string why_not_ready() const;                   ///< empty when it serves; any thread

 private:
  bus::MessageSink::Sent send(const LinkKey& key, wire::Message& message) override;
  void run();
  void turn(bus::LinkTime now);
  void run_tasks();
  void hear_failures(bus::LinkTime now);
  void sleep(bus::LinkTime now);
  void publish_readiness();

  const BrokerLoopConfig config_;
  const Limits limits_;
  const runtime::Logger logger_;
  RouterProbe probe_;
  bus::ZmqListener listener_;
  const wire::Hello hello_;
  std::unique_ptr<MemberLinks> others_;  ///< null: there are none
  Router router_;
  std::shared_ptr<void> probe_handle_;
  std::shared_ptr<void> core_probe_handle_;
  std::string endpoint_;
  std::thread thread_;
  std::vector<Task> running_;
  bus::LinkTime last_complaint_{};
  bool more_ = false;

  // Any thread:
  std::mutex tasks_mutex_;
  std::vector<Task> tasks_;
  mutable std::mutex ready_mutex_;
  std::string not_ready_;
  std::atomic<std::size_t> backlog_{0};
  std::atomic<std::size_t> links_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<std::int64_t> last_turn_ms_{0};
};

}  // namespace peal::broker
