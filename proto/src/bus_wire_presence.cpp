// The details of presence on the wire (schema/bus.proto: MemberDetail and Who).
#include "bus_wire_presence.hpp"

#include <string>

namespace peal::wire {
namespace {

void write_member(DetailWriter& writer, const bus::Member& member) {
  writer.text(2, member.session);
  writer.text(3, member.user);
  writer.text(4, member.data);
}

bool decode_member(std::string_view detail, std::uint64_t& what, bus::Member& member) {
  what = 0;
  DetailReader reader(detail);
  DetailField field;
  while (reader.next(field)) {
    switch (field.id) {
      case 1:
        what = field.number;
        break;
      case 2:
        member.session = field.text;
        break;
      case 3:
        member.user = field.text;
        break;
      case 4:
        member.data = field.text;
        break;
      default:
        break;
    }
  }
  return !reader.broken();
}

/// Fixed64 fields of a detail come as eight bytes of text, the lowest first.
std::uint64_t fixed64(std::string_view text) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    number |= std::uint64_t{static_cast<unsigned char>(text[i])} << (8 * i);
  }
  return number;
}

}  // namespace

void encode_enter(std::string& out, const bus::Member& member) {
  DetailWriter writer(out);
  write_member(writer, member);
}

void encode_leave(std::string& out, std::string_view session) {
  DetailWriter writer(out);
  writer.number(1, 1);
  writer.text(2, session);
}

bool decode_coming(std::string_view detail, bool& leaves, bus::Member& member) {
  std::uint64_t what = 0;
  if (!decode_member(detail, what, member) || what > 1 || member.session.empty()) return false;
  leaves = what == 1;
  return true;
}

void encode_presence_event(std::string& out, const bus::PresenceEvent& event) {
  DetailWriter writer(out);
  writer.number(1, static_cast<std::uint64_t>(event.what));
  write_member(writer, event.member);
}

bool decode_presence_event(std::string_view detail, bus::PresenceEvent& event) {
  std::uint64_t what = 0;
  if (!decode_member(detail, what, event.member)) return false;
  if (what > static_cast<std::uint64_t>(bus::PresenceEvent::What::refused)) return false;
  event.what = static_cast<bus::PresenceEvent::What>(what);
  return true;
}

void encode_presence_request(std::string& out, const bus::PresenceRequest& request) {
  DetailWriter writer(out);
  writer.text(1, request.after);
  writer.number(2, request.limit);
}

bool decode_presence_request(std::string_view detail, bus::PresenceRequest& request) {
  request.limit = 0;
  DetailReader reader(detail);
  DetailField field;
  while (reader.next(field)) {
    if (field.id == 1) request.after = field.text;
    if (field.id == 2) request.limit = field.number;
  }
  return !reader.broken();
}

void encode_presence_answer(std::string& out, const bus::PresenceAnswer& answer) {
  DetailWriter writer(out);
  std::string one;
  for (const bus::Member& member : answer.members) {
    one.clear();
    DetailWriter inner(one);
    write_member(inner, member);
    writer.text(3, one);
  }
  writer.number(4, answer.more ? 1 : 0);
  writer.number(5, answer.sessions);
  writer.number(6, answer.users);
  writer.fixed64(7, answer.digest);
  writer.number(8, answer.settled ? 0 : 1);
  write_error(writer, 9, answer.error);
}

bool decode_presence_answer(std::string_view detail, bus::PresenceAnswer& answer,
                            std::vector<bus::Member>& members) {
  members.clear();
  DetailReader reader(detail);
  DetailField field;
  while (reader.next(field)) {
    std::uint64_t what = 0;
    switch (field.id) {
      case 3:
        if (!decode_member(field.text, what, members.emplace_back())) return false;
        break;
      case 4:
        answer.more = field.number != 0;
        break;
      case 5:
        answer.sessions = field.number;
        break;
      case 6:
        answer.users = field.number;
        break;
      case 7:
        answer.digest = fixed64(field.text);
        break;
      case 8:
        answer.settled = field.number == 0;
        break;
      case 9:
        read_error_code(answer.error, field.text);
        break;
      case 10:
        read_error_message(answer.error, field.text);
        break;
      default:
        break;
    }
  }
  answer.members = members;
  return !reader.broken();
}

}  // namespace peal::wire
