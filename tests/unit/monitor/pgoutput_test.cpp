// pgoutput's messages from bytes, values as JSON, and changes made of both.

#include "postgres/pgoutput.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "postgres/logical_changes.hpp"

namespace peal::monitor {
namespace {

using testing::HasSubstr;

/// Bytes as the server writes them.
class Bytes {
 public:
  explicit Bytes(char kind) : out_(1, kind) {}
  Bytes& number(std::uint64_t value, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
      out_ += static_cast<char>(value >> shift & 0xff);
    return *this;
  }
  Bytes& letter(char c) {
    out_ += c;
    return *this;
  }
  Bytes& text(const std::string& text) {
    out_ += text + '\0';
    return *this;
  }
  Bytes& value(const std::string& text) {
    letter('t').number(text.size(), 4);
    out_ += text;
    return *this;
  }
  const std::string& str() const { return out_; }

 private:
  std::string out_;
};

std::string relation(char identity = 'd') {
  Bytes bytes('R');
  bytes.number(7, 4).text("public").text("t").letter(identity).number(3, 2);
  bytes.letter(1).text("id").number(23, 4).number(0, 4);
  bytes.letter(0).text("note").number(25, 4).number(0, 4);
  bytes.letter(0).text("tags").number(1009, 4).number(0, 4);
  return bytes.str();
}

struct Changes final : LogicalSink {
  void on_change(const Change& change) override { all.push_back(change); }
  std::vector<Change> all;
};

/// What a message says after the relation above.
std::vector<Change> changes_of(const std::string& bytes) {
  LogicalChanges changes([](const std::vector<std::uint32_t>& types) {
    std::unordered_map<std::uint32_t, TypeInfo> known;
    for (const auto type : types)
      known[type] = {0, 25};
    return Result<std::unordered_map<std::uint32_t, TypeInfo>>(std::move(known));
  });
  Changes told;
  EXPECT_TRUE(changes.take(relation(), told));
  EXPECT_TRUE(changes.take(bytes, told));
  return told.all;
}

Change change_of(const std::string& bytes) {
  return changes_of(bytes).at(0);
}

TEST(PgoutputTest, ReadsTransactionsAndRelations) {
  const auto begin =
      pgoutput::read(Bytes('B').number(0x1'0000'0005, 8).number(9, 8).number(3, 4).str());
  EXPECT_EQ(std::get<pgoutput::Begin>(*begin).commit_lsn, 0x1'0000'0005U);
  const auto commit =
      pgoutput::read(Bytes('C').number(0, 1).number(5, 8).number(6, 8).number(9, 8).str());
  EXPECT_EQ(std::get<pgoutput::Commit>(*commit).end_lsn, 6U);
  const auto told = std::get<pgoutput::Relation>(*pgoutput::read(relation()));
  EXPECT_EQ(told.schema + "." + told.name, "public.t");
  ASSERT_EQ(told.columns.size(), 3U);
  EXPECT_TRUE(told.columns[0].key);
  const auto truncate = pgoutput::read(Bytes('T').number(1, 4).number(0, 1).number(7, 4).str());
  EXPECT_EQ(std::get<pgoutput::Truncate>(*truncate).relations.size(), 1U);
}

TEST(PgoutputTest, NothingThatWasCutIsBelieved) {
  const std::string whole =
      Bytes('I').number(7, 4).letter('N').number(2, 2).value("1").letter('n').str();
  ASSERT_TRUE(pgoutput::read(whole));
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(pgoutput::read(whole.substr(0, size))) << size;
  const std::string told = relation();
  for (std::size_t size = 1; size < told.size(); ++size)
    EXPECT_FALSE(pgoutput::read(told.substr(0, size))) << size;
  EXPECT_FALSE(pgoutput::read("?"));
}

TEST(PgoutputTest, ATruncateIsAChangeOfEachTable) {
  const auto changes =
      changes_of(Bytes('T').number(2, 4).number(0, 1).number(7, 4).number(7, 4).str());
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(changes[0].what, Change::What::truncate);
  EXPECT_EQ(changes[1].table, "t");
}

TEST(PgoutputTest, AChangeOfATableThatWasNotToldIsAnError) {
  LogicalChanges changes([](const std::vector<std::uint32_t>&) {
    return Result<std::unordered_map<std::uint32_t, TypeInfo>>({});
  });
  Changes told;
  EXPECT_FALSE(changes.take(Bytes('T').number(1, 4).number(0, 1).number(7, 4).str(), told));
  EXPECT_TRUE(told.all.empty());
}

TEST(PgoutputTest, AnInsertIsARow) {
  const auto change = change_of(Bytes('I')
                                    .number(7, 4)
                                    .letter('N')
                                    .number(3, 2)
                                    .value("1")
                                    .letter('n')
                                    .value("{a,NULL}")
                                    .str());
  EXPECT_EQ(change.what, Change::What::insert);
  EXPECT_EQ(change.new_row->json(), R"({"id":1,"note":null,"tags":["a",null]})");
  EXPECT_EQ(change.old_missing, "");
}

TEST(PgoutputTest, WhatAnUpdateLeftAloneIsFilledOrNamed) {
  Bytes alone('U');
  alone.number(7, 4).letter('N').number(3, 2).value("1").letter('u').letter('n');
  const auto change = change_of(alone.str());
  EXPECT_EQ(change.new_row->unchanged(), std::vector<std::string>{"note"});
  EXPECT_THAT(change.old_missing, HasSubstr("REPLICA IDENTITY"));
  Bytes full('U');
  full.number(7, 4).letter('O').number(3, 2).value("1").value("long").letter('n');
  full.letter('N').number(3, 2).value("1").letter('u').letter('n');
  const auto filled = change_of(full.str());
  EXPECT_EQ(filled.new_row->json(), R"({"id":1,"note":"long","tags":null})");
  EXPECT_EQ(filled.old_missing, "");
}

TEST(PgoutputTest, OfAnOldRowMaybeOnlyTheKeyIsKnown) {
  Bytes removal('D');
  removal.number(7, 4).letter('K').number(3, 2).value("1").letter('n').letter('n');
  const auto change = change_of(removal.str());
  EXPECT_EQ(change.what, Change::What::remove);
  EXPECT_EQ(change.old_row->json(), R"({"id":1})");
  EXPECT_THAT(change.old_missing, HasSubstr("only its key"));
}

TEST(JsonValuesTest, AreWhatTheDatabaseWouldMakeOfThem) {
  JsonValues values;
  values.learn(1007, {0, 23});
  values.learn(1009, {0, 25});
  values.learn(90001, {23, 0});  // a domain over int4
  EXPECT_EQ(values.json(16, "t"), "true");
  EXPECT_EQ(values.json(1700, "NaN"), "\"NaN\"");
  EXPECT_EQ(values.json(701, "-Infinity"), "\"-Infinity\"");
  EXPECT_EQ(values.json(1700, "9007199254740993.01"), "9007199254740993.01");
  EXPECT_EQ(values.json(3802, R"({"a": 1})"), R"({"a": 1})");
  EXPECT_EQ(values.json(1184, "2026-01-02 03:04:05.6+00"), "\"2026-01-02T03:04:05.6+00:00\"");
  EXPECT_EQ(values.json(1114, "2026-01-02 03:04:05"), "\"2026-01-02T03:04:05\"");
  EXPECT_EQ(values.json(1184, "infinity"), "\"infinity\"");
  EXPECT_EQ(values.json(17, R"(\xdead)"), R"("\\xdead")");
  EXPECT_EQ(values.json(90001, "5"), "5");
  EXPECT_EQ(values.json(1007, "{{1,2},{3,NULL}}"), "[[1,2],[3,null]]");
  EXPECT_EQ(values.json(1007, "[0:1]={1,2}"), "[1,2]");
  EXPECT_EQ(values.json(1007, "{}"), "[]");
  EXPECT_EQ(values.json(1009, R"({"a,b","q\"}{",NULL,"NULL",""})"),
            R"(["a,b","q\"}{",null,"NULL",""])");
}

}  // namespace
}  // namespace peal::monitor
