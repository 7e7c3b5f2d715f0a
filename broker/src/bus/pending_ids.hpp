#pragma once
// The publishes of one port that a home has not answered yet. Answers come nearly in the order of
// the questions, so this is a ring that is searched from its front.

#include <cstddef>
#include <deque>

#include "peal/bus/bus_port.hpp"

namespace peal::bus {

class PendingIds {
 public:
  void asked(RequestId id) { ids_.push_back(id); }
  void answered(RequestId id) {
    for (auto i = ids_.begin(); i != ids_.end(); ++i) {
      if (*i != id) continue;
      *i = 0;
      break;
    }
    while (!ids_.empty() && ids_.front() == 0)
      ids_.pop_front();
  }
  template <class Each>
  void drain(Each&& each) {
    for (const RequestId id : ids_) {
      if (id != 0) each(id);
    }
    ids_.clear();
  }

 private:
  std::deque<RequestId> ids_;
};

}  // namespace peal::bus
