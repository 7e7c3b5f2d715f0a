#pragma once
// Questions to the cluster, as a process with a bus over ZeroMQ asks and answers them. Any thread
// asks, and any thread may give an answer of this process; both wait here for the bus thread, which
// writes them to a link and hears what comes. A question goes to one broker, which asks everybody;
// it ends with the answer, with its link, or kGrace after its time.

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "bus/zmq_socket.hpp"
#include "peal/bus/peer_link.hpp"
#include "peal/proto/cluster_query.hpp"

namespace peal::bus {

class ZmqSession;

class ZmqQueries {
 public:
  /// For what is on its way when the time of a question is over: the broker then says who is
  /// missing.
  static constexpr std::chrono::milliseconds kGrace{1000};

  explicit ZmqQueries(WakeDescriptor& wake) : wake_(wake) {}

  void answer_with(ClusterHandler handler) { handler_ = std::move(handler); }  ///< before start
  bool answers() const { return handler_ != nullptr; }
  void ask(ClusterQuery query, ClusterDone done);  ///< any thread

  // The bus thread:
  /// Writes what waits, and tells what is overdue or lost. `linked` are the sessions that take
  /// something.
  void turn(std::span<ZmqSession* const> linked, LinkTime now);
  void on_query(ZmqSession& from, RequestId id, const ClusterQuery& query);
  void on_answer(const ZmqSession& from, RequestId id, const ClusterAnswer& answer);
  /// There will be no turn any more: what waits is told so, and what is asked later.
  void finish();
  bool idle() const { return !waiting_ && under_way_.empty(); }

 private:
  /// Null once the session is gone: what belongs to it is for nobody then.
  using Link = std::weak_ptr<ZmqSession*>;
  struct Asked {
    ClusterQuery query;
    ClusterDone done;
  };
  struct Given {
    Link link;
    RequestId id;
    ClusterAnswer answer;
  };
  struct UnderWay {
    Link link;
    LinkTime until;
    ClusterDone done;
  };

  void send(Asked asked, std::span<ZmqSession* const> linked, LinkTime now);
  void end_lost(LinkTime now);

  WakeDescriptor& wake_;
  ClusterHandler handler_;
  std::map<RequestId, UnderWay> under_way_;
  RequestId next_ = 1;

  // Any thread:
  std::mutex mutex_;
  std::vector<Asked> asked_;
  std::vector<Given> given_;
  bool finished_ = false;
  std::atomic<bool> waiting_{false};  ///< one of the two has something
};

}  // namespace peal::bus
