#include <cstring>

#include "bus.pb.h"
#include "bus_wire_detail.hpp"
#include "bus_wire_operation.hpp"
#include "bus_wire_presence.hpp"
#include "bus_wire_query.hpp"
#include "peal/proto/bus_wire.hpp"

namespace peal::wire {
namespace {

/// About what one operation adds to the header.
constexpr std::size_t kOperationBytes = 6;

template <class Field>
void add_dense(Field& field, int entries_before, typename Field::value_type value) {
  if (value == 0 && field.empty()) return;
  if (field.size() < entries_before) field.Resize(entries_before, 0);
  field.Add(value);
}

std::uint64_t number_of(const Epoch& epoch) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < Epoch::kSize; ++i) {
    number |= std::uint64_t{static_cast<unsigned char>(epoch.view()[i])} << (8 * i);
  }
  return number;
}

std::int64_t difference(std::uint64_t to, std::uint64_t from) {
  return static_cast<std::int64_t>(to - from);
}

}  // namespace

struct Writer::Impl {
  pb::Frame frame;
  std::string body;
  std::string name;  ///< the last one written
  Operation run = Operation::none;
  std::uint32_t run_length = 0;
  std::uint32_t operations = 0;
  std::uint32_t numbered = 0;
  int details = 0;
  int publications = 0;
  int epochs = 0;
  std::uint64_t last_number = 0;
  std::uint64_t last_time = 0;
  bool greeting = false;

  void begin(Operation operation) {
    if (operation != run) {
      end_run();
      run = operation;
    }
    ++run_length;
    ++operations;
    if (shape_of(operation).numbered) ++numbered;
  }

  void end_run() {
    if (run_length != 0) frame.add_runs(run_length * 16 + static_cast<std::uint32_t>(run));
    run_length = 0;
  }

  void add_alias(bus::Alias alias) {
    auto& generations = *frame.mutable_alias_generation();
    add_dense(generations, frame.alias_index_size(), alias.generation);
    frame.add_alias_index(alias.index);
  }

  void add_number(std::uint64_t number) {
    frame.add_number(difference(number, last_number));
    last_number = number;
  }

  void add_name(std::string_view channel) {
    const bool same = !name.empty() && channel == name;
    frame.add_name_bytes(same ? 0 : static_cast<std::uint32_t>(channel.size()));
    if (same) return;
    body.append(channel);
    name.assign(channel);
  }

  /// After the detail has been appended to the body, which was `before` bytes long.
  void add_detail(std::size_t before) {
    add_dense(*frame.mutable_detail_bytes(), details++,
              static_cast<std::uint32_t>(body.size() - before));
  }

  void add_publication(const PublicationView& p) {
    const auto time = static_cast<std::uint64_t>(p.time_ms);
    add_dense(*frame.mutable_offset(), publications, p.offset.value);
    add_dense(*frame.mutable_time(), publications, difference(time, last_time));
    // A time of 0 after one that is not is a difference like any other; last_time moves only with
    // entries.
    if (frame.time_size() != 0) last_time = time;
    ++publications;
    frame.add_payload_bytes(static_cast<std::uint32_t>(p.payload.size()));
    body.append(p.payload);
  }

  void reset() {
    frame.Clear();
    body.clear();
    name.clear();
    run = Operation::none;
    run_length = operations = numbered = 0;
    details = publications = epochs = 0;
    last_number = last_time = 0;
    greeting = false;
  }
};

Writer::Writer() : impl_(std::make_unique<Impl>()) {}
Writer::~Writer() = default;
Writer::Writer(Writer&&) noexcept = default;
Writer& Writer::operator=(Writer&&) noexcept = default;

void Writer::watch(bus::Alias alias, std::string_view channel, const std::optional<Epoch>& seen) {
  impl_->begin(seen ? Operation::rewatch : Operation::watch);
  impl_->add_alias(alias);
  if (seen) add_dense(*impl_->frame.mutable_epoch(), impl_->epochs++, number_of(*seen));
  impl_->add_name(channel);
}

void Writer::unwatch(bus::Alias alias) {
  impl_->begin(Operation::unwatch);
  impl_->add_alias(alias);
}

void Writer::publish(const bus::PublishRequest& request) {
  impl_->begin(request.id != 0 ? Operation::publish : Operation::post);
  if (request.id != 0) impl_->add_number(request.id);
  impl_->add_name(request.channel);
  const std::size_t before = impl_->body.size();
  encode_request(impl_->body, request);
  impl_->add_detail(before);
  impl_->add_publication(request.publication);
}

void Writer::read(const bus::ReadRequest& request) {
  impl_->begin(Operation::read);
  impl_->add_number(request.id);
  impl_->add_name(request.channel);
  const std::size_t before = impl_->body.size();
  encode_read(impl_->body, request);
  impl_->add_detail(before);
}

void Writer::delivery(bus::Alias alias, const Epoch& epoch, const PublicationView& publication) {
  impl_->begin(Operation::delivery);
  impl_->add_alias(alias);
  const std::uint64_t number = publication.offset.value == 0 ? 0 : number_of(epoch);
  add_dense(*impl_->frame.mutable_epoch(), impl_->epochs++, number);
  const std::size_t before = impl_->body.size();
  encode_attributes(impl_->body, publication);
  impl_->add_detail(before);
  impl_->add_publication(publication);
}

void Writer::also(bus::Alias alias) {
  impl_->begin(Operation::also);
  impl_->add_alias(alias);
}

