#include "peal/redis/client.hpp"

#include <random>
#include <utility>

#include "redis/client_impl.hpp"

namespace peal::redis {
namespace {

std::string random_tag() {
  std::random_device random;
  return std::to_string(random()) + std::to_string(random());
}

}  // namespace

Client::Impl::Impl(boost::asio::io_context& context_, Config config_, ClientOwner& owner_,
                   runtime::Logger logger_)
    : context(context_),
      config(std::move(config_)),
      cluster(config.mode == "cluster"),
      owner(&owner_),
      logger(std::move(logger_)),
      homes(Topology::kSlots, nullptr),
      tag(random_tag()),
      lanes(lane_actions()),
      subscriptions(cluster, subscription_actions()) {}

Subscriptions::Actions Client::Impl::subscription_actions() {
  return {
      .home =
          [this](std::uint16_t slot) {
            const Link* link = home(slot);
            return link != nullptr && link->listening() ? link->id() : Subscriptions::LinkId{0};
          },
      .homes =
          [this] {
            std::vector<Subscriptions::LinkId> ids;
            for (const auto& [key, link] : links) {
              if (link->listening()) ids.push_back(link->id());
            }
            return ids;
          },
      .say =
          [this](Subscriptions::LinkId id, const std::vector<std::string>& args) {
            for (const auto& [key, link] : links) {
              if (link->id() == id) link->say(args);
            }
          },
      .subscribed =
          [this](std::string_view channel) {
            for (const auto& [key, link] : links) {
              if (link->probe() == channel) return link->heard();
            }
            owner->on_subscribed(channel);
          },
      .broken =
          [this](std::string_view channel) {
            for (const auto& [key, link] : links) {
              if (link->probe() == channel) return;  // its link gets another one
            }
            owner->on_broken(channel);
          },
      .message =
          [this](std::string_view channel, std::string_view payload) {
            for (const auto& [key, link] : links) {
              if (link->probe() != channel) continue;
              link->reasons_told.clear();
              return link->heard();
            }
            probe.received(payload.size());
            owner->on_message(channel, payload);
          },
      .listening = [this](const Topic& topic) { topic_owner->on_listening(topic); },
      .deaf = [this](const Topic& topic) { topic_owner->on_deaf(topic); },
      .heard =
          [this](const Topic& topic, std::string_view channel, std::string_view payload) {
            probe.received(payload.size());
            topic_owner->on_heard(topic, channel, payload);
          },
  };
}

Lanes::Actions Client::Impl::lane_actions() {
  return {.send = [this](Lanes::Id id, std::uint16_t slot,
                         const Route& route) { send_item(id, slot, route); },
          .pause = [this](std::uint16_t slot) { pause_lane(slot); }};
}

void Client::Impl::later(std::chrono::milliseconds pause, std::function<void()> call) {
  auto timer = std::make_shared<boost::asio::steady_timer>(context, pause);
  timer->async_wait([timer, weak = weak_from_this(), call = std::move(call)](auto error) {
    const auto self = weak.lock();
    if (!error && self && self->running) call();
  });
}

Client::Client(boost::asio::io_context& context, Config config, ClientOwner& owner,
               runtime::Logger logger)
    : impl_(std::make_shared<Impl>(context, std::move(config), owner, std::move(logger))) {}

Client::~Client() {
  impl_->stop();
  impl_->owner = nullptr;
}

void Client::start() {
  impl_->start();
}

void Client::stop() {
  impl_->stop();
}

void Client::command(Command command, Done done) {
  impl_->command(std::move(command), std::move(done));
}

void Client::subscribe(std::string_view channel) {
  impl_->subscriptions.subscribe(channel);
}

void Client::unsubscribe(std::string_view channel) {
  impl_->subscriptions.unsubscribe(channel);
}

void Client::listen(Topic topic, TopicOwner& owner) {
  impl_->topic_owner = &owner;
  impl_->subscriptions.listen(std::move(topic));
}

void Client::recheck() {
  if (impl_->running && impl_->config.mode != "single") impl_->discover();
}

std::string_view Client::publish_verb() const {
  return impl_->cluster ? "SPUBLISH" : "PUBLISH";
}

std::string Client::trouble() const {
  return impl_->trouble();
}

const runtime::Probe& Client::probe() const {
  return impl_->probe;
}

}  // namespace peal::redis
