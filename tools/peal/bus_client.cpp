#include "bus_client.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <vector>

#include "control_target.hpp"
#include "peal/bus/feed.hpp"
#include "peal/bus/zmq_bus.hpp"
#include "signals.hpp"

namespace peal::cli {

using std::chrono::milliseconds;

struct BusClient::Impl final : bus::BusSink, bus::Waker {
  struct Watched {
    std::string name;
    bool recoverable = false;
    bool answered = false;
    bool reading = false;  ///< a page is on its way: it tells what comes next
    bus::Feed feed;
  };

  explicit Impl(BusEvents& to) : events(to), wake_fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

  ~Impl() override {
    if (driver != nullptr) {
      driver->stop();
      port->turn();
      driver.reset();
    }
    ::close(wake_fd);
  }

  void wake() noexcept override {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_fd, &one, sizeof one);
  }

  void on_batch(std::span<const bus::Delivery> deliveries) override {
    for (const bus::Delivery& delivery : deliveries) {
      Watched& watched = channels[delivery.alias.index];
      if (delivery.publication.offset.value == 0) {
        events.on_publication(delivery.alias.index, delivery.publication);
      } else if (!watched.reading) {
        const auto step = watched.feed.on_publication(delivery.epoch, delivery.publication.offset);
        if (step == bus::Feed::Step::deliver) {
          events.on_publication(delivery.alias.index, delivery.publication);
        } else if (step == bus::Feed::Step::hole) {
          read_on(delivery.alias.index);
        }
      }
    }
  }

  // It enters nobody, so nothing of presence comes.
  void on_presence(const bus::PresenceAnswer&) override {}
  void on_presence_events(std::span<const bus::PresenceEvent>) override {}

  void on_heads(std::span<const bus::HeadNotice> heads) override {
    for (const bus::HeadNotice& notice : heads) {
      Watched& watched = channels[notice.alias.index];
      watched.recoverable = notice.head.has_value();
      if (notice.answer && !watched.answered) {
        watched.answered = !notice.error;
        if (notice.head) {
          watched.feed.restart(*notice.head);
        }
        events.on_watched(notice.alias.index, notice.error);
      } else if (notice.head) {
        const auto step = watched.feed.on_head(*notice.head);
        if (step == bus::Feed::Step::reset) {
          watched.feed.restart(*notice.head);
          watched.reading = false;
          events.on_reset(notice.alias.index);
        } else if (step == bus::Feed::Step::hole && !watched.reading) {
          read_on(notice.alias.index);
        }
      }
    }
  }

  void on_published(std::span<const bus::Published> outcomes) override {
    for (const bus::Published& outcome : outcomes) {
      events.on_published(outcome);
    }
  }

  void on_page(const bus::Page& page) override {
    const auto index = static_cast<std::size_t>(page.id - 1) % channels.size();
    Watched& watched = channels[index];
    watched.reading = false;
    if (page.error) {
      return;  // a head will say when there is something to read again
    }
    if (page.head.epoch != watched.feed.epoch() || page.head.floor >= watched.feed.next()) {
      watched.feed.restart(page.head);
      events.on_reset(index);
      return;
    }
    for (const PublicationView& publication : page.publications) {
      if (publication.offset >= watched.feed.next()) {
        events.on_publication(index, publication);
      }
    }
    watched.feed.advance(page.to);
    if (page.to < page.head.top) {
      read_on(static_cast<std::uint32_t>(index));
    }
  }

  void on_state(const bus::BusState& state) override {
    linked = state.linked;
    for (Watched& watched : channels) {
      watched.reading = false;
    }
    events.on_link(state.linked, state.detail);
  }

  /// Everything above what was told last; the id names the channel, and no two are alike.
  void read_on(std::uint32_t index) {
    Watched& watched = channels[index];
    watched.reading = true;
    bus::ReadRequest request;
    request.id = ++reads * channels.size() + index + 1;
    request.channel = watched.name;
    request.epoch = watched.feed.epoch();
    request.after = Offset{watched.feed.next().value - 1};
    port->read(request);
  }

  BusEvents& events;
  int wake_fd;
  runtime::ProbeRegistry probes;
  std::unique_ptr<bus::Bus> driver;
  bus::BusPort* port = nullptr;
  std::vector<Watched> channels;
  std::uint64_t reads = 0;
  bool linked = false;
};

BusClient::BusClient(BusEvents& events) : impl_(std::make_unique<Impl>(events)) {}
BusClient::~BusClient() = default;

Outcome<void> BusClient::connect(const std::string& endpoint, const runtime::CurveConfig& curve,
                                 milliseconds timeout) {
  bus::ZmqBusConfig config;
  config.connect = brokers_of(endpoint);
  config.node = "peal-" + std::to_string(::getpid());
  config.curve = curve;
  config.insecure = !curve.configured();  // whoever gave the endpoint has agreed to that
  auto made = bus::make_zmq_bus(std::move(config), Limits{}, runtime::Logger(), impl_->probes);
  if (!made) {
    return usage(made.error().message);
  }
  impl_->driver = std::move(*made);
  impl_->port = &impl_->driver->attach(*impl_, *impl_);
  if (auto started = impl_->driver->start(); !started) {
    return usage(started.error().message);
  }
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!impl_->linked && !interrupted()) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      return unreachable("cannot reach " + endpoint + ": " + impl_->driver->state().detail);
    }
    wait(-1, left);
  }
  return {};
}

void BusClient::watch(std::size_t channel, std::string_view name) {
  impl_->channels.resize(std::max(impl_->channels.size(), channel + 1));
  impl_->channels[channel].name = name;
  impl_->port->watch({static_cast<std::uint32_t>(channel), 1}, name);
}

void BusClient::publish(const bus::PublishRequest& request) {
  impl_->port->publish(request);
}

void BusClient::wait(int fd, milliseconds timeout) {
  if (impl_->port->turn()) {
    timeout = milliseconds(0);
  }
  pollfd fds[] = {{impl_->wake_fd, POLLIN, 0},
                  {interrupted() ? -1 : interrupt_fd(), POLLIN, 0},
                  {fd, POLLIN, 0}};
  ::poll(fds, 3, static_cast<int>(timeout.count()));
  std::uint64_t wakes = 0;
  [[maybe_unused]] const auto read = ::read(impl_->wake_fd, &wakes, sizeof wakes);
  impl_->port->turn();
}

}  // namespace peal::cli
