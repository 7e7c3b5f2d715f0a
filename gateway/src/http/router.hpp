#pragma once
// Which face a request to the public listener belongs to: the table of paths. One per shard, on its
// thread. The faces share the Desk, which checks each request before its face sees it; a key
// that is none of ours is shown to the connect hook first.

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "http/command_face.hpp"
#include "http/desk.hpp"
#include "http/file_face.hpp"
#include "http/resource_face.hpp"
#include "http/stream_face.hpp"

namespace peal::gateway::http {

class Router final : public HttpService {
 public:
  Router(std::shared_ptr<const RouterShared> shared, runtime::Logger logger,
         runtime::ProbeRegistry& probes);

  void handle(const Request& request, Exchange exchange) override;

 private:
  using Face = HttpProbe::Face;
  /// Of a path that is no page's.
  static std::optional<Face> face_of(std::string_view path);
  void ask_hook(Face face, const Request& request, Call call);
  /// `call` is admitted.
  void serve(Face face, const Request& request, Call call);
  void serve_channel(const Request& request, std::string_view channel, Call call);
  void upgrade(const Request& request, Call call);
  void page(const Request& request, Call call);
  /// Answers and returns false when the rest of the path is no channel's name.
  bool check_channel(std::string_view name, Call& call);

  Desk desk_;
  std::vector<std::unique_ptr<Protocol>> protocols_;
  CommandFace command_face_;
  ResourceFace resource_face_;
  FileFace file_face_;
  StreamFace stream_face_;
};

}  // namespace peal::gateway::http
