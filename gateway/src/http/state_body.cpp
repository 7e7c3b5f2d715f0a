#include "http/state_body.hpp"

#include <utility>

#include "session/json_protocol.hpp"

namespace peal::gateway::http {

/// Outlives the source while a page is on its way.
struct StateBody::Reading {
  std::string channel;
  Epoch epoch;
  Offset after{};
  bool begun = false;
  bool listed = false;  ///< a publication was written

  Piece piece_of(const bus::Page& page) {
    const bool all = page.to == page.head.top;
    if (page.error || (!all && page.to <= after)) return {.failed = true};
    std::string out;
    if (!begun) out.append(R"({"epoch":")").append(epoch.view()).append(R"(","publications":[)");
    begun = true;
    for (const PublicationView& publication : page.publications) {
      if (listed) out += ',';
      listed = true;
      append_publication(out, publication);
    }
    after = page.to;
    if (all) out.append(R"(],"offset":)").append(std::to_string(after.value)).append("}");
    return {.bytes = FrameRef::make(out, 0), .last = all};
  }
};

StateBody::StateBody(Engine& engine, std::string channel, const Epoch& epoch)
    : engine_(engine), reading_(std::make_shared<Reading>(Reading{std::move(channel), epoch})) {}

void StateBody::pull(Taker taker) {
  bus::ReadRequest request;
  request.channel = reading_->channel;
  request.mode = bus::ReadRequest::Mode::state;
  request.epoch = reading_->epoch;
  request.after = reading_->after;
  request.limit = SIZE_MAX;
  engine_.read_trusted(request, [reading = reading_, taker = std::move(taker)](
                                    const bus::Page& page) { taker(reading->piece_of(page)); });
}

}  // namespace peal::gateway::http
