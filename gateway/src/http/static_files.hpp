#pragma once
// The demo page and the client bundle: every regular file of a folder, read once at start-up, so
// that a path of a request is only ever looked up and no path can lead out of the folder. `x.gz`
// beside `x` is what clients that take gzip get. Immutable; shared by all shards.

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "http/http_machine.hpp"
#include "peal/proto/result.hpp"

namespace peal::gateway::http {

class StaticFiles {
 public:
  /// The error names the folder or file and why it can't be read. Files that start with a dot are
  /// left out.
  static Result<std::shared_ptr<const StaticFiles>> load(const std::string& folder);

  bool has(std::string_view path) const { return find(path) != nullptr; }
  /// The answer to GET or HEAD of a path that is here: 200, or 304 for a matching If-None-Match.
  Response respond(const Request& request) const;

 private:
  struct File {
    std::string body;
    std::string gzip;  ///< empty: no neighbour
    std::string tag;   ///< without quotes
    std::string_view type;
  };
  const File* find(std::string_view path) const;

  std::map<std::string, File, std::less<>> files_;  ///< by path, "/index.html"
};

}  // namespace peal::gateway::http
