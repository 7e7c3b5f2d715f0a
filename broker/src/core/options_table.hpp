#pragma once
// The channel options that a store's logs have: one object for each that differs, so that a log
// holds a pointer. There are as many as rules, and they stay as long as the table.

#include <deque>

#include "peal/broker/channel_options.hpp"

namespace peal::broker {

class OptionsTable {
 public:
  const ChannelOptions& intern(const ChannelOptions& options) {
    for (const ChannelOptions& known : all_) {
      if (known == options) return known;
    }
    return all_.emplace_back(options);
  }

 private:
  std::deque<ChannelOptions> all_;  ///< addresses are stable
};

}  // namespace peal::broker
