// Lists of brokers as configurations name them.
#include <algorithm>

#include "peal/bus/zmq_bus.hpp"
#include "peal/proto/channel_name.hpp"

namespace peal::bus {
namespace {

bool is_endpoint(std::string_view text) {
  return text.starts_with("tcp://") || text.starts_with("ipc://");
}

}  // namespace

Result<std::vector<BrokerAddress>> read_brokers(const std::vector<std::string>& list,
                                                const std::string& key) {
  const auto wrong = [&](const std::string& why) {
    return fail(ErrorCode::config_invalid, key + ": " + why);
  };
  if (list.empty()) return wrong("no broker is named");
  if (list.size() > kBrokersMax)
    return wrong("more than " + std::to_string(kBrokersMax) + " brokers");
  std::vector<BrokerAddress> brokers;
  for (const std::string& entry : list) {
    const std::size_t equals = is_endpoint(entry) ? std::string::npos : entry.find('=');
    BrokerAddress broker;
    if (equals != std::string::npos) broker.name = entry.substr(0, equals);
    broker.endpoint = entry.substr(equals == std::string::npos ? 0 : equals + 1);
    if (!is_endpoint(broker.endpoint))
      return wrong("'" + entry + "' is neither tcp://host:port nor ipc://path nor name=endpoint");
    const bool named = ChannelName::valid(broker.name);
    if (!named && (equals != std::string::npos || list.size() > 1)) {
      return wrong("'" + entry +
                   "' has no name: of several brokers each is name=endpoint, with "
                   "the name that the broker has itself");
    }
    brokers.push_back(std::move(broker));
  }
  std::ranges::sort(brokers, {}, &BrokerAddress::name);
  const auto same = std::ranges::adjacent_find(brokers, {}, &BrokerAddress::name);
  if (same != brokers.end()) return wrong("two brokers are named " + same->name);
  return brokers;
}

}  // namespace peal::bus
