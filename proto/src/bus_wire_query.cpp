// The details of questions to a cluster on the wire (schema/bus.proto: Query).
#include "bus_wire_query.hpp"

#include <algorithm>

#include "peal/proto/bus_wire.hpp"
#include "peal/proto/channel_name.hpp"

namespace peal::wire {
namespace {

using bus::ClusterAnswer;
using bus::ClusterQuery;
using What = ClusterQuery::What;

enum : std::uint32_t {
  kAnswer = 1,
  kWhat = 2,
  kWho = 3,
  kCode = 4,
  kReason = 5,
  kGlob = 6,
  kAfter = 7,
  kLimit = 8,
  kWithin = 9,
  kDisconnected = 10,
  kSessions = 11,
  kSubscriptions = 12,
  kChannel = 13,
  kMore = 14,
  kAsked = 15,
  kAnswered = 16,
  kMissing = 17,
  kErrorCode = 18,
  kErrorMessage = 19,
};

/// A text and what belongs to it: a channel's subscribers, or why a node is missing.
void write_pair(DetailWriter& writer, std::uint32_t field, std::string_view name,
                std::uint64_t number, std::string_view text) {
  std::string pair;
  DetailWriter inner(pair);
  inner.text(1, name);
  inner.number(2, number);
  inner.text(3, text);
  writer.text(field, pair);
}

bool read_pair(std::string_view detail, std::string& name, std::uint64_t* number,
               std::string* text) {
  DetailReader reader(detail);
  DetailField field;
  while (reader.next(field)) {
    if (field.id == 1) name = field.text;
    if (field.id == 2 && number != nullptr) *number = field.number;
    if (field.id == 3 && text != nullptr) *text = field.text;
  }
  return !reader.broken();
}

/// A later version's code still says whether the client may come back.
CloseCode close_code_of(std::uint64_t number) {
  for (const CloseInfo& known : close_code_table()) {
    if (known.number == number) return static_cast<CloseCode>(number);
  }
  return number >= 3500 ? CloseCode::disconnected_for_good : CloseCode::disconnected;
}

bool within_bounds(const ClusterQuery& query) {
  const bool count = query.what == What::count;
  return (count || !query.who.empty()) && query.reason.size() <= ClusterQuery::kReasonBytesMax &&
         query.channels.size() <= ClusterQuery::kGlobsMax &&
         std::ranges::all_of(query.channels,
                             [](const auto& glob) { return glob.size() <= kChannelNameBytesMax; });
}

/// What an entry weighs beside its texts.
constexpr std::size_t kEntryBytes = 16;

}  // namespace

std::size_t weight(const ClusterQuery& query) {
  std::size_t bytes = 2 * kEntryBytes + query.who.size() + query.reason.size() + query.after.size();
  for (const std::string& glob : query.channels)
    bytes += glob.size() + kEntryBytes;
  return bytes;
}

std::size_t weight(const ClusterAnswer& answer) {
  std::size_t bytes = 4 * kEntryBytes + (answer.error ? answer.error->message.size() : 0);
  for (const auto& channel : answer.channels)
    bytes += channel.name.size() + kEntryBytes;
  for (const auto& missing : answer.missing)
    bytes += missing.node.size() + missing.why.size() + kEntryBytes;
  return bytes;
}

bool is_cluster_answer(std::string_view detail) {
  DetailReader reader(detail);
  DetailField field;
  return reader.next(field) && field.id == kAnswer && field.number != 0;
}

void encode_cluster_query(std::string& out, const ClusterQuery& query) {
  DetailWriter writer(out);
  writer.number(kWhat, static_cast<std::uint64_t>(query.what));
  writer.text(kWho, query.who);
  if (query.what != What::count) writer.number(kCode, static_cast<std::uint64_t>(query.code));
  writer.text(kReason, query.reason);
  for (const std::string& glob : query.channels)
    writer.text(kGlob, glob);
  writer.text(kAfter, query.after);
  writer.number(kLimit, query.limit);
  writer.number(kWithin, static_cast<std::uint64_t>(query.within.count()));
}

bool decode_cluster_query(std::string_view detail, ClusterQuery& query) {
  query = {};
  query.limit = 0;
  query.within = {};
  std::uint64_t what = 0;
  DetailReader reader(detail);
  DetailField field;
  while (reader.next(field)) {
    switch (field.id) {
      case kWhat:
        what = field.number;
        break;
      case kWho:
        query.who = field.text;
        break;
      case kCode:
        query.code = close_code_of(field.number);
        break;
      case kReason:
        query.reason = field.text;
        break;
      case kGlob:
        query.channels.emplace_back(field.text);
        break;
      case kAfter:
        query.after = field.text;
        break;
      case kLimit:
        query.limit = std::min<std::uint64_t>(field.number, ClusterQuery::kLimitMax);
        break;
      case kWithin:
        query.within = std::chrono::milliseconds(std::min<std::uint64_t>(
            field.number, static_cast<std::uint64_t>(ClusterQuery::kWithinMax.count())));
        break;
      default:
        break;
    }
  }
  if (reader.broken() || what == 0 || what > static_cast<std::uint64_t>(What::count)) return false;
  query.what = static_cast<What>(what);
  return within_bounds(query);
}

void encode_cluster_answer(std::string& out, const ClusterAnswer& answer) {
  DetailWriter writer(out);
  writer.number(kAnswer, 1);
  writer.number(kDisconnected, answer.disconnected);
  writer.number(kSessions, answer.sessions);
  writer.number(kSubscriptions, answer.subscriptions);
  for (const auto& channel : answer.channels)
    write_pair(writer, kChannel, channel.name, channel.subscribers, {});
  writer.number(kMore, answer.more ? 1 : 0);
  writer.number(kAsked, answer.asked);
  writer.number(kAnswered, answer.answered);
  for (const auto& missing : answer.missing)
    write_pair(writer, kMissing, missing.node, 0, missing.why);
  write_error(writer, kErrorCode, answer.error);
}

bool decode_cluster_answer(std::string_view detail, ClusterAnswer& answer) {
  answer = {};
  DetailReader reader(detail);
  DetailField field;
  bool good = true;
  while (good && reader.next(field)) {
    switch (field.id) {
      case kDisconnected:
        answer.disconnected = field.number;
        break;
      case kSessions:
        answer.sessions = field.number;
        break;
      case kSubscriptions:
        answer.subscriptions = field.number;
        break;
      case kChannel: {
        auto& channel = answer.channels.emplace_back();
        good = read_pair(field.text, channel.name, &channel.subscribers, nullptr);
        // In order, so that what is put together from several can be cut at a name.
        good = good && (answer.channels.size() == 1 ||
                        answer.channels[answer.channels.size() - 2].name < channel.name);
        break;
      }
      case kMore:
        answer.more = field.number != 0;
        break;
      case kAsked:
        answer.asked = field.number;
        break;
      case kAnswered:
        answer.answered = field.number;
        break;
      case kMissing: {
        auto& missing = answer.missing.emplace_back();
        good = read_pair(field.text, missing.node, nullptr, &missing.why);
        break;
      }
      case kErrorCode:
        read_error_code(answer.error, field.text);
        break;
      case kErrorMessage:
        read_error_message(answer.error, field.text);
        break;
      default:
        break;
    }
  }
  return good && !reader.broken() && answer.answered <= answer.asked &&
         (!answer.more || !answer.channels.empty());
}

}  // namespace peal::wire
