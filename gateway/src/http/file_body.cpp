#include "http/file_body.hpp"

#include <algorithm>
#include <utility>

namespace peal::gateway::http {

/// Outlives the source while a page is on its way.
struct FileBody::Reading {
  std::string channel;
  FileState file;
  ByteRange left;

  /// What of the epoch is due, when its turn has come.
  std::string_view tail() const {
    if (left.first < file.payload_bytes || left.first == left.end) return {};
    return file.position.epoch.view().substr(left.first - file.payload_bytes, left.size());
  }
  Piece piece_of(const bus::Page& page) {
    std::string bytes;
    std::size_t size = Epoch::kSize;
    for (const PublicationView& publication : page.publications)
      size += publication.payload.size();
    bytes.reserve(size);
    for (const PublicationView& publication : page.publications)
      bytes += publication.payload;
    const std::uint64_t most = std::min(left.end, file.payload_bytes) - left.first;
    if (page.error || page.first_byte != left.first || bytes.empty() || bytes.size() > most)
      return {.failed = true};
    left.first += bytes.size();
    return finish(std::move(bytes));
  }
  Piece finish(std::string bytes) {
    const std::string_view end = tail();
    bytes += end;
    left.first += end.size();
    return {.bytes = FrameRef::make(bytes, 0), .last = left.first == left.end};
  }
};

FileBody::FileBody(Engine& engine, std::string channel, const FileState& file,
                   const ByteRange& range, std::size_t piece_bytes)
    : engine_(engine),
      piece_bytes_(piece_bytes),
      reading_(std::make_shared<Reading>(Reading{std::move(channel), file, range})) {}

void FileBody::pull(Taker taker) {
  Reading& reading = *reading_;
  if (reading.left.first >= reading.file.payload_bytes) return taker(reading.finish({}));
  bus::ReadRequest request;
  request.channel = reading.channel;
  request.mode = bus::ReadRequest::Mode::bytes;
  request.epoch = reading.file.position.epoch;
  request.after = {reading.left.first};
  request.limit = SIZE_MAX;
  request.bytes = static_cast<std::size_t>(std::min<std::uint64_t>(
      piece_bytes_, std::min(reading.left.end, reading.file.payload_bytes) - reading.left.first));
  engine_.read_trusted(request, [reading = reading_, taker = std::move(taker)](
                                    const bus::Page& page) { taker(reading->piece_of(page)); });
}

}  // namespace peal::gateway::http
