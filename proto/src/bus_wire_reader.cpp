#include <algorithm>
#include <numeric>
#include <vector>

#include "bus.pb.h"
#include "bus_wire_detail.hpp"
#include "bus_wire_operation.hpp"
#include "bus_wire_presence.hpp"
#include "bus_wire_query.hpp"
#include "peal/proto/bus_wire.hpp"
#include "peal/proto/channel_name.hpp"

namespace peal::wire {
namespace {

template <class Field>
typename Field::value_type dense(const Field& field, int at) {
  return field.empty() ? 0 : field.Get(at);
}

template <class Field>
std::uint64_t sum(const Field& field) {
  return std::accumulate(field.begin(), field.end(), std::uint64_t{0});
}

/// False when the eight bytes are no epoch. 0: none.
bool epoch_of(std::uint64_t number, Epoch& epoch) {
  if (number == 0) return true;
  std::array<char, Epoch::kSize> text{};
  for (std::size_t i = 0; i < text.size(); ++i)
    text[i] = static_cast<char>(number >> (8 * i));
  const auto parsed = Epoch::parse({text.data(), text.size()});
  if (parsed) epoch = *parsed;
  return parsed.has_value();
}

Error garbage(const char* what) {
  return fail(ErrorCode::command_invalid, std::string("not a message of the bus: ") + what);
}

}  // namespace

struct Reader::Impl {
  Direction direction;
  pb::Frame frame;
  std::string_view body;
  Stamp stamp;
  std::optional<Hello> hello;
  std::optional<Error> refusal;
  std::uint32_t numbered = 0;
  std::vector<PublicationView> items;
  std::vector<bus::Member> members;

  // Where the walk is, one index per array.
  int alias = 0, number = 0, name = 0, detail = 0, publication = 0, epochs = 0;
  std::size_t at = 0;
  std::uint64_t last_number = 0, last_time = 0;
  std::string_view last_name;

  void rewind() {
    alias = number = name = detail = publication = epochs = 0;
    at = 0;
    last_number = last_time = 0;
    last_name = {};
  }

  std::string_view take(std::uint64_t bytes) {
    const auto piece = body.substr(at, bytes);
    at += bytes;
    return piece;
  }
  bus::Alias take_alias() {
    const bus::Alias taken{frame.alias_index(alias), dense(frame.alias_generation(), alias)};
    ++alias;
    return taken;
  }
  std::uint64_t take_number() {
    return last_number += static_cast<std::uint64_t>(frame.number(number++));
  }
  std::string_view take_name() {
    if (const auto bytes = frame.name_bytes(name++); bytes != 0) last_name = take(bytes);
    return last_name;
  }
  std::string_view take_detail() { return take(dense(frame.detail_bytes(), detail++)); }
  bool take_publication(PublicationView& p) {
    p.payload = take(frame.payload_bytes(publication));
    p.offset = {dense(frame.offset(), publication)};
    last_time += static_cast<std::uint64_t>(dense(frame.time(), publication));
    p.time_ms = static_cast<std::int64_t>(last_time);
    ++publication;
    return p.offset <= kOffsetMax;
  }

  Result<void> check_shape();
  bool walk(OperationSink* sink);
  bool walk_run(Operation operation, std::uint32_t count, OperationSink* sink);
  bool rewatch(OperationSink* sink);
  bool publish(Operation operation, OperationSink* sink);
  bool read_one(OperationSink* sink);
  bool deliver(bus::Delivery& current, Operation operation, OperationSink* sink);
  bool head(OperationSink* sink);
  bool published(OperationSink* sink);
  bool begin_page(bus::Page& page, std::uint64_t& count);
  bool take_item();
  bool member(OperationSink* sink);
  bool who(OperationSink* sink);
  bool query(OperationSink* sink);

