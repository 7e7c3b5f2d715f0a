#include "peal/proto/bus_wire.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <vector>

namespace peal::wire {
namespace {

const Epoch kEpoch = *Epoch::parse("aB3dE6gH");

/// Keeps what a reader gave away, as text, so that a test compares one string.
class Recorder : public OperationSink {
 public:
  std::ostringstream out;
  void on_watch(bus::Alias a, std::string_view c, const std::optional<Epoch>& seen) override {
    out << "watch " << alias(a) << c;
    if (seen) out << " seen=" << seen->view();
    out << "\n";
  }
  void on_unwatch(bus::Alias a) override { out << "unwatch " << alias(a) << "\n"; }
  void on_publish(const bus::PublishRequest& r) override {
    out << "publish " << r.id << " " << r.channel << " " << text(r.publication);
    if (r.expect) out << " expect=" << r.expect->to_string();
    if (r.previous) out << " previous=" << r.previous->to_string();
    if (!r.idempotency_key.empty()) out << " idempotency=" << r.idempotency_key;
    if (r.expect_value != bus::ExpectValue::any) {
      out << " value=" << (r.expect_value == bus::ExpectValue::absent ? "absent" : "present");
    }
    if (r.expect_end) out << " end=" << *r.expect_end;
    if (r.replace) out << " replace";
    if (r.place) out << " place=" << r.place->to_string();
    if (r.place_floor) out << " floor=" << r.place_floor->value;
    out << "\n";
  }
  void on_read(const bus::ReadRequest& r) override {
    out << "read " << r.id << " " << r.channel << " mode=" << static_cast<int>(r.mode)
        << " epoch=" << (r.epoch ? r.epoch->view() : "none") << " after=" << r.after.value
        << " limit=" << r.limit << " bytes=" << r.bytes << "\n";
  }
  void on_delivery(const bus::Delivery& d) override {
    out << "delivery " << alias(d.alias) << d.epoch.view() << " " << text(d.publication) << "\n";
  }
  void on_head(const bus::HeadNotice& n) override {
    out << "head " << alias(n.alias) << (n.answer ? "answer " : "pull ") << head(n.head)
        << error(n.error) << "\n";
  }
  void on_published(const bus::Published& p) override {
    out << "published " << p.id << " " << static_cast<int>(p.status) << " "
        << (p.position ? p.position->to_string() : "nowhere") << (p.duplicate ? " duplicate" : "")
        << (p.last ? " last=" + p.last->to_string() : "") << error(p.error)
        << bytes(" end=", p.end_byte) << "\n";
  }
  void on_page(const bus::Page& p) override {
    out << "page " << p.id << " " << head(p.head) << " (" << p.after.value << "," << p.to.value
        << "]" << error(p.error) << bytes(" from=", p.first_byte) << bytes(" end=", p.end_byte);
    for (const auto& item : p.publications)
      out << " | " << text(item);
    out << "\n";
  }