void Writer::head(const bus::HeadNotice& notice) {
  impl_->begin(Operation::head);
  impl_->add_alias(notice.alias);
  const std::size_t before = impl_->body.size();
  encode_head(impl_->body, notice);
  impl_->add_detail(before);
}

void Writer::published(const bus::Published& outcome) {
  impl_->begin(Operation::published);
  impl_->add_number(outcome.id);
  const std::size_t before = impl_->body.size();
  encode_outcome(impl_->body, outcome);
  impl_->add_detail(before);
}

void Writer::page(const bus::Page& page) {
  impl_->begin(Operation::page);
  impl_->add_number(page.id);
  const std::size_t before = impl_->body.size();
  encode_page(impl_->body, page);
  impl_->add_detail(before);
  for (const PublicationView& publication : page.publications) {
    impl_->begin(Operation::item);
    const std::size_t item_before = impl_->body.size();
    encode_attributes(impl_->body, publication);
    impl_->add_detail(item_before);
    impl_->add_publication(publication);
  }
}

void Writer::enter(bus::Alias alias, const bus::Member& member) {
  impl_->begin(Operation::member);
  impl_->add_alias(alias);
  const std::size_t before = impl_->body.size();
  encode_enter(impl_->body, member);
  impl_->add_detail(before);
}

void Writer::leave(bus::Alias alias, std::string_view session) {
  impl_->begin(Operation::member);
  impl_->add_alias(alias);
  const std::size_t before = impl_->body.size();
  encode_leave(impl_->body, session);
  impl_->add_detail(before);
}

void Writer::presence(const bus::PresenceRequest& request) {
  impl_->begin(Operation::who);
  impl_->add_number(request.id);
  impl_->add_name(request.channel);
  const std::size_t before = impl_->body.size();
  encode_presence_request(impl_->body, request);
  impl_->add_detail(before);
}

void Writer::presence_answer(const bus::PresenceAnswer& answer) {
  impl_->begin(Operation::who);
  impl_->add_number(answer.id);
  impl_->add_name({});
  const std::size_t before = impl_->body.size();
  encode_presence_answer(impl_->body, answer);
  impl_->add_detail(before);
}

void Writer::presence_event(const bus::PresenceEvent& event) {
  impl_->begin(Operation::member);
  impl_->add_alias(event.alias);
  const std::size_t before = impl_->body.size();
  encode_presence_event(impl_->body, event);
  impl_->add_detail(before);
}

void Writer::cluster_query(bus::RequestId id, const bus::ClusterQuery& query) {
  impl_->begin(Operation::query);
  impl_->add_number(id);
  const std::size_t before = impl_->body.size();
  encode_cluster_query(impl_->body, query);
  impl_->add_detail(before);
}

void Writer::cluster_answer(bus::RequestId id, const bus::ClusterAnswer& answer) {
  impl_->begin(Operation::query);
  impl_->add_number(id);
  const std::size_t before = impl_->body.size();
  encode_cluster_answer(impl_->body, answer);
  impl_->add_detail(before);
}

void Writer::hello(const Hello& hello) {
  impl_->greeting = true;
  auto& out = *impl_->frame.mutable_hello();
  out.set_version_min(hello.version_min);
  out.set_version_max(hello.version_max);
  out.set_cluster(hello.cluster);
  out.set_node(hello.node);
  out.set_incarnation(hello.incarnation);
  out.set_message_bytes_max(hello.message_bytes_max);
  out.set_batch_bytes_max(hello.batch_bytes_max);
  out.set_credit_bytes(hello.credit_bytes);
  out.set_credit_messages(hello.credit_messages);
  out.set_answers(hello.answers);
  out.set_broker(hello.broker);
  for (const std::string& member : hello.members)
    out.add_members(member);
  out.set_store(hello.store);
  out.set_wanted(hello.wanted);
}

void Writer::refusal(const Error& error) {
  impl_->greeting = true;
  auto& out = *impl_->frame.mutable_refusal();
  out.set_code(std::string(info(error.code).name));
  out.set_message(error.message);
}

bool Writer::empty() const {
  return impl_->operations == 0 && !impl_->greeting;
}

std::size_t Writer::bytes() const {
  return impl_->body.size() + impl_->operations * kOperationBytes;
}

std::uint32_t Writer::numbered() const {
  return impl_->numbered;
}

Message Writer::close(const Stamp& stamp) {
  impl_->end_run();
  pb::Frame& frame = impl_->frame;
  frame.set_link_number(stamp.number);
  frame.set_consumed_control(stamp.consumed[LinkClass::control]);
  frame.set_consumed_live(stamp.consumed[LinkClass::live]);
  frame.set_consumed_history(stamp.consumed[LinkClass::history]);
  frame.set_consumed_messages(stamp.consumed_messages);
  frame.set_control_bytes(stamp.bytes[LinkClass::control]);
  frame.set_live_bytes(stamp.bytes[LinkClass::live]);
  frame.set_history_bytes(stamp.bytes[LinkClass::history]);
  frame.set_not_ready(stamp.not_ready);
  frame.set_view(stamp.view);
  if (stamp.stood_in) frame.set_stood_in(number_of(*stamp.stood_in));
  Message message;
  frame.SerializeToString(&message.header);
  const std::size_t usual = impl_->body.size();
  message.body = std::move(impl_->body);
  impl_->reset();
  impl_->body.reserve(usual);
  return message;
}

}  // namespace peal::wire
