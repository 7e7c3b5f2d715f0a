#include "truth.hpp"

#include <memory>

namespace peal::simulation {
namespace {

/// Between a store that answers within each call and its core.
class Witness final : public broker::LogStore, private broker::LogStoreSink {
 public:
  Witness(const broker::MakeLogStore& make, broker::StoreSeat seat, Truth& truth)
      : sink_(seat.sink), truth_(truth) {
    broker::LogStoreSink& mine = *this;
    store_ = make({mine, std::move(seat.options_of), seat.limits, std::move(seat.epochs),
                   std::move(seat.wake), std::move(seat.home)});
  }

  void watch(broker::LogId log, std::string_view channel, broker::TimePoint now) override {
    store_->watch(log, channel, now);
  }
  void unwatch(broker::LogId log, broker::TimePoint now) override { store_->unwatch(log, now); }
  void append(broker::PeerId peer, const bus::PublishRequest& request,
              broker::TimePoint now) override {
    asked_ = &request;
    store_->append(peer, request, now);
    asked_ = nullptr;
  }
  void read(broker::PeerId peer, const bus::ReadRequest& request, broker::TimePoint now) override {
    store_->read(peer, request, now);
  }
  void tick(broker::TimePoint now) override { store_->tick(now); }
  void each(const std::function<void(std::string_view, const Head&)>& visit) const override {
    store_->each(visit);
  }
  broker::LogStoreStats stats() const override { return store_->stats(); }

 private:
  void on_head(broker::LogId log, const Result<Head>& head) override { sink_.on_head(log, head); }
  void on_reset(broker::LogId log, const Head& head) override { sink_.on_reset(log, head); }
  void on_appended(broker::LogId log, const Epoch& epoch,
                   const PublicationView& publication) override {
    sink_.on_appended(log, epoch, publication);
  }
  void on_outcome(broker::PeerId peer, const bus::Published& outcome) override {
    if (asked_ != nullptr && outcome.status == bus::Published::Status::ok && !outcome.duplicate)
      truth_.took(asked_->channel, *outcome.position, asked_->publication.payload);
    sink_.on_outcome(peer, outcome);
  }
  void on_page(broker::PeerId peer, const bus::Page& page) override { sink_.on_page(peer, page); }

  broker::LogStoreSink& sink_;
  Truth& truth_;
  std::unique_ptr<broker::LogStore> store_;
  const bus::PublishRequest* asked_ = nullptr;  ///< while it is appended
};

}  // namespace

void Truth::took(std::string_view channel, const Position& position, std::string_view payload) {
  auto& log = index_[{std::string(channel), position.epoch}];
  const bool forward = log.empty() || log.rbegin()->first < position.offset;
  if (!forward)
    contradictions_.push_back("offset " + position.to_string() + " of " + std::string(channel) +
                              " was given again");
  log[position.offset] = all_.size();
  all_.push_back({std::string(channel), position, std::string(payload)});
  world_.tell("took", channel, position.to_string(), payload);
}

std::string_view Truth::at(const std::string& channel, const Position& position) const {
  const auto log = index_.find({channel, position.epoch});
  if (log == index_.end()) return {};
  const auto found = log->second.find(position.offset);
  return found == log->second.end() ? std::string_view() : all_[found->second].payload;
}

Offset Truth::top(const std::string& channel, const Epoch& epoch) const {
  const auto log = index_.find({channel, epoch});
  return log == index_.end() || log->second.empty() ? Offset{} : log->second.rbegin()->first;
}

broker::MakeLogStore witnessed(broker::MakeLogStore make, Truth& truth) {
  return [make = std::move(make), &truth](broker::StoreSeat seat) {
    return std::make_unique<Witness>(make, std::move(seat), truth);
  };
}

}  // namespace peal::simulation