 private:
  static std::string alias(bus::Alias a) {
    return std::to_string(a.index) + "." + std::to_string(a.generation) + " ";
  }
  static std::string head(const std::optional<Head>& h) {
    if (!h) return "ephemeral";
    return h->position().to_string() + ">" + std::to_string(h->floor.value);
  }
  static std::string bytes(const char* what, std::uint64_t value) {
    return value == 0 ? std::string() : what + std::to_string(value);
  }
  static std::string error(const std::optional<Error>& e) {
    return e ? " " + std::string(info(e->code).name) + "(" + e->message + ")" : "";
  }
  static std::string text(const PublicationView& p) {
    std::ostringstream s;
    s << (p.kind == Kind::deletion ? "delete " : "") << "@" << p.offset.value << " t" << p.time_ms
      << " <" << p.payload << ">";
    for (const auto& part : {p.key, p.type, p.tags, p.source, p.origin})
      s << "," << part;
    s << "," << p.sequence.to_string() << "," << p.unknown_fields.size();
    return s.str();
  }
};

std::string read_back(Direction direction, const Message& message) {
  Reader reader(direction);
  const auto result = reader.read(message.header, message.body);
  if (!result) return "error: " + result.error().message;
  Recorder recorder;
  reader.walk(recorder);
  return recorder.out.str();
}

bus::PublishRequest request(bus::RequestId id, std::string_view channel, std::string_view payload) {
  bus::PublishRequest r;
  r.id = id;
  r.channel = channel;
  r.publication.payload = payload;
  return r;
}

PublicationView publication(std::uint64_t offset, std::string_view payload) {
  PublicationView p;
  p.offset = {offset};
  p.payload = payload;
  return p;
}

/// A publish with every field set.
bus::PublishRequest full_request() {
  bus::PublishRequest r = request(9, "room:1", "<b>hi</b>");
  r.publication.kind = Kind::deletion;
  r.publication.key = "k";
  r.publication.type = "text/html";
  r.publication.tags = R"({"a":1})";
  r.publication.source = "sensor";
  r.publication.sequence = {7, 1};
  r.publication.origin = "ann/s1";
  r.publication.time_ms = 1'700'000'000'000;
  r.expect = Position{kEpoch, {5}};
  r.previous = Sequence{0, 0};
  r.idempotency_key = "once";
  return r;
}

Message commands() {
  Writer w;
  w.watch({3, 1}, "room:1");
  w.watch({4, 0}, "room:2");
  w.publish(request(1, "room:2", "1"));
  w.publish(request(2, "room:2", "[2]"));
  w.publish(request(0, "room:1", "\"quiet\""));
  w.publish(full_request());
  bus::ReadRequest read;
  read.id = 10;
  read.channel = "room:1";
  read.mode = bus::ReadRequest::Mode::reverse;
  read.epoch = kEpoch;
  read.after = {4};
  w.read(read);
  w.unwatch({3, 1});
  Stamp stamp;
  stamp.number = 41;
  stamp.consumed.values = {1, 2, 3};
  stamp.consumed_messages = 4;
  stamp.bytes.values = {50, 60, 0};
  return w.close(stamp);
}

constexpr const char* kCommandsText =
    "watch 3.1 room:1\n"
    "watch 4.0 room:2\n"
    "publish 1 room:2 @0 t0 <1>,,,,,,0-0,0\n"
    "publish 2 room:2 @0 t0 <[2]>,,,,,,0-0,0\n"
    "publish 0 room:1 @0 t0 <\"quiet\">,,,,,,0-0,0\n"
    "publish 9 room:1 delete @0 t1700000000000 "
    "<<b>hi</b>>,k,text/html,{\"a\":1},sensor,ann/s1,7-1,0"
    " expect=aB3dE6gH-5 previous=0-0 idempotency=once\n"
    "read 10 room:1 mode=1 epoch=aB3dE6gH after=4 limit=100 bytes=65536\n"
    "unwatch 3.1 \n";

Message pushes() {
  Writer w;
  bus::HeadNotice answer{{3, 1}, true, Head{kEpoch, {12}, {2}}, std::nullopt};
  w.head(answer);
  w.head({{4, 0}, true, std::nullopt, std::nullopt});
  w.head({{5, 0}, true, std::nullopt, fail(ErrorCode::overloaded, "too many channels")});
  w.delivery({4, 0}, Epoch(), publication(0, "1"));
  w.also({9, 2});
  w.delivery({3, 1}, kEpoch, publication(13, "{}"));
  w.published({1, bus::Published::Status::ok, std::nullopt, false, std::nullopt, std::nullopt});
  w.published(
      {2, bus::Published::Status::ok, Position{kEpoch, {13}}, true, Sequence{0, 0}, std::nullopt});
  w.published({9, bus::Published::Status::refused, Position{kEpoch, {13}}, false, std::nullopt,
               fail(ErrorCode::expectation_failed, "moved")});
  const std::vector<PublicationView> kept{publication(11, "a"), publication(12, "")};
  w.page({10, std::nullopt, Head{kEpoch, {13}, {2}}, {10}, {12}, kept});
  w.page({11, fail(ErrorCode::position_lost, "gone"), Head{kEpoch, {13}, {2}}, {0}, {0}, {}});
  w.delivery({3, 1}, kEpoch, full_request().publication);
  return w.close({});
}

constexpr const char* kPushesText =
    "head 3.1 answer aB3dE6gH-12>2\n"
    "head 4.0 answer ephemeral\n"
    "head 5.0 answer ephemeral overloaded(too many channels)\n"
    "delivery 4.0 00000000 @0 t0 <1>,,,,,,0-0,0\n"
    "delivery 9.2 00000000 @0 t0 <1>,,,,,,0-0,0\n"
    "delivery 3.1 aB3dE6gH @13 t0 <{}>,,,,,,0-0,0\n"
    "published 1 0 nowhere\n"
    "published 2 0 aB3dE6gH-13 duplicate last=0-0\n"
    "published 9 1 aB3dE6gH-13 expectation_failed(moved)\n"
    "page 10 aB3dE6gH-13>2 (10,12] | @11 t0 <a>,,,,,,0-0,0 | @12 t0 <>,,,,,,0-0,0\n"
    "page 11 aB3dE6gH-13>2 (0,0] position_lost(gone)\n"
    "delivery 3.1 00000000 delete @0 t1700000000000 "
    "<<b>hi</b>>,k,text/html,{\"a\":1},sensor,ann/s1,7-1,0\n";

Message greeting() {
  Writer w;
  Hello hello;
  hello.version_min = 1;
  hello.version_max = 3;
  hello.cluster = "peal";
  hello.node = "gateway-1";
  hello.incarnation = 0x1122334455667788U;
  hello.broker = true;
  hello.members = {"a", "b"};
  hello.store = "memory";
  hello.wanted = "b";
  hello.message_bytes_max = 512;
  hello.batch_bytes_max = 32;
  hello.credit_bytes = 100;
  hello.credit_messages = 10;
  w.hello(hello);
  Stamp stamp;
  stamp.not_ready = true;
  stamp.stood_in = kEpoch;
  stamp.view = 3;
  return w.close(stamp);
}

Message refusal() {
  Writer w;
  w.refusal(fail(ErrorCode::cluster_mismatch, "this is cluster red"));
  return w.close({});
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    out += digits[static_cast<unsigned char>(c) >> 4U];
    out += digits[static_cast<unsigned char>(c) & 15U];
  }
  return out;
}

std::filesystem::path vectors() {
  for (auto at = std::filesystem::read_symlink("/proc/self/exe"); at != at.root_path();
       at = at.parent_path()) {
    if (std::filesystem::exists(at / "proto/vectors/bus")) return at / "proto/vectors/bus";
  }
  return {};
}

TEST(BusWire, TheConditionsOfALogComeThrough) {
  Writer w;
  bus::PublishRequest created = request(1, "a", "x");
  created.expect_value = bus::ExpectValue::absent;
  created.expect_end = 0;
  created.replace = true;
  w.publish(created);
  bus::PublishRequest present = request(2, "a", "x");
  present.expect_value = bus::ExpectValue::present;
  w.publish(present);
  bus::PublishRequest placed = request(3, "a", "x");
  placed.expect_end = std::uint64_t{1} << 62;
  placed.place = Position{kEpoch, kOffsetMax};
  placed.place_floor = Offset{0};
  w.publish(placed);
  bus::ReadRequest read;
  read.id = 4;
  read.channel = "a";
  read.mode = bus::ReadRequest::Mode::bytes;
  read.after = {77};
  w.read(read);
  EXPECT_EQ(read_back(Direction::to_broker, w.close({})),
            "publish 1 a @0 t0 <x>,,,,,,0-0,0 value=absent end=0 replace\n"
            "publish 2 a @0 t0 <x>,,,,,,0-0,0 value=present\n"
            "publish 3 a @0 t0 <x>,,,,,,0-0,0 end=4611686018427387904"
            " place=aB3dE6gH-9007199254740991 floor=0\n"
            "read 4 a mode=3 epoch=none after=77 limit=100 bytes=65536\n");
}

TEST(BusWire, WhereBytesBeginAndEndComesThrough) {
  Writer w;
  bus::Published outcome;
  outcome.id = 1;
  outcome.end_byte = 12;
  w.published(outcome);
  const std::vector<PublicationView> pieces{publication(3, "bc")};
  bus::Page page{2, std::nullopt, Head{kEpoch, {4}, {0}}, {2}, {3}, pieces};
  page.first_byte = 7;
  page.end_byte = 20;
  w.page(page);
  EXPECT_EQ(read_back(Direction::to_peer, w.close({})),
            "published 1 0 nowhere end=12\n"
            "page 2 aB3dE6gH-4>0 (2,3] from=7 end=20 | @3 t0 <bc>,,,,,,0-0,0\n");
}

TEST(BusWire, EveryCommandComesBackAsItWas) {
  EXPECT_EQ(read_back(Direction::to_broker, commands()), kCommandsText);
}

TEST(BusWire, EveryPushComesBackAsItWas) {
  EXPECT_EQ(read_back(Direction::to_peer, pushes()), kPushesText);
}

TEST(BusWire, TheStampHelloAndRefusalComeBack) {
  Reader reader(Direction::to_broker);
  const Message batch = commands();
  ASSERT_TRUE(reader.read(batch.header, batch.body));
  EXPECT_EQ(reader.stamp().number, 41U);
  EXPECT_EQ(reader.stamp().consumed[LinkClass::history], 3U);
  EXPECT_EQ(reader.stamp().consumed_messages, 4U);
  EXPECT_EQ(reader.stamp().bytes[LinkClass::live], 60U);
  EXPECT_EQ(reader.numbered(), 4U);
  EXPECT_TRUE(reader.has_operations());
  EXPECT_FALSE(reader.hello());
  const Message hello = greeting();
  ASSERT_TRUE(reader.read(hello.header, hello.body));
  ASSERT_TRUE(reader.hello());
  EXPECT_EQ(reader.hello()->incarnation, 0x1122334455667788U);
  EXPECT_EQ(reader.hello()->version_max, 3U);
  EXPECT_EQ(reader.hello()->credit_messages, 10U);
  EXPECT_EQ(reader.hello()->wanted, "b");
  EXPECT_FALSE(reader.has_operations());
  const Message no = refusal();
  ASSERT_TRUE(reader.read(no.header, no.body));
  ASSERT_TRUE(reader.refusal());
  EXPECT_EQ(reader.refusal()->code, ErrorCode::cluster_mismatch);
  EXPECT_FALSE(reader.hello());
}

TEST(BusWire, AWatchSaysWhichEpochWasSeen) {
  Writer w;
  w.watch({1, 1}, "room:1");
  w.watch({2, 1}, "room:2", kEpoch);
  w.watch({3, 2}, "room:2", *Epoch::parse("00000001"));
  w.watch({4, 0}, "room:2");
  EXPECT_EQ(read_back(Direction::to_broker, w.close({})),
            "watch 1.1 room:1\n"
            "watch 2.1 room:2 seen=aB3dE6gH\n"
            "watch 3.2 room:2 seen=00000001\n"
            "watch 4.0 room:2\n");
}

TEST(BusWire, AStampSaysHowABrokerStands) {
  Reader reader(Direction::to_peer);
  const Message message = greeting();
  ASSERT_TRUE(reader.read(message.header, message.body));
  EXPECT_TRUE(reader.stamp().not_ready);
  EXPECT_EQ(reader.stamp().stood_in, kEpoch);
  EXPECT_EQ(reader.stamp().view, 3U);
  EXPECT_EQ(reader.hello()->members, (std::vector<std::string>{"a", "b"}));
  ASSERT_TRUE(reader.read(Writer().close({}).header, ""));
  EXPECT_FALSE(reader.stamp().not_ready);
  EXPECT_FALSE(reader.stamp().stood_in);
}

TEST(BusWire, GoldenVectorsAreWhatWeWriteToTheByte) {
  const std::vector<std::pair<std::string, Message>> examples = {{"commands", commands()},
                                                                 {"pushes", pushes()},
                                                                 {"hello", greeting()},
                                                                 {"refusal", refusal()}};
  const auto folder = vectors();
  ASSERT_FALSE(folder.empty());
  for (const auto& [name, message] : examples) {
    std::ifstream file(folder / (name + ".hex"));
    std::ostringstream golden;
    golden << file.rdbuf();
    EXPECT_EQ(golden.str(), hex(message.header) + "\n" + hex(message.body) + "\n") << name;
  }
}

TEST(BusWire, AWriterIsEmptyAfterCloseAndWritesTheSameAgain) {
  Writer w;
  EXPECT_TRUE(w.empty());
  for (int round = 0; round < 3; ++round) {
    w.delivery({1, 1}, kEpoch, publication(5, "x"));
    w.delivery({2, 0}, Epoch(), publication(0, "y"));
    EXPECT_FALSE(w.empty());
    EXPECT_EQ(w.numbered(), 2U);
    EXPECT_EQ(
        read_back(Direction::to_peer, w.close({})),
        "delivery 1.1 aB3dE6gH @5 t0 <x>,,,,,,0-0,0\ndelivery 2.0 00000000 @0 t0 <y>,,,,,,0-0,0\n");
    EXPECT_TRUE(w.empty());
  }
}

TEST(BusWire, TimesGoUpAndDownAndVanish) {
  Writer w;
  std::string wanted;
  for (const std::int64_t time : {0L, 0L, 1'700'000'000'000L, 1'699'999'999'000L, 0L, -5L}) {
    PublicationView p = publication(0, "x");
    p.time_ms = time;
    w.delivery({1, 0}, Epoch(), p);
    wanted += "delivery 1.0 00000000 @0 t" + std::to_string(time) + " <x>,,,,,,0-0,0\n";
  }
  EXPECT_EQ(read_back(Direction::to_peer, w.close({})), wanted);
}

TEST(BusWire, AttributesOfANewerVersionPassThrough) {
  // Field 15, text "new": what a later version might add.
  const std::string unknown = std::string("\x7a\x03new", 5);
  PublicationView p = publication(0, "x");
  p.key = "k";
  p.unknown_fields = unknown;
  Writer w;
  w.delivery({1, 0}, Epoch(), p);
  const Message message = w.close({});
  struct Keep : Recorder {
    Publication kept;
    void on_delivery(const bus::Delivery& d) override { kept = copy_of(d.publication); }
  } keep;
  Reader reader(Direction::to_peer);
  ASSERT_TRUE(reader.read(message.header, message.body));
  reader.walk(keep);
  EXPECT_EQ(keep.kept.unknown_fields, unknown);
  EXPECT_EQ(keep.kept.key, "k");
}

TEST(BusWire, AWrongDirectionIsGarbage) {
  EXPECT_EQ(read_back(Direction::to_peer, commands()),
            "error: not a message of the bus: a wrong direction");
  EXPECT_EQ(read_back(Direction::to_broker, pushes()),
            "error: not a message of the bus: a wrong direction");
}

TEST(BusWire, TruncatedAndLengthenedFramesAreErrors) {
  const Message good = pushes();
  for (std::size_t i = 0; i < good.body.size(); ++i) {
    EXPECT_NE(read_back(Direction::to_peer, {good.header, good.body.substr(0, i)}).find("error"),
              std::string::npos);
  }
  EXPECT_NE(read_back(Direction::to_peer, {good.header, good.body + "x"}).find("error"),
            std::string::npos);
  EXPECT_NE(read_back(Direction::to_peer, {std::string(100, '\xff'), ""}).find("error"),
            std::string::npos);
}

TEST(BusWire, AHugeRunCostsNothing) {
  // runs = [0x0fffffff items], and nothing else: must be refused by arithmetic, not by walking.
  const std::string header = std::string("\x5a\x05\xfb\xff\xff\xff\x0f", 7);
  EXPECT_EQ(read_back(Direction::to_peer, {header, ""}),
            "error: not a message of the bus: arrays of unequal length");
}

TEST(BusWire, RandomBytesNeverBreakTheReader) {
  std::mt19937 random(7);
  Reader reader(Direction::to_peer);
  Recorder recorder;
  for (int i = 0; i < 20'000; ++i) {
    Message message = i % 2 == 0 ? pushes() : greeting();
    std::string& frame = i % 3 == 0 ? message.body : message.header;
    for (int flips = 0; flips < 3 && !frame.empty(); ++flips) {
      frame[random() % frame.size()] = static_cast<char>(random());
    }
    if (reader.read(message.header, message.body)) reader.walk(recorder);
    recorder.out.str("");
  }
}

}  // namespace
}  // namespace peal::wire
