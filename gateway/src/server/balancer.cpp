#include "server/balancer.hpp"

#include <condition_variable>
#include <mutex>
#include <utility>

namespace peal::gateway {
namespace {

constexpr std::size_t kToleranceParts = 10;  ///< one of so many parts above the mean is nothing
constexpr std::size_t kTolerance = 5;

}  // namespace

std::size_t surplus(std::size_t own, std::size_t sessions, std::size_t gateways) {
  if (gateways < 2) return 0;
  const std::size_t part = (sessions + gateways - 1) / gateways;
  return own > part + part / kToleranceParts + kTolerance ? own - part : 0;
}

Balancer::Balancer(Gateway& gateway, std::chrono::milliseconds interval, runtime::Logger logger)
    : gateway_(gateway), logger_(std::move(logger)) {
  if (interval.count() == 0) return;
  thread_ = std::jthread([this, interval](const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any nobody;
    std::unique_lock lock(mutex);
    while (!stop.stop_requested()) {
      nobody.wait_for(lock, stop, interval, [] { return false; });
      if (!stop.stop_requested()) look([](const Result<std::size_t>&) {});
    }
  });
}

Balancer::~Balancer() = default;

void Balancer::look(std::function<void(Result<std::size_t>)> then) {
  const bus::ClusterQuery query;  // counts
  gateway_.ask_here(query, [&gateway = gateway_, logger = logger_, query,
                            then = std::move(then)](const bus::ClusterAnswer& here) {
    if (here.error) return then(*here.error);
    gateway.ask(query,
                [&gateway, logger, then, own = here.sessions](const bus::ClusterAnswer& all) {
                  if (all.error) return then(*all.error);
                  const std::size_t closing = surplus(own, all.sessions, all.answered);
                  if (closing > 0) {
                    logger.info("spreading clients again", {{"sessions", own},
                                                            {"of", all.sessions},
                                                            {"gateways", all.answered},
                                                            {"closing", closing}});
                    gateway.shed(closing);
                  }
                  then(closing);
                });
  });
}

}  // namespace peal::gateway
