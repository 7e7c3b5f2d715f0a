#pragma once
// The bus on the wire (schema/bus.proto): a message is a header frame, which is protobuf, and a
// body frame. Writer gathers a batch of operations and closes it into one message; Reader checks a
// whole message before it gives anything away, so that garbage is an Error and never half a batch.
// Pure, one owner each; both keep their buffers from batch to batch. Protobuf stays behind this
// door.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peal/proto/bus_messages.hpp"
#include "peal/proto/cluster_query.hpp"
#include "peal/proto/presence.hpp"
#include "peal/proto/result.hpp"

namespace peal::wire {

inline constexpr std::uint32_t kVersionMin = 1;
inline constexpr std::uint32_t kVersionMax = 4;
/// Presence came with this one: to a side that speaks less it is not written.
inline constexpr std::uint32_t kVersionPresence = 2;
/// Likewise questions to the cluster.
inline constexpr std::uint32_t kVersionQueries = 3;
/// Likewise what several brokers need: a watch that says which epoch was seen.
inline constexpr std::uint32_t kVersionMembers = 4;

/// Who speaks: the first message of both sides of a link session.
struct Hello {
  std::uint32_t version_min = kVersionMin;
  std::uint32_t version_max = kVersionMax;
  std::string cluster;
  std::string node;
  std::uint64_t incarnation = 0;  ///< random per process start
  std::uint64_t message_bytes_max = 0;
  std::uint64_t batch_bytes_max = 0;
  std::uint64_t credit_bytes = 0;     ///< granted per class
  std::uint64_t credit_messages = 0;  ///< granted
  bool answers = false;               ///< questions to the cluster: it is a gateway
  bool broker = false;
  std::vector<std::string> members{};  ///< the brokers' names, in order; none: there is one
  std::string store{};                 ///< of a broker: where its logs are
  std::string wanted{};                ///< the broker that is meant; empty: whoever is there
  friend bool operator==(const Hello&, const Hello&) = default;
};

enum class LinkClass : std::uint8_t { control = 0, live = 1, history = 2 };
inline constexpr std::size_t kLinkClasses = 3;

/// A number per class.
template <class Number>
struct PerClass {
  std::array<Number, kLinkClasses> values{};
  Number& operator[](LinkClass c) { return values[static_cast<std::size_t>(c)]; }
  const Number& operator[](LinkClass c) const { return values[static_cast<std::size_t>(c)]; }
  friend bool operator==(const PerClass&, const PerClass&) = default;
};

/// What the link adds to every message.
struct Stamp {
  std::uint64_t number = 0;          ///< of the first numbered operation (delivery, publish)
  PerClass<std::uint64_t> consumed;  ///< bytes taken of what the other side sent
  std::uint64_t consumed_messages = 0;
  PerClass<std::uint32_t> bytes;  ///< what this message weighs
  bool not_ready = false;         ///< a broker that serves nothing yet
  std::optional<Epoch> stood_in;  ///< to a broker: grows when its place is handed back
  std::uint32_t view = 0;         ///< of a broker: differs when it serves other channels
  friend bool operator==(const Stamp&, const Stamp&) = default;
};

struct Message {
  std::string header;
  std::string body;
};

class Writer {
 public:
  Writer();
  ~Writer();
  Writer(Writer&&) noexcept;
  Writer& operator=(Writer&&) noexcept;

  /// With `seen` only on a link of kVersionMembers or later.
  void watch(bus::Alias alias, std::string_view channel, const std::optional<Epoch>& seen = {});
  void unwatch(bus::Alias alias);
  /// `request.id` is the number; 0 asks for no answer.
  void publish(const bus::PublishRequest& request);
  void read(const bus::ReadRequest& request);
  void delivery(bus::Alias alias, const Epoch& epoch, const PublicationView& publication);
  /// The delivery written last goes to this alias as well; nothing may be written between.
  void also(bus::Alias alias);
  void head(const bus::HeadNotice& notice);
  void published(const bus::Published& outcome);
  void page(const bus::Page& page);
  void enter(bus::Alias alias, const bus::Member& member);
  void leave(bus::Alias alias, std::string_view session);
  void presence(const bus::PresenceRequest& request);
  void presence_answer(const bus::PresenceAnswer& answer);
  void presence_event(const bus::PresenceEvent& event);
  void cluster_query(bus::RequestId id, const bus::ClusterQuery& query);
  void cluster_answer(bus::RequestId id, const bus::ClusterAnswer& answer);

  void hello(const Hello& hello);
  void refusal(const Error& error);

  bool empty() const;              ///< nothing was written since the last close
  std::size_t bytes() const;       ///< about what the message weighs so far
  std::uint32_t numbered() const;  ///< deliveries and publishes so far
  /// The message; the writer is empty again.
  Message close(const Stamp& stamp);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Receives the operations of one message in order. Views are valid during the call. Who has no say
/// in some of them, as those of the other direction, hears nothing.
class OperationSink {
 public:
  virtual ~OperationSink() = default;
  /// `seen`: the epoch of the channel that the peer knows of.
  virtual void on_watch(bus::Alias, std::string_view /*channel*/,
                        const std::optional<Epoch>& /*seen*/) {}
  virtual void on_unwatch(bus::Alias) {}
  virtual void on_publish(const bus::PublishRequest&) {}
  virtual void on_read(const bus::ReadRequest&) {}
  virtual void on_delivery(const bus::Delivery&) {}
  virtual void on_head(const bus::HeadNotice&) {}
  virtual void on_published(const bus::Published&) {}
  virtual void on_page(const bus::Page&) {}

  virtual void on_enter(bus::Alias, const bus::Member&) {}
  virtual void on_leave(bus::Alias, std::string_view /*session*/) {}
  virtual void on_presence(const bus::PresenceRequest&) {}
  virtual void on_presence_answer(const bus::PresenceAnswer&) {}
  virtual void on_presence_event(const bus::PresenceEvent&) {}

  virtual void on_cluster_query(bus::RequestId, const bus::ClusterQuery&) {}
  virtual void on_cluster_answer(bus::RequestId, const bus::ClusterAnswer&) {}
};

/// What they weigh on a link: about their bytes.
std::size_t weight(const bus::ClusterQuery& query);
std::size_t weight(const bus::ClusterAnswer& answer);

enum class Direction : std::uint8_t { to_broker, to_peer };

class Reader {
 public:
  explicit Reader(Direction direction);
  ~Reader();
  Reader(Reader&&) noexcept;

  /// Takes one message. Afterwards the rest tells what is in it; `body` must outlive `walk`.
  Result<void> read(std::string_view header, std::string_view body);

  const Stamp& stamp() const;
  const std::optional<Hello>& hello() const;
  const std::optional<Error>& refusal() const;
  std::uint32_t numbered() const;
  bool has_operations() const;
  void walk(OperationSink& sink);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peal::wire
