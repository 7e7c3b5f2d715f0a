#pragma once
// What the HTTP faces count, one probe a shard.

#include <array>

#include "peal/proto/error_code.hpp"
#include "peal/runtime/probe.hpp"

namespace peal::gateway::http {

class HttpProbe final : public runtime::Probe {
 public:
  enum class Face : std::uint8_t { websocket, channels, files, stream, command, page, other };

  void requested(Face face) { requests_[static_cast<std::size_t>(face)].add(); }
  void refused(ErrorCode code) { refusals_[static_cast<std::size_t>(code)].add(); }

  void collect(runtime::MetricSink& sink) const override {
    constexpr std::array kFaces = {"websocket", "channels", "files", "stream",
                                   "command",   "page",     "other"};
    for (std::size_t i = 0; i < kFaces.size(); ++i) {
      sink.counter("peal_http_face_requests_total", "Requests to the public listener by face",
                   requests_[i], {{"face", kFaces[i]}});
    }
    for (std::size_t i = 0; i < refusals_.size(); ++i) {
      if (refusals_[i].value() == 0) continue;
      sink.counter("peal_http_errors_total", "HTTP requests answered with a problem, by its code",
                   refusals_[i], {{"code", info(static_cast<ErrorCode>(i)).name}});
    }
  }

 private:
  std::array<runtime::Counter, 7> requests_;
  std::array<runtime::Counter, 256> refusals_;
};

}  // namespace peal::gateway::http
