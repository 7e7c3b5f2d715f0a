#include "peal/proto/log_commands.hpp"

#include <gtest/gtest.h>

#include <random>

namespace peal {
namespace {

class LogCommands : public testing::Test {
 protected:
  std::string exact(const PublicationView& publication, std::optional<std::uint64_t> byte = {}) {
    std::string out;
    append_log_record(out, publication, RecordForm::exact, byte, reader);
    return out;
  }
  std::string readable(const PublicationView& publication) {
    std::string out;
    append_log_record(out, publication, RecordForm::readable, {}, reader);
    return out;
  }
  ErrorCode refusal(std::string_view payload) {
    EXPECT_TRUE(reader.validate(payload)) << payload;
    const auto history = read_history_command(reader, payload, limits);
    EXPECT_FALSE(history) << payload;
    return history ? ErrorCode{} : history.error().code;
  }

  JsonReader reader;
  Limits limits;
};

Publication json(std::uint64_t offset, std::string payload) {
  Publication made;
  made.offset = {offset};
  made.payload = std::move(payload);
  return made;
}

TEST_F(LogCommands, JsonStaysAsItIsWhereItFitsALine) {
  EXPECT_EQ(exact(view_of(json(7, R"({"a": 1,  "b":[1e400]})"))),
            R"({"offset":7,"message":{"a": 1,  "b":[1e400]}})");
  EXPECT_EQ(exact(view_of(json(7, "{\n}"))), R"({"offset":7,"base64":"ewp9"})");
  EXPECT_EQ(exact(view_of(json(7, " 1"))), R"({"offset":7,"base64":"IDE="})");
  EXPECT_EQ(exact(view_of(json(7, ""))), R"({"offset":7,"base64":""})");
  EXPECT_EQ(readable(view_of(json(7, "no JSON"))), R"({"offset":7,"text":"no JSON"})");
  EXPECT_EQ(readable(view_of(json(7, "\xff"))), R"({"offset":7,"base64":"/w=="})");
}

TEST_F(LogCommands, ARecordIsReadBackByteForByte) {
  std::mt19937_64 random(5);
  const auto text = [&](const char* alphabet, std::size_t size) {
    std::string made;
    for (std::size_t i = random() % size; i > 0; --i)
      made += random() % 4 == 0 ? static_cast<char>(random()) : alphabet[random() % 4];
    return made;
  };
  for (int i = 0; i < 5000; ++i) {
    Publication whole = json(1 + random() % 1000, text("{}\n1", 20));
    whole.kind = random() % 4 == 0 ? Kind::deletion : Kind::value;
    whole.key = text("abcd", 5);
    whole.type = random() % 2 == 0 ? "" : text("a/b+", 5);
    whole.tags = random() % 2 == 0 ? R"({"a": "b"})" : text("{}\"1", 5);
    whole.source = text("abcd", 5);
    if (!whole.source.empty()) whole.sequence = {random(), random()};
    whole.origin = text("a/b\"", 5);
    whole.time_ms = static_cast<std::int64_t>(random()) / 1000;
    whole.unknown_fields = text("abcd", 5);
    const std::string line = exact(view_of(whole), random() % 100);
    ASSERT_EQ(line.find('\n'), std::string::npos);
    ASSERT_TRUE(reader.validate(line)) << line;
    const auto record = read_log_record(line, reader);
    ASSERT_TRUE(record) << line << record.error().message;
    const Publication& found = record->publication;
    EXPECT_EQ(found.kind, whole.kind);
    EXPECT_EQ(found.offset, whole.offset);
    EXPECT_EQ(found.payload, whole.payload);
    EXPECT_EQ(found.key, whole.key);
    EXPECT_EQ(found.type, whole.type);
    EXPECT_EQ(found.tags, whole.tags);
    EXPECT_EQ(found.source, whole.source);
    EXPECT_EQ(found.sequence, whole.sequence);
    EXPECT_EQ(found.origin, whole.origin);
    EXPECT_EQ(found.time_ms, whole.time_ms);
    EXPECT_EQ(found.unknown_fields, whole.unknown_fields);
    EXPECT_TRUE(record->byte);
  }
}

TEST_F(LogCommands, ARecordThatIsNoneIsRefused) {
  for (const char* wrong :
       {"{}", "[]", R"({"offset":0,"message":1})", R"({"offset":1})",
        R"({"offset":-1,"message":1})", R"({"offset":9007199254740992,"message":1})",
        R"({"offset":1,"base64":"a"})", R"({"offset":1,"key":7,"message":1})",
        R"({"offset":1,"sequence":"x","message":1})", R"({"offset":1,"time":"x","message":1})",
        R"({"offset":1,"byte":-1,"message":1})", R"({"offset":1,"key_base64":"!","message":1})"}) {
    ASSERT_TRUE(reader.validate(wrong));
    EXPECT_FALSE(read_log_record(wrong, reader)) << wrong;
  }
}

TEST_F(LogCommands, AHistoryAsksForAPage) {
  const auto whole = read_history_command(
      reader,
      R"({"channel":"a","since":{"epoch":"Epoch001","offset":5},"limit":7,"reverse":true,"exact":true})",
      limits);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->channel, "a");
  EXPECT_EQ(whole->read.epoch, Epoch::parse("Epoch001"));
  EXPECT_EQ(whole->read.after, Offset{5});
  EXPECT_EQ(whole->read.limit, 7U);
  EXPECT_EQ(whole->read.mode, bus::ReadRequest::Mode::reverse);
  EXPECT_EQ(whole->form, RecordForm::exact);
  const auto start = read_history_command(reader, R"({"channel":"a","since":"start"})", limits);
  ASSERT_TRUE(start);
  EXPECT_FALSE(start->read.epoch);
}

TEST_F(LogCommands, AHistoryOfNonsenseIsRefused) {
  for (const char* wrong :
       {"{}", R"({"channel":7})", R"({"channel":"a","limit":0})", R"({"channel":"a","limit":"x"})",
        R"({"channel":"a","since":"state"})", R"({"channel":"a","since":{"epoch":"Epoch001"}})",
        R"({"channel":"a","since":{"epoch":"x","offset":1}})",
        R"({"channel":"a","since":{"epoch":"Epoch001","offset":9223372036854775808}})",
        R"({"channel":"a","since":{"epoch":"Epoch001","offset":-1}})",
        R"({"channel":"a","reverse":1})"}) {
    EXPECT_EQ(refusal(wrong), ErrorCode::command_invalid) << wrong;
  }
  EXPECT_EQ(refusal(R"({"channel":""})"), ErrorCode::channel_name_invalid);
}

TEST_F(LogCommands, ALoadPlacesEachBehindTheOneBefore) {
  const auto load = read_load_command(
      reader, R"({"channel":"a","epoch":"Epoch001","floor":2,"after":4,"publications":[)"
              R"({"offset":5,"byte":70,"message":1},{"offset":9,"key":"k","message":2}]})");
  ASSERT_TRUE(load);
  ASSERT_EQ(load->size(), 2U);
  const Epoch epoch = *Epoch::parse("Epoch001");
  const auto first = load->request(0);
  EXPECT_EQ(first.channel, "a");
  EXPECT_EQ(first.place, (Position{epoch, {5}}));
  EXPECT_EQ(first.place_floor, Offset{2});
  EXPECT_EQ(first.expect, (Position{epoch, {4}}));
  EXPECT_EQ(first.expect_end, 70U);
  const auto second = load->request(1);
  EXPECT_EQ(second.place, (Position{epoch, {9}}));
  EXPECT_EQ(second.expect, (Position{epoch, {5}}));
  EXPECT_FALSE(second.expect_end);
  EXPECT_EQ(second.publication.key, "k");
}

TEST_F(LogCommands, ALoadOfNothingRestoresThePosition) {
  const auto load = read_load_command(
      reader, R"({"channel":"a","epoch":"Epoch001","floor":7,"publications":[]})");
  ASSERT_TRUE(load);
  ASSERT_EQ(load->size(), 1U);
  EXPECT_EQ(load->request(0).place, (Position{*Epoch::parse("Epoch001"), {7}}));
  EXPECT_EQ(load->request(0).place_floor, Offset{7});
  EXPECT_FALSE(read_load_command(reader, R"({"channel":"a","floor":7})"));
  EXPECT_FALSE(read_load_command(reader, R"({"channel":"a","epoch":"Epoch001","floor":"x"})"));
}

TEST_F(LogCommands, ALoadTellsItsFirstErrorOrItsLastPosition) {
  const Epoch epoch = *Epoch::parse("Epoch001");
  bus::Published good, bad;
  good.position = Position{epoch, {5}};
  bad.error = fail(ErrorCode::expectation_failed, "moved");
  LoadTally fine(2);
  EXPECT_FALSE(fine.took(good));
  EXPECT_TRUE(fine.took(good));
  EXPECT_FALSE(fine.error());
  EXPECT_EQ(fine.json(), R"({"epoch":"Epoch001","offset":5})");
  LoadTally failing(2);
  failing.took(bad);
  EXPECT_TRUE(failing.took(good));
  EXPECT_EQ(failing.error()->code, ErrorCode::expectation_failed);
}

TEST_F(LogCommands, APageSaysWhatItCovers) {
  const std::vector<Publication> kept{json(5, "1"), json(7, "[2]")};
  const std::vector<PublicationView> views{view_of(kept[0]), view_of(kept[1])};
  bus::Page page;
  page.head = {*Epoch::parse("Epoch001"), {9}, {3}};
  page.after = {4};
  page.to = {7};
  page.publications = views;
  page.first_byte = 10;
  page.end_byte = 20;
  EXPECT_EQ(history_json(page, RecordForm::exact, reader),
            R"({"epoch":"Epoch001","offset":9,"floor":3,"end_byte":20,"after":4,"to":7,)"
            R"("publications":[{"offset":5,"byte":10,"message":1},{"offset":7,"message":[2]}]})");
}

}  // namespace
}  // namespace peal
