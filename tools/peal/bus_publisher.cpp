#include <map>

#include "bus_client.hpp"
#include "json_text.hpp"
#include "peal/proto/position.hpp"
#include "publisher.hpp"

namespace peal::cli {
namespace {

using std::chrono::milliseconds;

/// Publishes as a node of the bus; a lost link answers by itself (refused, or unknown) and comes
/// back.
class BusPublisher final : public Publisher, private BusEvents {
 public:
  BusPublisher(std::string endpoint, runtime::CurveConfig curve, OnResult on_result)
      : endpoint_(std::move(endpoint)),
        curve_(std::move(curve)),
        on_result_(std::move(on_result)),
        client_(*this) {}

  Outcome<void> connect(milliseconds timeout) override {
    return client_.connect(endpoint_, curve_, timeout);
  }

  Outcome<void> send(std::uint64_t id, const PublishText& text) override {
    bus::PublishRequest request;
    request.id = id;
    request.channel = text.channel;
    request.publication.payload = text.message;
    request.publication.key = text.key;
    request.publication.kind = text.remove ? Kind::deletion : Kind::value;
    request.publication.source = text.source;
    if (const auto sequence = Sequence::parse(text.sequence)) {
      request.publication.sequence = *sequence;
    }
    request.previous = Sequence::parse(text.previous);
    request.expect = Position::parse(text.expect);
    request.idempotency_key = text.idempotency_key;
    client_.publish(request);
    return {};
  }

  Outcome<void> wait(int fd, milliseconds timeout) override {
    client_.wait(fd, timeout);
    return {};
  }

 private:
  void on_published(const bus::Published& published) override {
    if (published.status != bus::Published::Status::ok) {
      const Error error = published.error.value_or(fail(ErrorCode::publish_outcome_unknown, ""));
      on_result_(published.id, {{}, std::string(info(error.code).name), error.message});
      return;
    }
    JsonBuilder result;
    if (published.position) {
      result.text("epoch", published.position->epoch.view());
      result.number("offset", published.position->offset.value);
    }
    if (published.duplicate) {
      result.boolean("duplicate", true);
    }
    on_result_(published.id, {result.str(), {}, {}});
  }

  std::string endpoint_;
  runtime::CurveConfig curve_;
  OnResult on_result_;
  BusClient client_;
};

}  // namespace

std::unique_ptr<Publisher> make_bus_publisher(std::string endpoint, runtime::CurveConfig curve,
                                              Publisher::OnResult on_result) {
  return std::make_unique<BusPublisher>(std::move(endpoint), std::move(curve),
                                        std::move(on_result));
}

}  // namespace peal::cli
