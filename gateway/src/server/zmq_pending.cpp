// Until the ZeroMQ driver is in the tree, asking for it is an error that says so. Goes when it
// comes.
#include "peal/bus/zmq_bus.hpp"

namespace peal::bus {

Result<std::unique_ptr<Bus>> make_zmq_bus(ZmqBusConfig, const Limits&, runtime::Logger,
                                          runtime::ProbeRegistry&) {
  return fail(ErrorCode::config_invalid, "bus.driver: zmq is not built into this gateway");
}

}  // namespace peal::bus
