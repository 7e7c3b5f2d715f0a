#pragma once
// A publish that has to wait: with all that its request borrows.

#include <string>

#include "peal/proto/bus_messages.hpp"

namespace peal::bus {

class OwnedPublish {
 public:
  explicit OwnedPublish(const PublishRequest& request)
      : request_(request),
        channel_(request.channel),
        publication_(copy_of(request.publication)),
        idempotency_key_(request.idempotency_key) {}

  RequestId id() const { return request_.id; }
  const std::string& channel() const { return channel_; }
  const Publication& publication() const { return publication_; }
  /// Borrows from here.
  PublishRequest request() const {
    PublishRequest request = request_;
    request.channel = channel_;
    request.publication = view_of(publication_);
    request.idempotency_key = idempotency_key_;
    return request;
  }

 private:
  PublishRequest request_;  ///< what its views were is gone
  std::string channel_;
  Publication publication_;
  std::string idempotency_key_;
};

}  // namespace peal::bus
