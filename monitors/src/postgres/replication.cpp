#include "postgres/replication.hpp"

#include <charconv>

#include "postgres/byte_reader.hpp"

namespace peal::monitor {
namespace {

void append_number(std::string& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8)
    out += static_cast<char>(value >> shift & 0xff);
}

}  // namespace

std::uint64_t parse_lsn(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return 0;
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::from_chars(text.data(), text.data() + slash, high, 16);
  std::from_chars(text.data() + slash + 1, text.data() + text.size(), low, 16);
  return high << 32 | low;
}

Result<Replication> Replication::open(const std::string& dsn, const std::string& application,
                                      WaitFor wait_for) {
  auto connection = Connection::open_replication(dsn, application, std::move(wait_for));
  if (!connection) return connection.error();
  if (auto set = connection->use_own_settings(); !set) return set.error();
  return Replication(std::move(*connection));
}

Result<ServerIdentity> Replication::identify() {
  auto answer = connection_.ask_simply("IDENTIFY_SYSTEM");
  if (!answer) return answer.error();
  return ServerIdentity{answer->text(0, 0), answer->number(0, 1)};
}

Result<FreshSlot> Replication::make_temporary_slot(const std::string& name) {
  auto answer = connection_.ask_simply("CREATE_REPLICATION_SLOT " + connection_.quoted(name) +
                                       " TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT");
  if (!answer) return answer.error();
  return FreshSlot{answer->text(0, 2), parse_lsn(answer->text(0, 1))};
}

Result<void> Replication::start(const std::string& slot, const std::string& publication) {
  return connection_.start_copy("START_REPLICATION SLOT " + connection_.quoted(slot) +
                                " LOGICAL 0/0 (proto_version '1', publication_names '" +
                                connection_.quoted(publication) + "')");
}

Result<std::optional<Replication::Came>> Replication::next() {
  auto copied = connection_.copied();
  if (!copied) return copied.error();
  if (!*copied) return std::optional<Came>();
  ByteReader in(**copied);
  Came came;
  if (in.letter() == 'w') {
    in.number<std::uint64_t>();
    came.end_lsn = in.number<std::uint64_t>();
    in.number<std::uint64_t>();
    came.bytes = in.rest();
  } else {
    came.end_lsn = in.number<std::uint64_t>();
    in.number<std::uint64_t>();
    came.reply_wanted = in.letter() != 0;
  }
  if (in.failed()) return fail(ErrorCode::internal_error, "replication: a message was cut");
  return std::optional(std::move(came));
}

Result<void> Replication::confirm(std::uint64_t flushed) {
  std::string out = "r";
  append_number(out, flushed);
  append_number(out, flushed);
  append_number(out, flushed);
  append_number(out, 0);
  out += '\0';
  return connection_.put_copy(out);
}

}  // namespace peal::monitor
