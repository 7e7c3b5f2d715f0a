// Feeds mutated bus messages to the reader, both directions. What it accepts must be within bounds,
// and written again and read again it must be the same operations.

#include <algorithm>
#include <memory>

#include "fuzz.hpp"
#include "peal/proto/bus_wire.hpp"

namespace {

using namespace peal;
using fuzz::Current;
using fuzz::Random;
using fuzz::require;

const Epoch kEpoch = *Epoch::parse("0aZ9bY8c");

/// Writes what it hears into a writer, and keeps a digest of it.
class Rewriter final : public wire::OperationSink {
 public:
  wire::Writer writer;
  std::string digest;
  std::size_t payload_bytes = 0;

  void on_watch(bus::Alias alias, std::string_view channel,
                const std::optional<Epoch>& seen) override {
    note("w", alias.index, alias.generation, channel);
    if (seen) note(" s", 0, 0, seen->view());
    writer.watch(alias, channel, seen);
  }
  void on_unwatch(bus::Alias alias) override {
    note("u", alias.index, alias.generation, {});
    writer.unwatch(alias);
  }
  void on_publish(const bus::PublishRequest& request) override {
    note("p", request.id, request.expect ? request.expect->offset.value + 1 : 0, request.channel);
    note(" c", request.expect_end.value_or(99), static_cast<std::uint64_t>(request.expect_value),
         request.replace ? "replace" : "");
    note(" @", request.place ? request.place->offset.value : 0,
         request.place_floor ? request.place_floor->value + 1 : 0, {});
    note_publication(request.publication);
    writer.publish(request);
  }
  void on_read(const bus::ReadRequest& request) override {
    note("r", request.id, request.after.value, request.channel);
    note(" m", static_cast<std::uint64_t>(request.mode), request.limit, {});
    writer.read(request);
  }
  void on_delivery(const bus::Delivery& delivery) override {
    note("d", delivery.alias.index, delivery.alias.generation, {});
    note_publication(delivery.publication);
    writer.delivery(delivery.alias, delivery.epoch, delivery.publication);
  }
  void on_head(const bus::HeadNotice& notice) override {
    note("h", notice.alias.index, notice.head ? notice.head->top.value + 1 : 0, {});
    writer.head(notice);
  }
  void on_published(const bus::Published& outcome) override {
    note("o", outcome.id, static_cast<std::uint64_t>(outcome.status), {});
    note(" e", outcome.end_byte, 0, {});
    writer.published(outcome);
  }
  void on_page(const bus::Page& page) override {
    note("g", page.id, page.publications.size(), {});
    note(" b", page.first_byte, page.end_byte, {});
    for (const auto& publication : page.publications)
      note_publication(publication);
    writer.page(page);
  }
  void on_enter(bus::Alias alias, const bus::Member& member) override {
    note("e", alias.index, alias.generation, {});
    note_member(member);
    writer.enter(alias, member);
  }
  void on_leave(bus::Alias alias, std::string_view session) override {
    note("l", alias.index, alias.generation, session);
    writer.leave(alias, session);
  }
  void on_presence(const bus::PresenceRequest& request) override {
    note("q", request.id, request.limit, request.channel);
    digest += request.after;
    writer.presence(request);
  }
  void on_presence_answer(const bus::PresenceAnswer& answer) override {
    note("a", answer.id, answer.digest, answer.error ? answer.error->message : "");
    note("  ", answer.sessions, answer.users * 4 + (answer.more ? 2 : 0) + answer.settled, {});
    for (const bus::Member& member : answer.members)
      note_member(member);
    writer.presence_answer(answer);
  }
  void on_presence_event(const bus::PresenceEvent& event) override {
    note("v", event.alias.index, static_cast<std::uint64_t>(event.what), {});
    note_member(event.member);
    writer.presence_event(event);
  }

