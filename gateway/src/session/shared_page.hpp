#pragma once
// A page of a log that many share: copied once out of what the bus said, then immutable, so that
// every shard of the gateway may hold it. `CarriedPage` is one shard's use of it: the bytes that go
// out, encoded once per variant when the first session wants them, either as the list of a
// subscribe result or as messages of their own. A CarriedPage belongs to its shard's thread.

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/frame.hpp"
#include "peal/bus/bus_port.hpp"
#include "session/encoder.hpp"

namespace peal::gateway {

class SharedPage {
 public:
  /// Copies the page and everything that it borrows.
  explicit SharedPage(const bus::Page& page);
  SharedPage(const SharedPage&) = delete;
  SharedPage& operator=(const SharedPage&) = delete;

  const bus::Page& page() const { return page_; }
  std::size_t bytes() const {
    return bytes_.capacity() + sizeof *this + publications_.size() * 160;
  }

 private:
  std::string bytes_;
  std::vector<PublicationView> publications_;
  bus::Page page_;
};
using SharedPageRef = std::shared_ptr<const SharedPage>;  ///< shards outlive one another

class CarriedPage {
 public:
  CarriedPage() = default;
  explicit CarriedPage(SharedPageRef shared) : shared_(std::move(shared)) {}

  const bus::Page& page() const { return shared_->page(); }
  const SharedPageRef& shared() const { return shared_; }
  /// The publications as a subscribe result holds them; a frame that is `continued`.
  const FrameRef& list(Encoder& encoder, std::uint8_t variant);
  /// The publications as messages, each with `after` where nothing was due before it; that nothing
  /// was due behind the last one is told by a position. Null when there is nothing to say.
  const FrameRef& messages(Encoder& encoder, std::uint8_t variant, std::string_view channel);
  /// The same, one by one.
  void each_push(std::string_view channel, const std::function<void(const Push&)>& each) const;
  std::size_t encodes() const { return encodes_; }

 private:
  SharedPageRef shared_;
  std::array<FrameRef, Encoder::kVariantsMax> lists_;
  std::array<FrameRef, Encoder::kVariantsMax> messages_;
  std::size_t encodes_ = 0;
};

}  // namespace peal::gateway
