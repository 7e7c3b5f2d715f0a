#include "log_store_suite.hpp"

#include <algorithm>
#include <chrono>

namespace peal::broker::test {
namespace {

constexpr std::chrono::seconds kPatience{60};
using What = StoreEvent::What;

}  // namespace

LogStoreSuite::LogStoreSuite() : place_(GetParam().place()) {
  limits.sources_max = 3;
  limits.idempotency_keys_max = 3;
  reopen();
}

LogStoreSuite::~LogStoreSuite() {
  if (store_) store_->stop();
}

ChannelOptions LogStoreSuite::options_of(std::string_view channel) {
  ChannelOptions options;
  options.recoverable = true;
  if (channel.starts_with("short")) {
    options.history_length_max = 5;
    options.history_age_max = std::chrono::seconds(10);
  } else if (channel.starts_with("full")) {
    options.refuse_when_full = true;
    options.history_length_max = 3;
    options.history_age_max = std::chrono::seconds(1);
  } else if (channel.starts_with("compact")) {
    options.compact = true;
  } else if (channel.starts_with("kept")) {
    options.history_age_max = std::chrono::seconds(0);
    options.history_length_max = 100'000;
  }
  return options;
}

void LogStoreSuite::reopen() {
  if (store_) store_->stop();
  store_.reset();
  StoreSeat seat{*this,
                 options_of,
                 limits,
                 [this] { return ++random_ * 0x9e3779b97f4a7c15U; },
                 [this] {
                   const std::lock_guard lock(mutex_);
                   wake_ = true;
                   woken_.notify_one();
                 },
                 [](std::string_view) { return true; }};
  store_ = place_->make(std::move(seat));
}

bool LogStoreSuite::until(const std::function<bool()>& so) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (true) {
    store_->turn(now);
    if (so()) return true;
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::unique_lock lock(mutex_);
    woken_.wait_until(
        lock, std::min(deadline, std::chrono::steady_clock::now() + std::chrono::milliseconds(50)),
        [this] { return wake_; });
    wake_ = false;
  }
}

bus::PublishRequest LogStoreSuite::request(std::string_view channel, std::string_view payload,
                                           std::string_view key) {
  bus::PublishRequest made;
  made.channel = channel;
  made.publication.payload = payload;
  made.publication.key = key;
  return made;
}

// The request's texts are given in memory that is overwritten as soon as the call is over.
bus::RequestId LogStoreSuite::append(bus::PublishRequest request, PeerId peer) {
  request.id = next_id_++;
  Publication copy = copy_of(request.publication);
  std::string channel(request.channel), key(request.idempotency_key);
  request.channel = channel;
  request.idempotency_key = key;
  request.publication = view_of(copy);
  store_->append(peer, request, now);
  for (std::string* text : {&channel, &key, &copy.payload, &copy.key, &copy.type, &copy.tags,
                            &copy.source, &copy.origin, &copy.unknown_fields}) {
    std::ranges::fill(*text, '#');
  }
  return request.id;
}

bus::Published LogStoreSuite::append_and_wait(const bus::PublishRequest& request) {
  const bus::RequestId id = append(request);
  EXPECT_TRUE(until([&] { return answered(id); }));
  const auto found = std::ranges::find_if(events, [&](const StoreEvent& event) {
    return event.what == What::outcome && event.outcome.id == id;
  });
  return found == events.end() ? bus::Published{} : found->outcome;
}

bus::Published LogStoreSuite::append_and_wait(std::string_view channel, std::string_view payload) {
  return append_and_wait(request(channel, payload));
}

Head LogStoreSuite::watch_and_wait(LogId log, std::string_view channel) {
  const std::size_t before = count(What::head);
  store_->watch(log, channel, now);
  EXPECT_TRUE(until([&] { return count(What::head) > before; }));
  EXPECT_EQ(last(What::head).log, log);
  EXPECT_FALSE(last(What::head).refused);
  return last(What::head).head;
}

StoreEvent LogStoreSuite::read_and_wait(bus::ReadRequest request) {
  request.id = next_id_++;
  store_->read(1, request, now);
  const auto its = [&](const StoreEvent& event) {
    return event.what == What::page && event.page.id == request.id;
  };
  EXPECT_TRUE(until([&] { return std::ranges::any_of(events, its); }));
  const auto found = std::ranges::find_if(events, its);
  return found == events.end() ? StoreEvent{What::page} : *found;
}

std::string LogStoreSuite::payloads(bus::ReadRequest request) {
  std::string all;
  for (const Publication& publication : read_and_wait(request).publications)
    all += publication.payload;
  return all;
}

bus::ReadRequest LogStoreSuite::reading(std::string_view channel, bus::ReadRequest::Mode mode,
                                        std::uint64_t after) {
  bus::ReadRequest made;
  made.channel = channel;
  made.mode = mode;
  made.after = {after};
  return made;
}

std::optional<Head> LogStoreSuite::listed(std::string_view channel) {
  std::optional<Head> found;
  store_->each([&](std::string_view name, const Head& head) {
    if (name == channel) found = head;
  });
  return found;
}

void LogStoreSuite::tick_around() {
  for (int i = 0; i < 100; ++i) {
    store_->tick(now);
    store_->turn(now);
  }
}

std::size_t LogStoreSuite::count(What what) const {
  return static_cast<std::size_t>(std::ranges::count(events, what, &StoreEvent::what));
}

const StoreEvent& LogStoreSuite::last(What what) const {
  static const StoreEvent none{What::head};
  const auto found = std::find_if(events.rbegin(), events.rend(),
                                  [&](const StoreEvent& event) { return event.what == what; });
  return found == events.rend() ? none : *found;
}

bool LogStoreSuite::answered(bus::RequestId id) const {
  return std::ranges::any_of(events, [&](const StoreEvent& event) {
    return event.what == What::outcome && event.outcome.id == id;
  });
}

void LogStoreSuite::on_head(LogId log, const Result<Head>& head) {
  StoreEvent event{What::head};
  event.log = log;
  event.refused = !head;
  if (head) event.head = *head;
  events.push_back(std::move(event));
}
void LogStoreSuite::on_reset(LogId log, const Head& head) {
  StoreEvent event{What::reset};
  event.log = log;
  event.head = head;
  events.push_back(std::move(event));
}
void LogStoreSuite::on_appended(LogId log, const Epoch& epoch, const PublicationView& publication) {
  StoreEvent event{What::appended};
  event.log = log;
  event.epoch = epoch;
  event.publication = copy_of(publication);
  events.push_back(std::move(event));
}
void LogStoreSuite::on_outcome(PeerId peer, const bus::Published& outcome) {
  StoreEvent event{What::outcome};
  event.peer = peer;
  event.outcome = outcome;
  events.push_back(std::move(event));
}
void LogStoreSuite::on_page(PeerId peer, const bus::Page& page) {
  StoreEvent event{What::page};
  event.peer = peer;
  event.head = page.head;
  event.page = page;
  event.page.publications = {};
  for (const PublicationView& publication : page.publications)
    event.publications.push_back(copy_of(publication));
  events.push_back(std::move(event));
}

}  // namespace peal::broker::test
