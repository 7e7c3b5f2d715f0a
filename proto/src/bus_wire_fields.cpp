#include "bus_wire_fields.hpp"

namespace peal::wire {
namespace {

constexpr std::uint64_t kVarintType = 0;
constexpr std::uint64_t kFixed64Type = 1;
constexpr std::uint64_t kTextType = 2;
constexpr std::uint64_t kFixed32Type = 5;

}  // namespace

void DetailWriter::varint(std::uint64_t value) {
  while (value >= 0x80U) {
    out_.push_back(static_cast<char>(value | 0x80U));
    value >>= 7U;
  }
  out_.push_back(static_cast<char>(value));
}

void DetailWriter::always_number(std::uint32_t field, std::uint64_t value) {
  varint((std::uint64_t{field} << 3U) | kVarintType);
  varint(value);
}

void DetailWriter::text(std::uint32_t field, std::string_view value) {
  if (value.empty()) return;
  varint((std::uint64_t{field} << 3U) | kTextType);
  varint(value.size());
  out_.append(value);
}

void DetailWriter::fixed64(std::uint32_t field, std::uint64_t value) {
  if (value == 0) return;
  varint((std::uint64_t{field} << 3U) | kFixed64Type);
  for (unsigned shift = 0; shift < 64; shift += 8)
    out_.push_back(static_cast<char>(value >> shift));
}

bool DetailReader::varint(std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64 && at_ < detail_.size(); shift += 7) {
    const auto byte = static_cast<unsigned char>(detail_[at_++]);
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80U) return true;
  }
  broken_ = true;
  return false;
}

bool DetailReader::next(DetailField& field) {
  if (broken_ || at_ >= detail_.size()) return false;
  field = {};
  field.start = at_;
  std::uint64_t tag = 0;
  if (!varint(tag)) return false;
  field.id = static_cast<std::uint32_t>(tag >> 3U);
  const std::uint64_t type = tag & 7U;
  if (field.id == 0 || tag >> 32U != 0) {
    broken_ = true;
    return false;
  }
  if (type == kVarintType) return varint(field.number);
  std::uint64_t size = type == kFixed64Type ? 8 : 4;
  if (type == kTextType) {
    if (!varint(size)) return false;
    field.is_text = true;
  } else if (type != kFixed64Type && type != kFixed32Type) {
    broken_ = true;
    return false;
  }
  if (size > detail_.size() - at_) {
    broken_ = true;
    return false;
  }
  field.text = detail_.substr(at_, size);
  at_ += size;
  return true;
}

void write_error(DetailWriter& writer, std::uint32_t code_field,
                 const std::optional<Error>& error) {
  if (!error) return;
  writer.text(code_field, info(error->code).name);
  writer.text(code_field + 1, error->message);
}

void read_error_code(std::optional<Error>& error, std::string_view name) {
  if (!error) error.emplace();
  const auto code = error_code_from_name(name);
  error->code = code.value_or(ErrorCode::internal_error);
  if (!code) error->message = std::string(name);
}

void read_error_message(std::optional<Error>& error, std::string_view message) {
  if (!error) error.emplace();
  if (!error->message.empty()) error->message += ": ";
  error->message += message;
}

}  // namespace peal::wire
