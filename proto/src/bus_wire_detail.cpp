#include "bus_wire_detail.hpp"

namespace peal::wire {
namespace {

bool read_epoch(std::optional<Epoch>& epoch, const DetailField& field) {
  epoch = field.is_text ? Epoch::parse(field.text) : std::nullopt;
  return epoch.has_value();
}

bool fits_offset(std::uint64_t value) {
  return value <= kOffsetMax.value;
}

}  // namespace

void encode_attributes(std::string& out, const PublicationView& p) {
  DetailWriter writer(out);
  writer.number(1, static_cast<std::uint64_t>(p.kind));
  writer.text(2, p.key);
  writer.text(3, p.type);
  writer.text(4, p.tags);
  if (!p.source.empty()) {
    writer.text(5, p.source);
    writer.number(6, p.sequence.major);
    writer.number(7, p.sequence.minor);
  }
  writer.text(8, p.origin);
  out.append(p.unknown_fields);
}

void encode_request(std::string& out, const bus::PublishRequest& request) {
  DetailWriter writer(out);
  if (request.expect) {
    writer.text(20, request.expect->epoch.view());
    writer.number(21, request.expect->offset.value);
  }
  if (request.previous) {
    writer.always_number(22, request.previous->major);
    writer.number(23, request.previous->minor);
  }
  writer.text(24, request.idempotency_key);
  writer.number(25, static_cast<std::uint64_t>(request.expect_value));
  if (request.expect_end) writer.always_number(26, *request.expect_end);
  writer.number(27, request.replace ? 1 : 0);
  if (request.place) {
    writer.text(28, request.place->epoch.view());
    writer.number(29, request.place->offset.value);
    if (request.place_floor) writer.always_number(30, request.place_floor->value);
  }
  encode_attributes(out, request.publication);
}

namespace {

struct Epochs {
  std::optional<Epoch> expect;
  std::optional<Epoch> place;
};

bool decode_position(const DetailField& field, std::uint32_t epoch_field,
                     std::optional<Epoch>& epoch, std::optional<Position>& position) {
  if (!position) position.emplace();
  if (field.id == epoch_field) {
    if (!read_epoch(epoch, field)) return false;
    position->epoch = *epoch;
    return true;
  }
  position->offset = {field.number};
  return fits_offset(field.number);
}

/// A condition of a publish: fields 20 to 30. False: broken.
bool decode_condition(const DetailField& field, bus::PublishRequest& request, Epochs& epochs) {
  switch (field.id) {
    case 20:
    case 21:
      return decode_position(field, 20, epochs.expect, request.expect);
    case 22:
    case 23:
      if (!request.previous) request.previous.emplace();
      (field.id == 22 ? request.previous->major : request.previous->minor) = field.number;
      return true;
    case 24:
      request.idempotency_key = field.text;
      return true;
    case 25:
      if (field.number > 2) return false;
      request.expect_value = static_cast<bus::ExpectValue>(field.number);
      return true;
    case 26:
      request.expect_end = field.number;
      return true;
    case 27:
      request.replace = field.number != 0;
      return true;
    case 28:
    case 29:
      return decode_position(field, 28, epochs.place, request.place);
    default:
      request.place_floor = Offset{field.number};
      return fits_offset(field.number);
  }
}

}  // namespace

bool decode_request(std::string_view detail, bus::PublishRequest& request) {
  PublicationView& p = request.publication;
  DetailReader reader(detail);
  DetailField field;
  Epochs epochs;
  while (reader.next(field)) {
    switch (field.id) {
      case 1:
        if (field.number > 1) return false;
        p.kind = static_cast<Kind>(field.number);
        break;
      case 2:
        p.key = field.text;
        break;
      case 3:
        p.type = field.text;
        break;
      case 4:
        p.tags = field.text;
        break;
      case 5:
        p.source = field.text;
        break;
      case 6:
        p.sequence.major = field.number;
        break;
      case 7:
        p.sequence.minor = field.number;
        break;
      case 8:
        p.origin = field.text;
        break;
      default:
        if (field.id >= 20 && field.id <= 30) {
          if (!decode_condition(field, request, epochs)) return false;
        } else if (p.unknown_fields.empty()) {
          // From the first unknown field to the end: what is known in there is repeated, not
          // changed.
          p.unknown_fields = detail.substr(field.start);
        }
    }
  }
  const bool half = (request.expect && !epochs.expect) || (request.place && !epochs.place);
  const bool floor_alone = request.place_floor && !request.place;
  return !reader.broken() && !half && !floor_alone;
}

void encode_read(std::string& out, const bus::ReadRequest& request) {
  DetailWriter writer(out);
  writer.number(1, static_cast<std::uint64_t>(request.mode));
  if (request.epoch) writer.text(2, request.epoch->view());
  writer.number(3, request.after.value);
  writer.number(4, request.limit);
  writer.number(5, request.bytes);
}

bool decode_read(std::string_view detail, bus::ReadRequest& request) {
  request.limit = 0;
  request.bytes = 0;
  DetailReader reader(detail);
  DetailField field;
  while (reader.next(field)) {
    switch (field.id) {
      case 1:
        if (field.number > 3) return false;
        request.mode = static_cast<bus::ReadRequest::Mode>(field.number);
        break;
      case 2:
        if (!read_epoch(request.epoch, field)) return false;
        break;
      case 3:
        if (!fits_offset(field.number)) return false;
        request.after = {field.number};
        break;
      case 4:
        request.limit = field.number;
        break;
      case 5:
        request.bytes = field.number;
        break;
      default:
        break;
    }
  }
  return !reader.broken();
}

void encode_head(std::string& out, const bus::HeadNotice& notice) {
  DetailWriter writer(out);
  writer.number(1, notice.answer ? 1 : 0);
  if (notice.head) {
    writer.text(2, notice.head->epoch.view());
    writer.number(3, notice.head->top.value);
    writer.number(4, notice.head->floor.value);
  }
  write_error(writer, 5, notice.error);
}

bool decode_head(std::string_view detail, bus::HeadNotice& notice) {
  DetailReader reader(detail);
  DetailField field;
  std::optional<Epoch> epoch;
  Head head;
  while (reader.next(field)) {
    switch (field.id) {
      case 1:
        notice.answer = field.number != 0;
        break;
      case 2:
        if (!read_epoch(epoch, field)) return false;
        break;
      case 3:
        head.top = {field.number};
        break;
      case 4:
        head.floor = {field.number};
        break;
      case 5:
        read_error_code(notice.error, field.text);
        break;
      case 6:
        read_error_message(notice.error, field.text);
        break;
      default:
        break;
    }
  }
  if (reader.broken() || !fits_offset(head.top.value) || head.floor > head.top) return false;
  if (epoch) {
    head.epoch = *epoch;
    notice.head = head;
  }
  return true;
}

void encode_outcome(std::string& out, const bus::Published& outcome) {
  DetailWriter writer(out);
  writer.number(1, static_cast<std::uint64_t>(outcome.status));
  if (outcome.position) {
    writer.text(2, outcome.position->epoch.view());
    writer.number(3, outcome.position->offset.value);
  }
  writer.number(4, outcome.duplicate ? 1 : 0);
  if (outcome.last) {
    writer.always_number(5, outcome.last->major);
    writer.number(6, outcome.last->minor);
  }
  write_error(writer, 7, outcome.error);
  writer.number(9, outcome.end_byte);
}

bool decode_outcome(std::string_view detail, bus::Published& outcome) {
  DetailReader reader(detail);
  DetailField field;
  std::optional<Epoch> epoch;
  Offset offset;
  while (reader.next(field)) {
    switch (field.id) {
      case 1:
        if (field.number > 2) return false;
        outcome.status = static_cast<bus::Published::Status>(field.number);
        break;
      case 2:
        if (!read_epoch(epoch, field)) return false;
        break;
      case 3:
        offset = {field.number};
        break;
      case 4:
        outcome.duplicate = field.number != 0;
        break;
      case 5:
        if (!outcome.last) outcome.last.emplace();
        outcome.last->major = field.number;
        break;
      case 6:
        if (!outcome.last) outcome.last.emplace();
        outcome.last->minor = field.number;
        break;
      case 7:
        read_error_code(outcome.error, field.text);
        break;
      case 8:
        read_error_message(outcome.error, field.text);
        break;
      case 9:
        outcome.end_byte = field.number;
        break;
      default:
        break;
    }
  }
  if (reader.broken() || !fits_offset(offset.value)) return false;
  if (epoch) outcome.position = Position{*epoch, offset};
  return true;
}

void encode_page(std::string& out, const bus::Page& page) {
  DetailWriter writer(out);
  writer.text(1, page.head.epoch.view());
  writer.number(2, page.head.top.value);
  writer.number(3, page.head.floor.value);
  writer.number(4, page.after.value);
  writer.number(5, page.to.value);
  writer.number(6, page.publications.size());
  write_error(writer, 7, page.error);
  writer.number(9, page.first_byte);
  writer.number(10, page.end_byte);
}

bool decode_page(std::string_view detail, bus::Page& page, std::uint64_t& count) {
  DetailReader reader(detail);
  DetailField field;
  std::optional<Epoch> epoch;
  count = 0;
  while (reader.next(field)) {
    switch (field.id) {
      case 1:
        if (!read_epoch(epoch, field)) return false;
        page.head.epoch = *epoch;
        break;
      case 2:
        page.head.top = {field.number};
        break;
      case 3:
        page.head.floor = {field.number};
        break;
      case 4:
        page.after = {field.number};
        break;
      case 5:
        page.to = {field.number};
        break;
      case 6:
        count = field.number;
        break;
      case 7:
        read_error_code(page.error, field.text);
        break;
      case 8:
        read_error_message(page.error, field.text);
        break;
      case 9:
        page.first_byte = field.number;
        break;
      case 10:
        page.end_byte = field.number;
        break;
      default:
        break;
    }
  }
  return !reader.broken() && fits_offset(page.head.top.value) && fits_offset(page.after.value) &&
         fits_offset(page.to.value) && page.head.floor <= page.head.top;
}

}  // namespace peal::wire
