#include "truth.hpp"

#include <memory>
#include <optional>
#include <set>

namespace peal::simulation {
namespace {

/// The number that EpochSource writes so.
std::uint64_t number_of(const Epoch& epoch) {
  std::uint64_t number = 0;
  for (const char c : epoch.view()) {
    const int digit = c <= '9' ? c - '0' : c <= 'Z' ? c - 'A' + 10 : c - 'a' + 36;
    number = number * 62 + static_cast<std::uint64_t>(digit);
  }
  return number;
}

/// Between a store that answers within each call and its core.
class Witness final : public broker::LogStore, private broker::LogStoreSink {
 public:
  Witness(const broker::MakeLogStore& make, broker::StoreSeat seat, Truth& truth,
          const Machine& machine, EpochMistakes mistakes)
      : sink_(seat.sink), truth_(truth), machine_(machine), mistakes_(mistakes) {
    broker::LogStoreSink& mine = *this;
    if (mistakes_.goes_on_in_it) {
      seat.epochs = [this, epochs = seat.epochs]() mutable {
        return number_of(goes_on_ ? *goes_on_ : epochs.next());
      };
    }
    store_ = make({mine, std::move(seat.options_of), seat.limits, std::move(seat.epochs),
                   std::move(seat.wake), std::move(seat.home)});
  }

  void watch(broker::LogId log, std::string_view channel, broker::TimePoint now) override {
    open(channel);
    store_->watch(log, channel, now);
  }
  void unwatch(broker::LogId log, broker::TimePoint now) override { store_->unwatch(log, now); }
  void append(broker::PeerId peer, const bus::PublishRequest& request,
              broker::TimePoint now) override {
    open(request.channel);
    asked_ = &request;
    store_->append(peer, request, now);
    asked_ = nullptr;
  }
  void read(broker::PeerId peer, const bus::ReadRequest& request, broker::TimePoint now) override {
    open(request.channel);
    store_->read(peer, request, now);
  }
  void outrun(std::string_view channel, const Epoch& seen, broker::TimePoint now) override {
    open(channel);
    if (!mistakes_.outruns_none) store_->outrun(channel, seen, now);
  }
  void end_epochs(const WhichChannels& which, broker::TimePoint now) override {
    if (!mistakes_.ends_none) store_->end_epochs(which, now);
  }
  void tick(broker::TimePoint now) override { store_->tick(now); }
  void each(const std::function<void(std::string_view, const Head&)>& visit) const override {
    store_->each(visit);
  }
  broker::LogStoreStats stats() const override { return store_->stats(); }

 private:
  /// Before the store makes the channel's log: in which epoch, by mistake.
  void open(std::string_view channel) {
    goes_on_.reset();
    if (!opened_.emplace(channel).second) return;
    const Truth::Taken* const last = truth_.last(channel);
    if (last != nullptr && last->by != &machine_) goes_on_ = last->position.epoch;
  }
  void on_head(broker::LogId log, const Result<Head>& head) override { sink_.on_head(log, head); }
  void on_reset(broker::LogId log, const Head& head) override { sink_.on_reset(log, head); }
  void on_appended(broker::LogId log, const Epoch& epoch,
                   const PublicationView& publication) override {
    sink_.on_appended(log, epoch, publication);
  }
  void on_outcome(broker::PeerId peer, const bus::Published& outcome) override {
    if (asked_ != nullptr && outcome.status == bus::Published::Status::ok && !outcome.duplicate)
      truth_.took(asked_->channel, *outcome.position, asked_->publication.payload, machine_);
    sink_.on_outcome(peer, outcome);
  }
  void on_page(broker::PeerId peer, const bus::Page& page) override { sink_.on_page(peer, page); }

  broker::LogStoreSink& sink_;
  Truth& truth_;
  const Machine& machine_;
  const EpochMistakes mistakes_;
  std::set<std::string, std::less<>> opened_;
  std::optional<Epoch> goes_on_;
  std::unique_ptr<broker::LogStore> store_;
  const bus::PublishRequest* asked_ = nullptr;  ///< while it is appended
};

}  // namespace

void Truth::took(std::string_view channel, const Position& position, std::string_view payload,
                 const Machine& by) {
  auto& log = index_[{std::string(channel), position.epoch}];
  const bool forward = log.empty() || log.rbegin()->first < position.offset;
  if (!forward)
    contradictions_.push_back("offset " + position.to_string() + " of " + std::string(channel) +
                              " was given again");
  log[position.offset] = all_.size();
  last_[std::string(channel)] = all_.size();
  all_.push_back({std::string(channel), position, std::string(payload), &by, world_.now()});
  world_.tell(by.name, "took", channel, position.to_string(), payload);
}

const Truth::Taken* Truth::taken(const std::string& channel, const Position& position) const {
  const auto log = index_.find({channel, position.epoch});
  if (log == index_.end()) return nullptr;
  const auto found = log->second.find(position.offset);
  return found == log->second.end() ? nullptr : &all_[found->second];
}

std::string_view Truth::at(const std::string& channel, const Position& position) const {
  const Taken* const found = taken(channel, position);
  return found == nullptr ? std::string_view() : found->payload;
}

const Truth::Taken* Truth::last(std::string_view channel) const {
  const auto found = last_.find(channel);
  return found == last_.end() ? nullptr : &all_[found->second];
}

Offset Truth::top(const std::string& channel, const Epoch& epoch) const {
  const auto log = index_.find({channel, epoch});
  return log == index_.end() || log->second.empty() ? Offset{} : log->second.rbegin()->first;
}

broker::MakeLogStore witnessed(broker::MakeLogStore make, Truth& truth, const Machine& machine,
                               EpochMistakes mistakes) {
  return [make = std::move(make), &truth, &machine, mistakes](broker::StoreSeat seat) {
    return std::make_unique<Witness>(make, std::move(seat), truth, machine, mistakes);
  };
}

}  // namespace peal::simulation
