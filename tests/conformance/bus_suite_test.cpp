// The part of the suite that holds for every channel: order, watching, outcomes, back-pressure.
#include "bus_suite.hpp"

#include <algorithm>
#include <future>
#include <map>
#include <set>

namespace peal::bus::test {

using Status = Published::Status;

BusSuite::~BusSuite() {
  for (auto& node : nodes_)
    node->stop();
  driver_.reset();  // it may still wake the nodes
}

void BusSuite::start(std::size_t nodes, const Limits& limits) {
  std::vector<std::unique_ptr<BusNode>> made;
  for (std::size_t i = 0; i < nodes; ++i)
    made.push_back(std::make_unique<BusNode>());
  start(std::move(made), limits);
}

void BusSuite::start(std::vector<std::unique_ptr<BusNode>> nodes, const Limits& limits) {
  nodes_ = std::move(nodes);
  const auto options_of = [](std::string_view channel) {
    broker::ChannelOptions options;
    options.recoverable = channel.starts_with("log:");
    options.presence = options.occupancy = channel.starts_with("room:");
    options.history_length_max = 100'000;
    options.history_bytes_max = 1 << 28;
    options.compact = channel.starts_with("log:compact");
    if (channel.starts_with("log:full")) {
      options.refuse_when_full = true;
      options.history_length_max = 2;
    }
    return options;
  };
  driver_ = GetParam().make({limits, options_of, handler_of_});
  driver_->attach(nodes_);
  for (auto& node : nodes_) {
    ASSERT_TRUE(node->heard([](const RecordingSink& sink) {
      return !sink.states.empty() && sink.states.back().linked;
    }));
  }
}

void BusSuite::watch_and_wait(std::size_t i, Alias alias, std::string_view channel) {
  const auto before = node(i).with([&](BusPort& port, RecordingSink& sink) {
    port.watch(alias, channel);
    return sink.heads.size();
  });
  ASSERT_TRUE(node(i).heard([&](const RecordingSink& sink) { return sink.heads.size() > before; }));
}

Published BusSuite::publish_and_wait(std::size_t i, PublishRequest request) {
  request.id = next_id_++;
  node(i).with([&](BusPort& port, auto&) { port.publish(request); });
  Published found;
  EXPECT_TRUE(node(i).heard([&](const RecordingSink& sink) {
    const auto outcome = std::ranges::find(sink.outcomes, request.id, &Published::id);
    if (outcome == sink.outcomes.end()) return false;
    found = *outcome;
    return true;
  }));
  return found;
}

Published BusSuite::publish_and_wait(std::size_t i, std::string_view channel,
                                     std::string_view payload) {
  return publish_and_wait(i, publish_request(channel, payload));
}

Page BusSuite::read_and_wait(std::size_t i, ReadRequest request,
                             std::vector<Publication>& publications) {
  request.id = next_id_++;
  node(i).with([&](BusPort& port, auto&) { port.read(request); });
  Page found;
  EXPECT_TRUE(node(i).heard([&](const RecordingSink& sink) {
    const auto page = std::ranges::find(sink.pages, request.id, &Page::id);
    if (page == sink.pages.end()) return false;
    found = *page;
    publications = sink.page_publications[static_cast<std::size_t>(page - sink.pages.begin())];
    return true;
  }));
  return found;
}

std::vector<std::string> BusSuite::payloads(std::size_t i, Alias alias) {
  return node(i).with([&](auto&, RecordingSink& sink) {
    std::vector<std::string> found;
    for (const auto& heard : sink.heard) {
      if (heard.alias == alias) found.push_back(heard.publication.payload);
    }
    return found;
  });
}

namespace {

std::string numbered(std::size_t publisher, int n) {
  return std::to_string(publisher) + ':' + std::to_string(n);
}

TEST_P(BusSuite, EveryWatcherHearsOneOrderUnderConcurrentPublishers) {
  constexpr int kMessages = 2000, kWindow = 200;
  start(4);
  const std::vector<std::string> channels{"order:a", "order:b", "order:c"};
  for (std::size_t i = 0; i < size(); ++i) {
    for (std::uint32_t c = 0; c < channels.size(); ++c)
      watch_and_wait(i, {c, 1}, channels[c]);
  }
  std::vector<std::thread> publishers;
  for (std::size_t p = 0; p < size(); ++p) {
    publishers.emplace_back([&, p] {
      for (int n = 0; n < kMessages; ++n) {
        node(p).publish(channels[static_cast<std::size_t>(n) % 3], numbered(p, n), 1 + n);
        node(p).heard([&](const RecordingSink& sink) {
          return sink.outcomes.size() + kWindow > static_cast<std::size_t>(n);
        });
      }
    });
  }
  for (auto& publisher : publishers)
    publisher.join();
  for (std::size_t i = 0; i < size(); ++i) {
    ASSERT_TRUE(node(i).heard(
        [&](const RecordingSink& sink) { return sink.heard.size() == size() * kMessages; }));
  }
  for (std::uint32_t c = 0; c < channels.size(); ++c) {
    const auto order = payloads(0, {c, 1});
    for (std::size_t i = 1; i < size(); ++i)
      EXPECT_EQ(payloads(i, {c, 1}), order) << channels[c];
    std::map<std::string, int> last;
    for (const std::string& payload : order) {
      const auto colon = payload.find(':');
      const int n = std::stoi(payload.substr(colon + 1));
      const auto [at, first] = last.emplace(payload.substr(0, colon), n);
      ASSERT_TRUE(first || at->second < n) << "publisher " << at->first << " out of order";
      at->second = n;
    }
  }
}

TEST_P(BusSuite, OutcomesComeOnceEachInTheOrderOfThePublishes) {
  start(2);
  node(0).with([&](BusPort& port, auto&) {
    for (RequestId id = 1; id <= 500; ++id)
      port.publish(publish_request("outcomes", "x", id));
  });
  ASSERT_TRUE(node(0).heard([](const RecordingSink& sink) { return sink.outcomes.size() == 500; }));
  node(0).with([](auto&, RecordingSink& sink) {
    for (std::size_t i = 0; i < sink.outcomes.size(); ++i) {
      ASSERT_EQ(sink.outcomes[i].id, i + 1);
      ASSERT_EQ(sink.outcomes[i].status, Status::ok);
      ASSERT_FALSE(sink.outcomes[i].position) << "an ephemeral channel has no position";
    }
  });
}

/// Notices a publication under an alias that has no answer yet.
class GateSink final : public RecordingSink {
 public:
  void on_heads(std::span<const HeadNotice> notices) override {
    RecordingSink::on_heads(notices);
    for (const HeadNotice& notice : notices)
      answered.insert(notice.alias.generation);
  }
  void on_batch(std::span<const Delivery> batch) override {
    RecordingSink::on_batch(batch);
    for (const Delivery& delivery : batch) {
      if (!answered.contains(delivery.alias.generation)) ++early;
    }
  }
  std::set<std::uint32_t> answered;
  std::size_t early = 0;
};

// Node 0 publishes without a pause while node 1 watches and unwatches: each generation must hear
// its head first, then an unbroken stretch, and nothing once unwatch has returned.
TEST_P(BusSuite, NothingComesBeforeTheWatchAnswerOrAfterUnwatch) {
  auto owned = std::make_unique<GateSink>();
  const GateSink& gate = *owned;
  std::vector<std::unique_ptr<BusNode>> nodes;
  nodes.push_back(std::make_unique<BusNode>());
  nodes.push_back(std::make_unique<BusNode>(std::move(owned)));
  start(std::move(nodes));
  std::atomic<bool> done{false};
  std::thread publisher([&] {
    for (int n = 0; !done; ++n) {
      node(0).publish("gate", std::to_string(n), 1 + n);
      node(0).heard([&](const RecordingSink& sink) {
        return sink.outcomes.size() + 50 > static_cast<std::size_t>(n);
      });
    }
  });
  for (std::uint32_t generation = 1; generation <= 60; ++generation) {
    const Alias alias{generation % 3, generation};
    node(1).watch(alias, "gate");
    ASSERT_TRUE(node(1).heard([&](const RecordingSink& sink) {
      return !sink.heard.empty() && sink.heard.back().alias == alias;
    }));
    const auto heard = node(1).with([&](BusPort& port, RecordingSink& sink) {
      port.unwatch(alias);
      return sink.heard.size();
    });
    if (generation % 2 == 0) watch_and_wait(1, {10, 1000}, "elsewhere");  // time passes
    node(1).with([&](auto&, RecordingSink& sink) { ASSERT_EQ(sink.heard.size(), heard); });
  }
  done = true;
  publisher.join();
  node(1).with([&](auto&, RecordingSink& heard_by) {
    EXPECT_EQ(gate.early, 0U);
    EXPECT_EQ(gate.answered.size(), 61U);
    std::map<std::uint32_t, int> next;  // by generation
    for (const auto& heard : heard_by.heard) {
      const int n = std::stoi(heard.publication.payload);
      const auto [at, first] = next.emplace(heard.alias.generation, n);
      ASSERT_TRUE(first || n == at->second) << "a publication is missing in between";
      at->second = n + 1;
    }
    EXPECT_EQ(next.size(), 60U);
  });
}

TEST_P(BusSuite, AWatchEndsOnlyForTheNodeThatEndsIt) {
  start(3);
  for (std::size_t i = 0; i < 3; ++i)
    watch_and_wait(i, {5, 1}, "shared");
  node(0).unwatch({5, 1});
  publish_and_wait(0, "shared", "one");
  for (const std::size_t i : {1U, 2U}) {
    EXPECT_TRUE(node(i).heard([](const RecordingSink& sink) { return sink.heard.size() == 1; }));
  }
  node(1).unwatch({5, 1});
  node(1).unwatch({5, 1});
  publish_and_wait(1, "shared", "two");
  EXPECT_TRUE(node(2).heard([](const RecordingSink& sink) { return sink.heard.size() == 2; }));
  watch_and_wait(0, {5, 2}, "shared");
  publish_and_wait(2, "shared", "three");
  EXPECT_TRUE(node(0).heard([](const RecordingSink& sink) { return sink.heard.size() == 1; }));
  EXPECT_EQ(payloads(0, {5, 2}), std::vector<std::string>{"three"});
  EXPECT_EQ(payloads(1, {5, 1}), std::vector<std::string>{"one"});
}

TEST_P(BusSuite, AliasesOfOneNodeAreWatchedAgainAndAgainWithoutATrace) {
  start(2);
  for (std::uint32_t generation = 1; generation <= 500; ++generation) {
    node(0).watch({0, generation}, "again:" + std::to_string(generation % 7));
    node(0).unwatch({0, generation});
  }
  watch_and_wait(0, {0, 501}, "again:last");
  for (int n = 0; n < 7; ++n)
    publish_and_wait(1, "again:" + std::to_string(n), "nobody");
  publish_and_wait(1, "again:last", "mine");
  ASSERT_TRUE(node(0).heard([](const RecordingSink& sink) { return !sink.heard.empty(); }));
  EXPECT_EQ(payloads(0, {0, 501}), std::vector<std::string>{"mine"});
}

TEST_P(BusSuite, TenThousandChannelsEachReachTheirOwnWatchers) {
  constexpr std::uint32_t kChannels = 10'000;
  start(2);
  const auto name = [](std::uint32_t c) { return "wide:" + std::to_string(c); };
  for (std::size_t i = 0; i < 2; ++i) {
    node(i).with([&](BusPort& port, auto&) {
      for (std::uint32_t c = 0; c < kChannels; ++c)
        port.watch({c, 1}, name(c));
    });
  }
  for (std::size_t i = 0; i < 2; ++i) {
    ASSERT_TRUE(
        node(i).heard([&](const RecordingSink& sink) { return sink.heads.size() == kChannels; }));
  }
  for (std::uint32_t c = 0; c < kChannels; c += 500) {
    node(0).with([&](BusPort& port, auto&) {
      for (auto k = c; k < c + 500; ++k)
        port.publish(publish_request(name(k), name(k), 1 + k));
    });
    ASSERT_TRUE(
        node(0).heard([&](const RecordingSink& sink) { return sink.outcomes.size() == c + 500; }));
  }
  for (std::size_t i = 0; i < 2; ++i) {
    ASSERT_TRUE(
        node(i).heard([](const RecordingSink& sink) { return sink.heard.size() >= kChannels; }));
    node(i).with([&](auto&, RecordingSink& sink) {
      ASSERT_EQ(sink.heard.size(), kChannels);
      for (const auto& heard : sink.heard) {
        ASSERT_EQ(heard.publication.payload, name(heard.alias.index));
      }
    });
  }
  node(0).with([&](BusPort& port, auto&) {
    for (std::uint32_t c = 0; c < kChannels; ++c)
      port.unwatch({c, 1});
  });
  publish_and_wait(1, name(77), "only node 1");
  ASSERT_TRUE(
      node(1).heard([](const RecordingSink& sink) { return sink.heard.size() == kChannels + 1; }));
  node(0).with([&](auto&, RecordingSink& sink) { EXPECT_EQ(sink.heard.size(), kChannels); });
}

TEST_P(BusSuite, APublicationArrivesWithAllItsFields) {
  start(2);
  watch_and_wait(1, {0, 1}, "fields");
  std::string payload = "{\"any\": [1, 2.50, \"\\u00e9\"]}";
  payload += std::string(3000, ' ');
  PublishRequest request = publish_request("fields", payload);
  request.publication.kind = Kind::deletion;
  request.publication.key = "key";
  request.publication.type = "text/plain";
  request.publication.tags = "{\"t\":1}";
  request.publication.source = "source";
  request.publication.sequence = {1ULL << 63U, 7};
  request.publication.origin = "ann/1";
  request.publication.time_ms = 1'700'000'000'123;
  EXPECT_EQ(publish_and_wait(0, request).status, Status::ok);
  ASSERT_TRUE(node(1).heard([](const RecordingSink& sink) { return sink.heard.size() == 1; }));
  node(1).with([&](auto&, RecordingSink& sink) {
    const Publication& heard = sink.heard[0].publication;
    EXPECT_EQ(heard.payload, payload);
    EXPECT_EQ(heard.kind, Kind::deletion);
    EXPECT_EQ(heard.key, "key");
    EXPECT_EQ(heard.type, "text/plain");
    EXPECT_EQ(heard.tags, "{\"t\":1}");
    EXPECT_EQ(heard.source, "source");
    EXPECT_EQ(heard.sequence, (Sequence{1ULL << 63U, 7}));
    EXPECT_EQ(heard.origin, "ann/1");
    EXPECT_EQ(heard.time_ms, 1'700'000'000'123);
    EXPECT_EQ(heard.offset, Offset{});
  });
}

TEST_P(BusSuite, APayloadOfTheLimitArrivesAndAByteMoreIsRefused) {
  start(2);
  watch_and_wait(1, {0, 1}, "large");
  const std::string largest(Limits{}.message_bytes_max, 'x');
  EXPECT_EQ(publish_and_wait(0, "large", largest).status, Status::ok);
  const auto refused = publish_and_wait(0, "large", largest + 'x');
  EXPECT_EQ(refused.status, Status::refused);
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code, ErrorCode::message_too_large);
  publish_and_wait(0, "large", "last");
  ASSERT_TRUE(node(1).heard([](const RecordingSink& sink) { return sink.heard.size() == 2; }));
  EXPECT_EQ(payloads(1, {0, 1}), (std::vector<std::string>{largest, "last"}));
}

TEST_P(BusSuite, WhatAKeyMakesTooLargeIsRefusedAndCostsNobodyTheLink) {
  start(2);
  watch_and_wait(1, {0, 1}, "keyed");
  const std::string key(2 * Limits{}.message_bytes_max, 'k');
  PublishRequest request = publish_request("keyed", "1");
  request.publication.key = key;
  const Published refused = publish_and_wait(0, request);
  EXPECT_EQ(refused.status, Published::Status::refused);
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code, ErrorCode::message_too_large);
  EXPECT_EQ(publish_and_wait(0, "keyed", "after").status, Published::Status::ok);
  ASSERT_TRUE(node(1).heard([](const RecordingSink& sink) { return !sink.heard.empty(); }));
  EXPECT_EQ(payloads(1, {0, 1}), (std::vector<std::string>{"after"}));
  node(0).with([](auto&, RecordingSink& sink) { EXPECT_TRUE(sink.states.back().linked); });
}

