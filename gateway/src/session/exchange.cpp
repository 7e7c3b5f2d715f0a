#include <utility>

#include "session/http_service.hpp"
#include "session/shard.hpp"

namespace peal::gateway {

Exchange& Exchange::operator=(Exchange&& other) noexcept {
  std::swap(shard_, other.shard_);
  std::swap(index_, other.index_);
  std::swap(generation_, other.generation_);
  return *this;
}

Exchange::~Exchange() {
  if (shard_ == nullptr) return;
  shard_->respond(index_, generation_,
                  http::problem(fail(ErrorCode::internal_error, "the request was not answered")));
}

void Exchange::respond(http::Response response) {
  Shard* shard = std::exchange(shard_, nullptr);
  if (shard != nullptr) shard->respond(index_, generation_, std::move(response));
}

void Exchange::respond(http::Response response, std::unique_ptr<BodySource> body) {
  Shard* shard = std::exchange(shard_, nullptr);
  if (shard != nullptr) shard->respond(index_, generation_, std::move(response), std::move(body));
}

void Exchange::wait(std::shared_ptr<Waiter> waiter, std::chrono::milliseconds at_most) {
  if (shard_ != nullptr) shard_->wait(index_, generation_, std::move(waiter), at_most);
}

void Exchange::upgrade(Protocol& protocol, std::shared_ptr<const Principal> principal,
                       HttpHeaders headers) {
  Shard* shard = std::exchange(shard_, nullptr);
  if (shard != nullptr)
    shard->upgrade(index_, generation_, protocol, std::move(principal), std::move(headers));
}

void Exchange::stream(Protocol& protocol, std::shared_ptr<const Principal> principal,
                      HttpHeaders headers, StreamOrder order) {
  Shard* shard = std::exchange(shard_, nullptr);
  if (shard != nullptr)
    shard->stream(index_, generation_, protocol, std::move(principal), headers, order);
}

bool Exchange::alive() const {
  return shard_ != nullptr && shard_->alive(index_, generation_);
}
std::string Exchange::peer() const {
  return shard_ == nullptr ? std::string() : shard_->peer(index_, generation_);
}
bool Exchange::secure() const {
  return shard_ != nullptr && shard_->config().tls != nullptr;
}
Engine& Exchange::engine() const {
  return shard_->engine();
}

}  // namespace peal::gateway
