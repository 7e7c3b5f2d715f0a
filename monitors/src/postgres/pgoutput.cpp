#include "postgres/pgoutput.hpp"

#include "postgres/byte_reader.hpp"

namespace peal::monitor::pgoutput {
namespace {

Error broken(const char* what) {
  return fail(ErrorCode::internal_error, std::string("pgoutput: ") + what);
}

Tuple read_tuple(ByteReader& in) {
  const auto count = in.number<std::uint16_t>();
  Tuple tuple;
  for (unsigned i = 0; i < count && !in.failed(); ++i) {
    Value value;
    switch (in.letter()) {
      case 'n':
        break;
      case 'u':
        value.kind = Value::Kind::unchanged;
        break;
      case 't':
        value.kind = Value::Kind::text;
        value.text = in.bytes(in.number<std::uint32_t>());
        break;
      default:
        in.bytes(in.rest().size() + 1);  // nothing that version 1 has
    }
    tuple.push_back(value);
  }
  return tuple;
}

Message read_relation(ByteReader& in) {
  Relation relation;
  relation.id = in.number<std::uint32_t>();
  relation.schema = in.text();
  relation.name = in.text();
  in.letter();  // replica identity: the tuples tell
  const auto count = in.number<std::uint16_t>();
  for (unsigned i = 0; i < count && !in.failed(); ++i) {
    RelationColumn column;
    column.key = (in.letter() & 1) != 0;
    column.name = in.text();
    column.type = in.number<std::uint32_t>();
    in.number<std::uint32_t>();
    relation.columns.push_back(std::move(column));
  }
  return relation;
}

Message read_row(ByteReader& in, RowChange::Kind kind) {
  RowChange change;
  change.kind = kind;
  change.relation = in.number<std::uint32_t>();
  char letter = in.letter();
  if (letter == 'K' || letter == 'O') {
    change.only_key = letter == 'K';
    change.old_tuple = read_tuple(in);
    letter = kind == RowChange::Kind::update ? in.letter() : '\0';
  }
  if (letter == 'N') change.new_tuple = read_tuple(in);
  return change;
}

Message read_truncate(ByteReader& in) {
  Truncate truncate;
  const auto count = in.number<std::uint32_t>();
  in.letter();
  for (std::uint32_t i = 0; i < count && !in.failed(); ++i)
    truncate.relations.push_back(in.number<std::uint32_t>());
  return truncate;
}

}  // namespace

Result<Message> read(std::string_view bytes) {
  ByteReader in(bytes);
  Message message;
  switch (in.letter()) {
    case 'B': {
      Begin begin;
      begin.commit_lsn = in.number<std::uint64_t>();
      begin.time_us = in.number<std::int64_t>();
      message = begin;
      break;
    }
    case 'C': {
      in.bytes(1 + 8);
      message = Commit{in.number<std::uint64_t>()};
      break;
    }
    case 'R':
      message = read_relation(in);
      break;
    case 'I':
      message = read_row(in, RowChange::Kind::insert);
      break;
    case 'U':
      message = read_row(in, RowChange::Kind::update);
      break;
    case 'D':
      message = read_row(in, RowChange::Kind::remove);
      break;
    case 'T':
      message = read_truncate(in);
      break;
    case 'O':  // origin
    case 'Y':  // type
    case 'M':  // a logical message
      break;
    default:
      return broken("a message of a kind that is not known");
  }
  if (in.failed()) return broken("a message was cut");
  return message;
}

}  // namespace peal::monitor::pgoutput
