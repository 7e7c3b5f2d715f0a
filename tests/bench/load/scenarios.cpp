#include "load/scenarios.hpp"

namespace peal::bench {

std::vector<Scenario> scenarios(bool full) {
  std::vector<Scenario> all{
      {"counts", "encodes, system calls and allocations of a publication to 1,000 subscribers",
       counts},
      {"fanout", "1,000 subscribers of one channel, 128 bytes, server on one core", fanout},
      {"streams", "1,000 readers of server-sent events beside WebSocket", streams},
      {"recoveries", "clients of one channel that come back at once, 100 publications behind",
       recoveries},
      {"cycles", "sessions that come, subscribe and go leave nothing behind", cycles},
  };
  if (!full) return all;
  all.insert(
      all.end(),
      {
          {"throttle", "the same, publishing as fast as it goes, and more than that", throttle},
          {"channels", "1,000 channels of one subscriber, published over WebSocket", channels},
          {"idle", "connections that are subscribed and do nothing", idle},
          {"idle_tls", "the same over TLS", idle_tls},
          {"connects", "connect, upgrade, subscribe against a floor of the same system calls",
           connects},
          {"stopped_reader", "what one stopped reader of 1,000 does to the others", stopped_reader},
      });
  return all;
}

}  // namespace peal::bench
