#include "fake_bus.hpp"

#include <future>
#include <utility>

namespace peal::test {

class FakeBus::Port final : public bus::BusPort {
 public:
  Port(bus::BusSink& sink, bus::Waker& waker) : sink_(sink), waker_(waker) {}

  void watch(bus::Alias alias, std::string_view channel) override {
    const std::lock_guard lock(mutex_);
    watches_.push_back({alias, std::string(channel)});
  }
  void unwatch(bus::Alias alias) override {
    const std::lock_guard lock(mutex_);
    unwatches_.push_back(alias);
  }
  void publish(const bus::PublishRequest& request) override {
    const std::lock_guard lock(mutex_);
    publishes_.push_back(
        {request.id, std::string(request.channel), std::string(request.publication.payload)});
  }
  void read(const bus::ReadRequest& request) override {
    const std::lock_guard lock(mutex_);
    reads_.push_back({request.id, std::string(request.channel), request.after.value, request.mode,
                      request.epoch, request.limit});
  }
  void enter(bus::Alias alias, const bus::Member& member) override {
    const std::lock_guard lock(mutex_);
    comings_.push_back({alias, std::string(member.session), std::string(member.user),
                        std::string(member.data), false});
  }
  void leave(bus::Alias alias, std::string_view session) override {
    const std::lock_guard lock(mutex_);
    comings_.push_back({alias, std::string(session), {}, {}, true});
  }
  void presence(const bus::PresenceRequest& request) override {
    const std::lock_guard lock(mutex_);
    whos_.push_back(
        {request.id, std::string(request.channel), std::string(request.after), request.limit});
  }
  bool turn() override {
    std::vector<std::function<void(bus::BusSink&)>> words;
    {
      const std::lock_guard lock(mutex_);
      words = std::exchange(words_, {});
    }
    for (const auto& say : words)
      say(sink_);
    return false;
  }

  bus::BusSink& sink_;
  bus::Waker& waker_;
  mutable std::mutex mutex_;
  std::vector<Watch> watches_;
  std::vector<bus::Alias> unwatches_;
  std::vector<Publish> publishes_;
  std::vector<Read> reads_;
  std::vector<Coming> comings_;
  std::vector<Who> whos_;
  std::vector<std::function<void(bus::BusSink&)>> words_;
};

FakeBus::FakeBus() = default;
FakeBus::~FakeBus() = default;

bus::BusPort& FakeBus::attach(bus::BusSink& sink, bus::Waker& waker) {
  port_ = std::make_unique<Port>(sink, waker);
  link(true);
  return *port_;
}

std::vector<FakeBus::Watch> FakeBus::watches() const {
  const std::lock_guard lock(port_->mutex_);
  return port_->watches_;
}
std::vector<bus::Alias> FakeBus::unwatches() const {
  const std::lock_guard lock(port_->mutex_);
  return port_->unwatches_;
}
std::vector<FakeBus::Publish> FakeBus::publishes() const {
  const std::lock_guard lock(port_->mutex_);
  return port_->publishes_;
}
std::vector<FakeBus::Read> FakeBus::reads() const {
  const std::lock_guard lock(port_->mutex_);
  return port_->reads_;
}

std::vector<FakeBus::Coming> FakeBus::comings() const {
  const std::lock_guard lock(port_->mutex_);
  return port_->comings_;
}
std::vector<FakeBus::Who> FakeBus::whos() const {
  const std::lock_guard lock(port_->mutex_);
  return port_->whos_;
}

void FakeBus::say(std::function<void(bus::BusSink&)> words) {
  const std::lock_guard lock(port_->mutex_);
  port_->words_.push_back(std::move(words));
  port_->waker_.wake();
}

void FakeBus::settle() {
  std::promise<void> said;
  say([&](bus::BusSink&) { said.set_value(); });
  said.get_future().get();
}

void FakeBus::link(bool linked) {
  say([linked](bus::BusSink& sink) {
    sink.on_state({linked, true, linked ? "linked" : "no broker"});
  });
}

void FakeBus::answer_watch(bus::Alias alias, std::optional<Head> head, std::optional<Error> error) {
  say([=](bus::BusSink& sink) {
    const bus::HeadNotice notice{alias, true, head, error};
    sink.on_heads({&notice, 1});
  });
}

void FakeBus::answer_publish(bus::RequestId id, bus::Published::Status status,
                             std::optional<Error> error) {
  say([=](bus::BusSink& sink) {
    bus::Published outcome;
    outcome.id = id;
    outcome.status = status;
    outcome.error = error;
    sink.on_published({&outcome, 1});
  });
}

void FakeBus::answer_read(const Read& read, const Head& head,
                          const std::vector<std::uint64_t>& offsets, std::uint64_t to) {
  say([=](bus::BusSink& sink) {
    std::vector<std::string> payloads;
    std::vector<PublicationView> publications(offsets.size());
    for (const std::uint64_t offset : offsets)
      payloads.push_back(std::to_string(offset));
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      publications[i].offset = {offsets[i]};
      publications[i].payload = payloads[i];
    }
    bus::Page page;
    page.id = read.id;
    page.head = head;
    page.after = {read.after};
    page.to = {to};
    page.publications = publications;
    sink.on_page(page);
  });
}

void FakeBus::refuse_read(const Read& read, ErrorCode code, const Head& head) {
  say([=](bus::BusSink& sink) {
    bus::Page page;
    page.id = read.id;
    page.head = head;
    page.error = fail(code, "the test says so");
    sink.on_page(page);
  });
}

void FakeBus::deliver(bus::Alias alias, const std::string& payload, const Epoch& epoch,
                      std::uint64_t offset) {
  say([=](bus::BusSink& sink) {
    bus::Delivery delivery{alias, epoch, {}};
    delivery.publication.payload = payload;
    delivery.publication.offset = {offset};
    sink.on_batch({&delivery, 1});
  });
}

}  // namespace peal::test