TEST_P(BusSuite, WhatCannotBeDoneIsRefusedWithItsReason) {
  start(2);
  const auto bad_name = publish_and_wait(0, std::string("bad\0name", 8), "x");
  EXPECT_EQ(bad_name.status, Status::refused);
  EXPECT_EQ(bad_name.error->code, ErrorCode::channel_name_invalid);
  PublishRequest conditional = publish_request("ephemeral", "x");
  conditional.expect = Position{};
  EXPECT_EQ(publish_and_wait(0, conditional).error->code, ErrorCode::not_recoverable);
  ReadRequest read;
  read.channel = "ephemeral";
  std::vector<Publication> publications;
  EXPECT_EQ(read_and_wait(0, read, publications).error->code, ErrorCode::not_recoverable);
  watch_and_wait(0, {3, 1}, "bad\nname");
  node(0).with([](auto&, RecordingSink& sink) {
    ASSERT_TRUE(sink.heads.back().error);
    EXPECT_EQ(sink.heads.back().error->code, ErrorCode::channel_name_invalid);
  });
  watch_and_wait(0, {3, 2}, "good name");
  node(0).with([](auto&, RecordingSink& sink) { EXPECT_FALSE(sink.heads.back().error); });
}

TEST_P(BusSuite, CallbacksMayCallThePort) {
  class Echo final : public RecordingSink {
   public:
    void on_batch(std::span<const Delivery> batch) override {
      RecordingSink::on_batch(batch);
      for (std::size_t i = 0; i < batch.size() && heard.size() < 200; ++i) {
        port->publish(publish_request("echo", std::to_string(heard.size())));
      }
    }
    BusPort* port = nullptr;
  };
  auto sink = std::make_unique<Echo>();
  Echo& echo = *sink;
  std::vector<std::unique_ptr<BusNode>> nodes;
  nodes.push_back(std::make_unique<BusNode>(std::move(sink)));
  nodes.push_back(std::make_unique<BusNode>());
  start(std::move(nodes));
  node(0).with([&](BusPort& port, auto&) { echo.port = &port; });
  watch_and_wait(0, {0, 1}, "echo");
  node(1).publish("echo", "start");
  EXPECT_TRUE(node(0).heard([](const RecordingSink& heard) { return heard.heard.size() == 200; }));
}

