#pragma once
// /files/{name}: a channel whose rule says `file`, as a run of bytes that grows at its end: all
// payloads, then the 8 bytes of its epoch. GET and HEAD with Range and If-Range; several ranges get
// the whole. PUT is the FileChanges'. One per shard, on its thread; holds nothing between requests.

#include <string_view>

#include "http/desk.hpp"
#include "http/file_body.hpp"
#include "http/file_changes.hpp"

namespace peal::gateway::http {

class FileFace {
 public:
  explicit FileFace(Desk& desk) : desk_(desk), changes_(desk) {}
  /// `call` is admitted and `channel` a valid name.
  void serve(const Request& request, std::string_view channel, Call call);

 private:
  struct Question;
  void read(const Request& request, std::string_view channel, Call call);
  void answer(Question& question, const FileState& file);

  Desk& desk_;
  FileChanges changes_;
};

}  // namespace peal::gateway::http
