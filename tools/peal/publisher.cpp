#include "publisher.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "json_text.hpp"
#include "peal/proto/position.hpp"

namespace peal::cli {
namespace {

/// Those on their way, so that a lost link answers each once.
class Unanswered {
 public:
  void add(std::uint64_t id, std::size_t bytes) { bytes_of_.emplace(id, bytes); }
  bool take(std::uint64_t id) { return bytes_of_.erase(id) == 1; }
  bool empty() const { return bytes_of_.empty(); }
  std::uint64_t largest() const {
    const auto less = [](const auto& a, const auto& b) { return a.second < b.second; };
    return std::max_element(bytes_of_.begin(), bytes_of_.end(), less)->first;
  }
  void lose_all(const Publisher::OnResult& on_result, const std::string& why) {
    for (const auto& [id, bytes] : std::exchange(bytes_of_, {})) {
      on_result(id, {{}, "publish_outcome_unknown", why});
    }
  }

 private:
  std::map<std::uint64_t, std::size_t> bytes_of_;
};

class ControlPublisher final : public Publisher {
 public:
  ControlPublisher(std::string endpoint, runtime::CurveConfig curve, OnResult on_result)
      : client_(std::move(endpoint), std::move(curve)), on_result_(std::move(on_result)) {}

  Outcome<void> connect(std::chrono::milliseconds timeout) override {
    return client_.connect(timeout);
  }

  Outcome<void> send(std::uint64_t id, const PublishText& text) override {
    const std::string payload = text.payload_json();
    auto sent = client_.send(id, "publish", payload);
    if (!sent) {
      on_result_(id, {{}, "broker_unavailable", sent.error().message});
      unanswered_.lose_all(on_result_, sent.error().message);
      return sent;
    }
    unanswered_.add(id, payload.size());
    return {};
  }

  Outcome<void> wait(int fd, std::chrono::milliseconds timeout) override {
    auto waited = client_.wait(fd, timeout, [this](const ControlReplyText& reply) {
      // Without an id it answers a command that was too large to be read: the largest one, then.
      const bool unread = reply.id == 0 && reply.refused() && !unanswered_.empty();
      const std::uint64_t id = unread ? unanswered_.largest() : reply.id;
      if (unanswered_.take(id)) {
        on_result_(id, {reply.result, reply.code, reply.message});
      }
    });
    if (!waited) {
      unanswered_.lose_all(on_result_, waited.error().message);
    }
    return waited;
  }

 private:
  ControlClient client_;
  OnResult on_result_;
  Unanswered unanswered_;
};

class IngestPublisher final : public Publisher {
 public:
  IngestPublisher(std::string endpoint, runtime::CurveConfig curve, OnResult on_result)
      : client_(std::move(endpoint), std::move(curve)), on_result_(std::move(on_result)) {}

  Outcome<void> connect(std::chrono::milliseconds timeout) override {
    timeout_ = timeout;
    return client_.connect(timeout);
  }

  Outcome<void> send(std::uint64_t id, const PublishText& text) override {
    auto sent = client_.send(text.channel, text.message, timeout_);
    on_result_(id, sent ? PublishOutcome{"{}", {}, {}}
                        : PublishOutcome{{}, "broker_unavailable", sent.error().message});
    return sent;
  }

  Outcome<void> wait(int fd, std::chrono::milliseconds timeout) override {
    return client_.wait(fd, timeout);
  }

  void finish(std::chrono::milliseconds timeout) override { client_.finish(timeout); }

 private:
  IngestClient client_;
  OnResult on_result_;
  std::chrono::milliseconds timeout_{5000};
};

}  // namespace

std::string PublishText::payload_json() const {
  if (!whole.empty()) {
    return whole;
  }
  JsonBuilder out;
  out.text("channel", channel);
  if (!message.empty()) {
    out.raw("message", message);
  }
  if (!key.empty()) {
    out.text("key", key);
  }
  if (remove) {
    out.boolean("delete", true);
  }
  if (const auto position = Position::parse(expect)) {
    out.raw("expect", JsonBuilder()
                          .text("epoch", position->epoch.view())
                          .number("offset", position->offset.value)
                          .str());
  }
  for (const auto& [name, value] : {std::pair<const char*, const std::string&>{"source", source},
                                    {"sequence", sequence},
                                    {"previous", previous},
                                    {"idempotency_key", idempotency_key}}) {
    if (!value.empty()) {
      out.text(name, value);
    }
  }
  return out.str();
}

std::unique_ptr<Publisher> make_control_publisher(std::string endpoint, runtime::CurveConfig curve,
                                                  Publisher::OnResult on_result) {
  return std::make_unique<ControlPublisher>(std::move(endpoint), std::move(curve),
                                            std::move(on_result));
}

std::unique_ptr<Publisher> make_ingest_publisher(std::string endpoint, runtime::CurveConfig curve,
                                                 Publisher::OnResult on_result) {
  return std::make_unique<IngestPublisher>(std::move(endpoint), std::move(curve),
                                           std::move(on_result));
}

}  // namespace peal::cli
