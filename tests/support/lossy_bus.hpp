#pragma once
// An embedded bus that loses publications on their way to the gateway, as a link, a broker or a
// shard might: planted, so that tests see them noticed. `lose` says how many of a hundred; any
// thread.

#include <atomic>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "peal/bus/bus_port.hpp"

namespace peal::test {

class LossyBus final : public bus::Bus {
 public:
  LossyBus(std::unique_ptr<bus::Bus> inner, unsigned seed)
      : inner_(std::move(inner)), seed_(seed) {}

  void lose(int percent) { percent_ = percent; }
  std::size_t lost() const { return lost_; }

  bus::BusPort& attach(bus::BusSink& sink, bus::Waker& waker) override {
    sinks_.push_back(std::make_unique<Sieve>(*this, sink, seed_++));
    return inner_->attach(*sinks_.back(), waker);
  }
  Result<void> start() override { return inner_->start(); }
  void stop() override { inner_->stop(); }
  bus::BusState state() const override { return inner_->state(); }
  void answer_with(bus::ClusterHandler handler) override {
    inner_->answer_with(std::move(handler));
  }
  void ask(const bus::ClusterQuery& query, bus::ClusterDone done) override {
    inner_->ask(query, std::move(done));
  }

 private:
  /// Of one shard, its thread only.
  class Sieve final : public bus::BusSink {
   public:
    Sieve(LossyBus& bus, bus::BusSink& sink, unsigned seed)
        : bus_(bus), sink_(sink), random_(seed) {}
    void on_batch(std::span<const bus::Delivery> deliveries) override {
      left_.clear();
      for (const bus::Delivery& delivery : deliveries) {
        if (static_cast<int>(random_() % 100) < bus_.percent_)
          ++bus_.lost_;
        else
          left_.push_back(delivery);
      }
      if (!left_.empty()) sink_.on_batch(left_);
    }
    void on_heads(std::span<const bus::HeadNotice> heads) override { sink_.on_heads(heads); }
    void on_published(std::span<const bus::Published> outcomes) override {
      sink_.on_published(outcomes);
    }
    void on_page(const bus::Page& page) override { sink_.on_page(page); }
    void on_presence(const bus::PresenceAnswer& answer) override { sink_.on_presence(answer); }
    void on_presence_events(std::span<const bus::PresenceEvent> events) override {
      sink_.on_presence_events(events);
    }
    void on_state(const bus::BusState& state) override { sink_.on_state(state); }

   private:
    LossyBus& bus_;
    bus::BusSink& sink_;
    std::mt19937 random_;
    std::vector<bus::Delivery> left_;
  };

  std::unique_ptr<bus::Bus> inner_;
  unsigned seed_;
  std::vector<std::unique_ptr<Sieve>> sinks_;
  std::atomic<int> percent_{0};
  std::atomic<std::size_t> lost_{0};
};

}  // namespace peal::test
