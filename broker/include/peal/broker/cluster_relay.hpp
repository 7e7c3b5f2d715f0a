#pragma once
// How a process asks the others of its cluster, and is asked, where there is no broker to do it
// (Bus::ask and Bus::answer_with say what is promised). Any thread.

#include "peal/proto/cluster_query.hpp"

namespace peal::broker {

class ClusterRelay {
 public:
  virtual ~ClusterRelay() = default;
  /// From now on this process is asked, too. At most once.
  virtual void answer_with(bus::ClusterHandler handler) = 0;
  /// `done` is called once, on a thread of the relay, maybe at once.
  virtual void ask(const bus::ClusterQuery& query, bus::ClusterDone done) = 0;
};

}  // namespace peal::broker
