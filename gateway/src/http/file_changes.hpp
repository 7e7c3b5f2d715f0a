#pragma once
// PUT of a file. With Content-Range the body is appended if its first byte is the file's end, its
// epoch not counted; without, the file is created or replaced and begins a new epoch. Both are
// appends that the core judges by what was read just before, so of two writers one is first and the
// other is told where the end is now. One per shard, on its thread; a change lives until it is
// answered.

#include <memory>
#include <string_view>

#include "http/desk.hpp"
#include "http/file_body.hpp"

namespace peal::gateway::http {

/// What to read to learn a file's state, and what came of it.
bus::ReadRequest read_file_state(std::string_view channel);
FileState file_state(const bus::Page& page);

class FileChanges {
 public:
  explicit FileChanges(Desk& desk) : desk_(desk) {}
  /// `call` is admitted and `channel` a file's name.
  void put(const Request& request, std::string_view channel, Call call);

 private:
  struct Change;
  using ChangePtr = std::shared_ptr<Change>;

  std::optional<Error> read_change(const Request& request, Change& change);
  void attempt(const ChangePtr& change);
  void append(const ChangePtr& change, const FileState& file);
  void replace(const ChangePtr& change, const FileState& file);
  void publish(const ChangePtr& change, bus::PublishRequest& request);
  void refuse_at(const ChangePtr& change, const FileState& file, ErrorCode code, std::string why);

  Desk& desk_;
};

}  // namespace peal::gateway::http