// A node that doesn't turn for a while must not hold up others, and must be able to go on
// afterwards: what it lost is a stretch, never an order.
TEST_P(BusSuite, AStalledNodeHoldsUpNobodyAndGoesOn) {
  constexpr int kMessages = 6000;
  Limits limits;
  limits.link_credit_bytes = 256 * 1024;
  start(3, limits);
  const std::string channel = driver().channel_away_from(2, "stall");
  for (std::size_t i = 0; i < 3; ++i)
    watch_and_wait(i, {0, 1}, channel);
  const std::string padding(2000, 'x');
  std::promise<void> stalled, release;
  std::thread staller([&] {
    node(2).with([&](auto&, auto&) {
      stalled.set_value();
      release.get_future().wait();
    });
  });
  stalled.get_future().wait();
  for (int n = 0; n < kMessages; ++n) {
    node(0).publish(channel, std::to_string(n) + ' ' + padding, 1 + n);
    std::size_t taken_so_far = 0;
    ASSERT_TRUE(node(0).heard([&](const RecordingSink& sink) {
      taken_so_far = static_cast<std::size_t>(
          std::ranges::count(sink.outcomes, Status::ok, &Published::status));
      return sink.outcomes.size() + 20 > static_cast<std::size_t>(n);
    }));
    // On a busy machine a node may be late without standing still: that isn't what is tested.
    ASSERT_TRUE(node(1).heard(
        [&](const RecordingSink& sink) { return sink.heard.size() + 20 > taken_so_far; }));
  }
  ASSERT_TRUE(
      node(0).heard([](const RecordingSink& sink) { return sink.outcomes.size() == kMessages; }));
  std::size_t taken = 0;
  node(0).with([&](auto&, RecordingSink& sink) {
    for (const Published& outcome : sink.outcomes) {
      if (outcome.status == Status::ok) {
        ++taken;
      } else {
        ASSERT_EQ(outcome.error->code, ErrorCode::overloaded);
        ASSERT_TRUE(outcome.error->temporary());
      }
    }
  });
  // The one that kept turning missed nothing that was taken while the other slept.
  EXPECT_TRUE(node(1).heard([&](const RecordingSink& sink) { return sink.heard.size() == taken; }));
  release.set_value();
  staller.join();
  ASSERT_TRUE(node(2).heard([&](const RecordingSink& sink) {
    if (sink.heard.empty()) node(0).wake();
    return !sink.heard.empty();
  }));
  // Room comes back: soon a publication gets through again.
  bool through = false;
  for (int n = kMessages; n < kMessages + 2000 && !through; ++n) {
    publish_and_wait(0, channel, std::to_string(n) + " again");
    through = node(2).heard(
        [](const RecordingSink& sink) {
          return sink.heard.back().publication.payload.ends_with("again");
        },
        std::chrono::milliseconds(50));
  }
  EXPECT_TRUE(through);
  int last = -1;
  for (const std::string& payload : payloads(2, {0, 1})) {
    ASSERT_GT(std::stoi(payload), last);
    last = std::stoi(payload);
  }
}

TEST_P(BusSuite, EveryPublishHasOneOutcomeEvenWhenTheBusIsStopped) {
  start(3);
  for (std::size_t i = 0; i < size(); ++i) {
    node(i).with([&](BusPort& port, auto&) {
      for (RequestId id = 1; id <= 300; ++id) {
        port.publish(publish_request("stop:" + std::to_string(id % 10), "x", id));
      }
    });
  }
  driver().stop();
  for (std::size_t i = 0; i < size(); ++i) {
    node(i).with(
        [&](BusPort& port, auto&) { port.publish(publish_request("stop:0", "perhaps too late")); });
    ASSERT_TRUE(node(i).heard([](const RecordingSink& sink) {
      return sink.outcomes.size() == 300 && !sink.states.back().linked;
    }));
    node(i).with([](auto&, RecordingSink& sink) {
      std::set<RequestId> ids;
      for (const Published& outcome : sink.outcomes) {
        EXPECT_TRUE(ids.insert(outcome.id).second);
        EXPECT_EQ(outcome.status == Status::ok, !outcome.error);
      }
    });
  }
}

}  // namespace
}  // namespace peal::bus::test
