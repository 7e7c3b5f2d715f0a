#pragma once
// What a request to the public listener means: the table of paths and methods, and what every one
// of them is checked for first (Host, Origin, key). One per shard, on its thread; what it shares
// with the other shards (RouterShared) is immutable. Errors are problems with a code of the one
// table.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "http/http_probe.hpp"
#include "http/static_files.hpp"
#include "peal/proto/json.hpp"
#include "peal/proto/limits.hpp"
#include "peal/runtime/logger.hpp"
#include "session/authenticator.hpp"
#include "session/http_service.hpp"
#include "session/json_protocol.hpp"
#include "session/origin.hpp"

namespace peal::gateway::http {

using ProtocolFactory = std::function<std::unique_ptr<Protocol>(const Limits&)>;

struct RouterShared {
  Limits limits;
  OriginPolicy origins{OriginPolicy::Config{}};
  Authenticator authenticator{{}};
  std::shared_ptr<const StaticFiles> files;  ///< null: no pages
  std::vector<ProtocolFactory> protocols;    ///< what /ws speaks; the first is the default
};

class Router final : public HttpService {
 public:
  Router(std::shared_ptr<const RouterShared> shared, runtime::Logger logger,
         runtime::ProbeRegistry& probes);

  void handle(const Request& request, Exchange exchange) override;

 private:
  /// What the answer needs of its request, after the request is gone.
  struct Call {
    Exchange exchange;
    std::shared_ptr<const Principal> principal;
    std::string cors_origin;  ///< empty: no CORS headers
  };

  void upgrade(const Request& request, Call call);
  void publish(const Request& request, Call call);
  void command(const Request& request, Call call);
  void publish_command(const Command& command, Call call);
  /// Checks Host, Origin and key; answers and returns false when one is refused.
  bool admit(const Request& request, Call& call);
  void answer(Call& call, Response response);
  void refuse(Call& call, const Error& error);
  void log_refusal(const Error& error, std::string_view key, std::string_view value);

  const std::shared_ptr<const RouterShared> shared_;
  const runtime::Logger logger_;
  HttpProbe probe_;
  std::shared_ptr<void> registration_;
  std::vector<std::unique_ptr<Protocol>> protocols_;
  JsonProtocol json_;
  JsonReader reader_;
  Command command_;
  std::unordered_set<std::string> refusals_logged_;
};

}  // namespace peal::gateway::http