  void on_cluster_query(bus::RequestId id, const bus::ClusterQuery& query) override {
    note("Q", id, static_cast<std::uint64_t>(query.what), query.who);
    note("  ", query.limit, static_cast<std::uint64_t>(query.within.count()), query.after);
    for (const std::string& glob : query.channels)
      digest.append(glob) += '|';
    digest += query.reason;
    writer.cluster_query(id, query);
  }
  void on_cluster_answer(bus::RequestId id, const bus::ClusterAnswer& answer) override {
    note("A", id, answer.sessions, answer.error ? answer.error->message : "");
    note("  ", answer.asked, answer.answered, answer.more ? "more" : "");
    for (const auto& [name, subscribers] : answer.channels)
      note(" c", subscribers, 0, name);
    for (const auto& [node, why] : answer.missing)
      digest.append(node).append(why) += '|';
    writer.cluster_answer(id, answer);
  }

 private:
  void note(const char* what, std::uint64_t a, std::uint64_t b, std::string_view text) {
    digest += what + std::to_string(a) + '.' + std::to_string(b) + ' ';
    digest += text;
    digest += '\n';
  }
  void note_member(const bus::Member& member) {
    payload_bytes += member.data.size();
    for (const auto text : {member.session, member.user, member.data})
      digest.append(text) += '|';
  }
  void note_publication(const PublicationView& p) {
    payload_bytes += p.payload.size();
    note("  ", p.offset.value, static_cast<std::uint64_t>(p.time_ms), p.payload);
    for (const auto text : {p.key, p.type, p.tags, p.source, p.origin})
      digest.append(text) += '|';
  }
};

/// A question to the cluster, or an answer to one: both go both ways.
void write_query(Random& random, wire::Writer& writer, const std::string& channel) {
  const bus::RequestId id = 1 + random.below(9);
  if (random.one_in(2)) {
    bus::ClusterQuery query;
    query.what = static_cast<bus::ClusterQuery::What>(1 + random.below(3));
    query.who = "ann";
    if (random.one_in(2)) query.channels = {channel, "*"};
    query.limit = random.below(2000);
    return writer.cluster_query(id, query);
  }
  bus::ClusterAnswer answer;
  answer.sessions = random.below(1000);
  answer.asked = answer.answered = random.below(4);
  if (random.one_in(2)) answer.channels = {{"a", 1}, {channel, random.below(9)}};
  answer.more = !answer.channels.empty() && random.one_in(2);
  if (random.one_in(3)) answer.missing = {{"gateway-1", "did not within 1 s"}};
  if (random.one_in(4)) answer.error = fail(ErrorCode::overloaded, "full");
  writer.cluster_answer(id, answer);
}

wire::Message example(Random& random, wire::Direction direction) {
  wire::Writer w;
  const auto alias = [&] {
    return bus::Alias{static_cast<std::uint32_t>(random.below(9)),
                      static_cast<std::uint32_t>(random.below(3))};
  };
  const std::string payload(random.below(20), 'p');
  const std::string channel = "c" + std::to_string(random.below(3));
  PublicationView publication;
  publication.payload = payload;
  if (random.one_in(2)) publication.key = "key";
  if (random.one_in(3)) publication.offset = {random.below(100)};
  if (random.one_in(3)) publication.time_ms = static_cast<std::int64_t>(random.below(1'000'000));
  for (std::size_t n = random.below(8); n > 0; --n) {
    if (random.one_in(8)) {
      write_query(random, w, channel);
      continue;
    }
    if (direction == wire::Direction::to_broker) {
      bus::PublishRequest publish;
      bus::ReadRequest read;
      bus::PresenceRequest who;
      switch (random.below(7)) {
        case 4:
          w.enter(alias(), {"session", random.one_in(2) ? "ann" : "", payload});
          break;
        case 5:
          w.leave(alias(), "session");
          break;
        case 6:
          who.id = 1 + random.below(9);
          who.channel = channel;
          who.limit = random.below(9);
          w.presence(who);
          break;
        case 0:
          w.watch(alias(), channel, random.one_in(2) ? std::optional(kEpoch) : std::nullopt);
          break;
        case 1:
          w.unwatch(alias());
          break;
        case 2:
          publish.id = random.below(3);
          publish.channel = channel;
          publish.publication = publication;
          if (random.one_in(2)) publish.expect = Position{kEpoch, {3}};
          publish.expect_value = static_cast<bus::ExpectValue>(random.below(3));
          if (random.one_in(3)) publish.expect_end = random.below(1000);
          publish.replace = random.one_in(3);
          if (random.one_in(3)) publish.place = Position{kEpoch, {random.below(9)}};
          if (publish.place && random.one_in(2)) publish.place_floor = Offset{random.below(9)};
          w.publish(publish);
          break;
        default:
          read.id = 1 + random.below(9);
          read.channel = channel;
          read.mode = static_cast<bus::ReadRequest::Mode>(random.below(4));
          w.read(read);
      }
      continue;
    }
    switch (random.below(6)) {
      case 4: {
        const std::vector<bus::Member> members(random.below(3), {"session", "ann", payload});
        w.presence_answer({1 + random.below(9), std::nullopt, members, random.one_in(2),
                           random.below(99), random.below(99), random.next(), random.one_in(2)});
        break;
      }
      case 5:
        w.presence_event({alias(),
                          static_cast<bus::PresenceEvent::What>(random.below(4)),
                          {"session", "", payload}});
        break;
      case 0:
        w.delivery(alias(), kEpoch, publication);
        if (random.one_in(2)) w.also(alias());
        break;
      case 1:
        w.head({alias(), true, Head{kEpoch, {9}, {2}}, std::nullopt});
        break;
      case 2:
        w.published({1 + random.below(9), bus::Published::Status::refused, std::nullopt, false,
                     std::nullopt, fail(ErrorCode::overloaded, "full"), random.below(3)});
        break;
      default: {
        const std::vector<PublicationView> items(random.below(3), publication);
        w.page({1 + random.below(9),
                std::nullopt,
                Head{kEpoch, {9}, {2}},
                {0},
                {9},
                items,
                random.below(3),
                random.below(300)});
      }
    }
  }
  if (random.one_in(10))
    w.hello({1, 1, "peal", "node", 1, 2, 3, 4, 5, false, true, {"a", "b"}, "disk"});
  if (random.one_in(10)) w.refusal(fail(ErrorCode::hello_required, "hello"));
  return w.close({});
}

void check(wire::Reader& reader, wire::Direction direction, const wire::Message& message,
           const Current& current) {
  if (!reader.read(message.header, message.body)) return;
  Rewriter first;
  reader.walk(first);
  require(first.payload_bytes <= 4 * message.body.size() * (1 + message.header.size()),
          "payloads come from the body", current);
  const wire::Message again = first.writer.close({});
  wire::Reader second_reader(direction);
  require(second_reader.read(again.header, again.body).has_value(),
          "what was accepted can be sent on", current);
  Rewriter second;
  second_reader.walk(second);
  require(first.digest == second.digest, "and means the same", current);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> tokens = {"\xff\xff\xff\xff\x0f",
                                                std::string_view("\0", 1),
                                                "\x5a\x02",
                                                "\x12\x08",
                                                "\x7f",
                                                "\x80\x01",
                                                "aB3dE6gH"};
  return fuzz::run("bus_wire_fuzz", fuzz::parse_budget(argc, argv),
                   [&](Random& random, Current& current) {
                     const auto direction =
                         random.one_in(2) ? wire::Direction::to_broker : wire::Direction::to_peer;
                     wire::Message message = example(random, direction);
                     const std::string other = example(random, direction).header;
                     const std::vector<std::string_view> corpus = {other};
                     if (!random.one_in(4))
                       message.header = fuzz::mutate(random, message.header, tokens, corpus);
                     if (random.one_in(3))
                       message.body = fuzz::mutate(random, message.body, tokens, corpus);
                     current.input = message.header + "/" + message.body;
                     wire::Reader reader(direction);
                     check(reader, direction, message, current);
                   });
}
