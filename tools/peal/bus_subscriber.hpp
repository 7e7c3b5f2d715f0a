#pragma once
// Follows channels as a node of the bus: what a gateway would hear, without a gateway.

#include <chrono>
#include <string>
#include <vector>

#include "output.hpp"
#include "peal/runtime/curve.hpp"
#include "publication_printer.hpp"

namespace peal::cli {

struct BusSubscription {
  std::string endpoint;
  runtime::CurveConfig curve;
  std::vector<std::string> channels;
  std::chrono::milliseconds timeout{5000};
  bool once = false;  ///< end when the link is lost; else it comes back by itself
};

/// Until the printer is finished, or a signal.
Outcome<void> subscribe_on_bus(const BusSubscription& subscription, PublicationPrinter& printer,
                               Console& console);

}  // namespace peal::cli
