#pragma once
// A stretch of a file as a response's body: pages of its log, one at a time. The file is its
// payload bytes and then the 8 bytes of its epoch; a reader sees it as it was when the answer
// began. When the log has another epoch meanwhile the body fails: never bytes of two files.

#include <memory>
#include <string>

#include "http/byte_range.hpp"
#include "peal/proto/position.hpp"
#include "session/body_source.hpp"
#include "session/engine.hpp"

namespace peal::gateway::http {

/// A file as one read found it.
struct FileState {
  Position position;
  std::uint64_t payload_bytes = 0;
  bool exists() const { return position.offset.value != 0; }
  /// With the epoch at its end.
  std::uint64_t size() const { return payload_bytes + Epoch::kSize; }
};

class FileBody final : public BodySource {
 public:
  /// Who asks has been let in; `range` lies within the file.
  FileBody(Engine& engine, std::string channel, const FileState& file, const ByteRange& range,
           std::size_t piece_bytes);
  void pull(Taker taker) override;

 private:
  struct Reading;
  Engine& engine_;
  const std::size_t piece_bytes_;
  std::shared_ptr<Reading> reading_;
};

}  // namespace peal::gateway::http