  bus::Delivery current;  ///< what `also` repeats
  bool have_delivery = false;
  bus::Page page;  ///< being gathered
  std::uint64_t items_due = 0;
};

/// Every array must have exactly the entries that the runs take, and the body the bytes that they
/// say.
Result<void> Reader::Impl::check_shape() {
  std::uint64_t aliases = 0, numbers = 0, names = 0, details = 0, publications = 0,
                epoch_entries = 0, links = 0;
  for (const std::uint32_t run : frame.runs()) {
    const std::uint32_t operation = run % 16;
    const std::uint64_t count = run / 16;
    if (operation >= kOperations || !kShapes[operation].known || count == 0) {
      return garbage("an unknown operation");
    }
    const OperationShape& shape = kShapes[operation];
    if (!shape.both_ways && shape.to_broker != (direction == Direction::to_broker)) {
      return garbage("a wrong direction");
    }
    if (shape.alias) aliases += count;
    if (shape.number) numbers += count;
    if (shape.name) names += count;
    if (shape.detail) details += count;
    if (shape.publication) publications += count;
    if (shape.epoch) epoch_entries += count;
    if (shape.numbered) links += count;
  }
  const auto whole = [](const auto& field, std::uint64_t entries) {
    return static_cast<std::uint64_t>(field.size()) == entries;
  };
  const auto fits = [&](const auto& field, std::uint64_t entries) {
    return field.empty() || whole(field, entries);
  };
  if (!whole(frame.alias_index(), aliases) || !fits(frame.alias_generation(), aliases) ||
      !whole(frame.number(), numbers) || !whole(frame.name_bytes(), names) ||
      !fits(frame.detail_bytes(), details) || !whole(frame.payload_bytes(), publications) ||
      !fits(frame.offset(), publications) || !fits(frame.time(), publications) ||
      !fits(frame.epoch(), epoch_entries)) {
    return garbage("arrays of unequal length");
  }
  if (sum(frame.name_bytes()) + sum(frame.detail_bytes()) + sum(frame.payload_bytes()) !=
      body.size()) {
    return garbage("the body has another size than its header says");
  }
  numbered = static_cast<std::uint32_t>(links);
  return {};
}

bool Reader::Impl::rewatch(OperationSink* sink) {
  const bus::Alias alias_taken = take_alias();
  Epoch seen;
  if (!epoch_of(dense(frame.epoch(), epochs++), seen)) return false;
  const std::string_view channel = take_name();
  if (sink != nullptr) sink->on_watch(alias_taken, channel, seen);
  return true;
}

bool Reader::Impl::publish(Operation operation, OperationSink* sink) {
  bus::PublishRequest request;
  if (operation == Operation::publish) request.id = take_number();
  request.channel = take_name();
  const std::string_view text = take_detail();
  if (!text.empty() && !decode_request(text, request)) return false;
  if (!take_publication(request.publication)) return false;
  if (sink != nullptr) sink->on_publish(request);
  return true;
}

bool Reader::Impl::read_one(OperationSink* sink) {
  bus::ReadRequest request;
  request.id = take_number();
  request.channel = take_name();
  if (!decode_read(take_detail(), request)) return false;
  if (sink != nullptr) sink->on_read(request);
  return true;
}

bool Reader::Impl::deliver(bus::Delivery& to, Operation operation, OperationSink* sink) {
  if (operation == Operation::also) {
    if (!have_delivery) return false;
    to.alias = take_alias();
  } else {
    bus::PublishRequest request;
    to.alias = take_alias();
    to.epoch = Epoch();
    if (!epoch_of(dense(frame.epoch(), epochs++), to.epoch)) return false;
    const std::string_view text = take_detail();
    if (!text.empty() && !decode_request(text, request)) return false;
    if (!take_publication(request.publication)) return false;
    to.publication = request.publication;
    have_delivery = true;
  }
  if (sink != nullptr) sink->on_delivery(to);
  return true;
}

bool Reader::Impl::head(OperationSink* sink) {
  bus::HeadNotice notice;
  notice.alias = take_alias();
  if (!decode_head(take_detail(), notice)) return false;
  if (sink != nullptr) sink->on_head(notice);
  return true;
}

bool Reader::Impl::published(OperationSink* sink) {
  bus::Published outcome;
  outcome.id = take_number();
  if (!decode_outcome(take_detail(), outcome)) return false;
  if (sink != nullptr) sink->on_published(outcome);
  return true;
}

bool Reader::Impl::begin_page(bus::Page& to, std::uint64_t& count) {
  to = {};
  to.id = take_number();
  items.clear();
  return decode_page(take_detail(), to, count);
}

bool Reader::Impl::take_item() {
  bus::PublishRequest request;
  const std::string_view text = take_detail();
  if (!text.empty() && !decode_request(text, request)) return false;
  if (!take_publication(request.publication)) return false;
  items.push_back(request.publication);
  return true;
}

bool Reader::Impl::member(OperationSink* sink) {
  if (direction == Direction::to_peer) {
    bus::PresenceEvent event;
    event.alias = take_alias();
    if (!decode_presence_event(take_detail(), event)) return false;
    if (sink != nullptr) sink->on_presence_event(event);
    return true;
  }
  bus::Member coming;
  bool leaves = false;
  const bus::Alias alias_taken = take_alias();
  if (!decode_coming(take_detail(), leaves, coming)) return false;
  if (sink == nullptr) return true;
  leaves ? sink->on_leave(alias_taken, coming.session) : sink->on_enter(alias_taken, coming);
  return true;
}

bool Reader::Impl::who(OperationSink* sink) {
  const std::uint64_t id = take_number();
  const std::string_view channel = take_name();
  if (direction == Direction::to_broker) {
    bus::PresenceRequest request;
    request.id = id;
    request.channel = channel;
    if (!decode_presence_request(take_detail(), request)) return false;
    if (sink != nullptr) sink->on_presence(request);
    return true;
  }
  bus::PresenceAnswer answer;
  answer.id = id;
  if (!decode_presence_answer(take_detail(), answer, members)) return false;
  if (sink != nullptr) sink->on_presence_answer(answer);
  return true;
}

bool Reader::Impl::query(OperationSink* sink) {
  const std::uint64_t id = take_number();
  const std::string_view text = take_detail();
  if (is_cluster_answer(text)) {
    bus::ClusterAnswer answer;
    if (!decode_cluster_answer(text, answer)) return false;
    if (sink != nullptr) sink->on_cluster_answer(id, answer);
    return true;
  }
  bus::ClusterQuery asked;
  if (!decode_cluster_query(text, asked)) return false;
  if (sink != nullptr) sink->on_cluster_query(id, asked);
  return true;
}

bool Reader::Impl::walk_run(Operation operation, std::uint32_t count, OperationSink* sink) {
  for (std::uint32_t i = 0; i < count; ++i) {
    if ((operation == Operation::item) != (items_due != 0)) return false;
    if (operation != Operation::also && operation != Operation::delivery) have_delivery = false;
    bool good = true;
    switch (operation) {
      case Operation::watch: {
        const bus::Alias alias_taken = take_alias();
        const std::string_view channel = take_name();
        if (sink != nullptr) sink->on_watch(alias_taken, channel, {});
        break;
      }
      case Operation::rewatch:
        good = rewatch(sink);
        break;
      case Operation::unwatch: {
        const bus::Alias alias_taken = take_alias();
        if (sink != nullptr) sink->on_unwatch(alias_taken);
        break;
      }
      case Operation::publish:
      case Operation::post:
        good = publish(operation, sink);
        break;
      case Operation::read:
        good = read_one(sink);
        break;
      case Operation::delivery:
      case Operation::also:
        good = deliver(current, operation, sink);
        break;
      case Operation::head:
        good = head(sink);
        break;
      case Operation::published:
        good = published(sink);
        break;
      case Operation::page:
        good = begin_page(page, items_due);
        break;
      case Operation::item:
        good = take_item();
        --items_due;
        break;
      case Operation::member:
        good = member(sink);
        break;
      case Operation::who:
        good = who(sink);
        break;
      case Operation::query:
        good = query(sink);
        break;
      case Operation::none:
        return false;
    }
    if (!good) return false;
    if ((operation == Operation::page || operation == Operation::item) && items_due == 0) {
      page.publications = items;
      if (sink != nullptr) sink->on_page(page);
    }
  }
  return true;
}

bool Reader::Impl::walk(OperationSink* sink) {
  rewind();
  have_delivery = false;
  items_due = 0;
  for (const std::uint32_t run : frame.runs()) {
    if (!walk_run(static_cast<Operation>(run % 16), run / 16, sink)) return false;
  }
  return items_due == 0;
}

Reader::Reader(Direction direction) : impl_(std::make_unique<Impl>()) {
  impl_->direction = direction;
}
Reader::~Reader() = default;
Reader::Reader(Reader&&) noexcept = default;

Result<void> Reader::read(std::string_view header, std::string_view body) {
  Impl& m = *impl_;
  m.hello.reset();
  m.refusal.reset();
  m.body = body;
  m.numbered = 0;
  m.frame.Clear();
  if (!m.frame.ParseFromArray(header.data(), static_cast<int>(header.size()))) {
    m.frame.Clear();
    return garbage("the header is not a frame");
  }
  auto shape = m.check_shape();
  if (shape && !m.walk(nullptr)) shape = garbage("a broken detail");
  if (!shape) {
    m.frame.Clear();
    return shape;
  }
  const pb::Frame& frame = m.frame;
  m.stamp.number = frame.link_number();
  m.stamp.consumed.values = {frame.consumed_control(), frame.consumed_live(),
                             frame.consumed_history()};
  m.stamp.consumed_messages = frame.consumed_messages();
  m.stamp.bytes.values = {frame.control_bytes(), frame.live_bytes(), frame.history_bytes()};
  m.stamp.not_ready = frame.not_ready();
  m.stamp.view = frame.view();
  m.stamp.stood_in.reset();
  if (Epoch stood_in; frame.stood_in() != 0) {
    if (!epoch_of(frame.stood_in(), stood_in)) {
      m.frame.Clear();
      return garbage("no epoch");
    }
    m.stamp.stood_in = stood_in;
  }
  if (frame.has_hello()) {
    const pb::Hello& in = frame.hello();
    if (!ChannelName::valid(in.cluster()) || !ChannelName::valid(in.node())) {
      m.frame.Clear();
      return garbage("a Hello without readable names");
    }
    m.hello = Hello{in.version_min(),     in.version_max(),
                    in.cluster(),         in.node(),
                    in.incarnation(),     in.message_bytes_max(),
                    in.batch_bytes_max(), in.credit_bytes(),
                    in.credit_messages(), in.answers(),
                    in.broker(),          {in.members().begin(), in.members().end()},
                    in.store(),           in.wanted()};
    const auto readable = [](const std::string& name) {
      return name.empty() || ChannelName::valid(name);
    };
    if (!std::ranges::all_of(m.hello->members, ChannelName::valid) || !readable(in.store()) ||
        !readable(in.wanted())) {
      m.hello.reset();
      m.frame.Clear();
      return garbage("a Hello without readable names");
    }
  }
  if (frame.has_refusal()) {
    const auto code = error_code_from_name(frame.refusal().code());
    const bool readable = ChannelName::valid(frame.refusal().message());
    m.refusal = Error{code.value_or(ErrorCode::internal_error),
                      readable ? frame.refusal().message() : std::string("refused")};
  }
  return {};
}

const Stamp& Reader::stamp() const {
  return impl_->stamp;
}
const std::optional<Hello>& Reader::hello() const {
  return impl_->hello;
}
const std::optional<Error>& Reader::refusal() const {
  return impl_->refusal;
}
std::uint32_t Reader::numbered() const {
  return impl_->numbered;
}
bool Reader::has_operations() const {
  return impl_->frame.runs_size() != 0;
}
void Reader::walk(OperationSink& sink) {
  impl_->walk(&sink);
}

}  // namespace peal::wire
