// Reading the log for whoever asks.
#include <algorithm>
#include <utility>

#include "session/sessions.hpp"

namespace peal::gateway {
namespace {

void refuse(const PageDone& done, Error error) {
  bus::Page page;
  page.error = std::move(error);
  done(page);
}

}  // namespace

void Sessions::read(const std::shared_ptr<const Principal>& principal,
                    const bus::ReadRequest& request, PageDone done) {
  if (auto error = config_.rules->may_subscribe(*principal, request.channel)) {
    probe_.failed(error->code);
    return refuse(done, std::move(*error));
  }
  if (!config_.hooks.subscribe) return read_trusted(request, std::move(done));
  const auto channel = std::make_shared<const std::string>(request.channel);
  SubscribeQuestion question{principal, SessionRef(), *channel};
  ask([&](HookCompletion completion) { config_.hooks.subscribe(question, std::move(completion)); },
      [this, channel, asked = request, done = std::move(done)](
          const Result<std::shared_ptr<const Principal>>& answer) mutable {
        if (!answer) return refuse(done, answer.error());
        asked.channel = *channel;
        read_trusted(asked, std::move(done));
      });
}

void Sessions::read_trusted(const bus::ReadRequest& request, PageDone done) {
  if (!bus_state_.linked)
    return refuse(done, fail(ErrorCode::broker_unavailable, "no broker can be reached"));
  const std::uint32_t index = reads_.emplace(std::move(done));
  bus::ReadRequest asked = request;
  asked.id = (bus::RequestId{reads_.generation(index) & 0x7fffffff} << 32) | index;
  asked.limit = std::min(request.limit, config_.limits.page_length_max);
  asked.bytes = std::min(request.bytes, config_.limits.page_bytes_max);
  port_->read(asked);
}

void Sessions::end_reads() {
  for (std::uint32_t i = 0; i < reads_.limit(); ++i) {
    if (!reads_.used(i)) continue;
    const PageDone done = std::move(reads_.at(i));
    reads_.erase(i);
    refuse(done, fail(ErrorCode::draining, "the gateway stopped meanwhile"));
  }
}

void Sessions::on_page(const bus::Page& page) {
  if ((page.id & Hub::kReadBit) != 0) return hub_.on_page(page);
  const auto index = static_cast<std::uint32_t>(page.id);
  const auto generation = static_cast<std::uint32_t>(page.id >> 32);
  if (!reads_.used(index) || (reads_.generation(index) & 0x7fffffff) != generation) return;
  const PageDone done = std::move(reads_.at(index));
  reads_.erase(index);
  done(page);
}

}  // namespace peal::gateway
