#pragma once
// What all HTTP faces share: Call, which is what an answer needs of its request after the request
// is gone, and Desk, which checks every request first (Host, Origin, key) and sends answers with
// the CORS headers that are due. One desk a shard, on its thread; what it shares with other shards
// (RouterShared) is immutable. Errors are problems with a code of the one table.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "http/http_probe.hpp"
#include "http/static_files.hpp"
#include "peal/proto/limits.hpp"
#include "peal/runtime/logger.hpp"
#include "session/authenticator.hpp"
#include "session/engine.hpp"
#include "session/http_service.hpp"
#include "session/origin.hpp"

namespace peal::gateway::http {

using ProtocolFactory = std::function<std::unique_ptr<Protocol>(const Limits&)>;

struct RouterShared {
  Limits limits;
  OriginPolicy origins{OriginPolicy::Config{}};
  std::shared_ptr<Authenticator> authenticator =
      std::make_shared<Authenticator>(Authenticator::Keys{});
  std::shared_ptr<const StaticFiles> files;  ///< null: no pages
  std::vector<ProtocolFactory> protocols;    ///< what /ws speaks; the first is the default
};

struct Call {
  Exchange exchange;
  std::shared_ptr<const Principal> principal{};
  std::string cors_origin{};  ///< empty: no CORS headers
  std::string target{};       ///< the request's path and query, as sent
};

/// What a path takes, for Allow and for a browser's question before a cross-origin request.
struct Methods {
  std::string_view allowed;  ///< "GET, HEAD, PUT"
  std::string_view headers;  ///< request headers that pages elsewhere may send
};

class Desk {
 public:
  Desk(std::shared_ptr<const RouterShared> shared, runtime::Logger logger,
       runtime::ProbeRegistry& probes);

  const RouterShared& shared() const { return *shared_; }
  const Limits& limits() const { return shared_->limits; }
  HttpProbe& probe() { return probe_; }

  enum class Admission : std::uint8_t {
    admitted,
    refused,   ///< and answered
    undecided  ///< the key is none of ours: the connect hook says whose it is
  };
  /// Checks Host, Origin and key.
  Admission admit(const Request& request, Call& call);
  /// Answers OPTIONS (a preflight: 204) and methods that are not `methods` (405 with Allow); true
  /// when it did.
  bool turned_away(const Request& request, Call& call, const Methods& methods);
  void answer(Call& call, Response response);
  /// Those that an answer which isn't sent by `answer` has to have.
  HttpHeaders cors_headers(const Call& call) const;
  /// As answer, with a body that follows in pieces.
  void answer(Call& call, Response response, std::unique_ptr<BodySource> body);
  void refuse(Call& call, const Error& error);

 private:
  static void add_cors(const Call& call, Response& response);
  void log_refusal(const Error& error, std::string_view key, std::string_view value);

  const std::shared_ptr<const RouterShared> shared_;
  const runtime::Logger logger_;
  HttpProbe probe_;
  std::shared_ptr<void> registration_;
  std::unordered_set<std::string> refusals_logged_;
};

/// 200 with a body that nobody keeps.
Response json_response(std::string body);

}  // namespace peal::gateway::http
