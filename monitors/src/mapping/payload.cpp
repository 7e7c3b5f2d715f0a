#include "mapping/payload.hpp"

namespace peal::monitor {
namespace {

/// What a publication has besides its payload: key, source.
constexpr std::size_t kEnvelopeBytes = 1024;

}  // namespace

std::string change_json(const Change& change, Event event) {
  std::string json = "{\"event\":\"" + std::string(name_of(event)) + "\",\"schema\":";
  append_json_text(json, change.schema);
  append_json_text(json += ",\"table\":", change.table);
  if (change.old_row) json += ",\"old\":" + change.old_row->json();
  if (change.new_row) {
    json += ",\"new\":" + change.new_row->json();
    std::string names;
    for (const std::string& name : change.new_row->unchanged())
      append_json_text(names += names.empty() ? "" : ",", name);
    if (!names.empty()) json += ",\"unchanged\":[" + names + ']';
  }
  if (!change.old_missing.empty())
    append_json_text(json += ",\"old_missing\":", change.old_missing);
  return json + '}';
}

bool fits(const Ring& ring, std::size_t message_bytes_max) {
  return ring.payload.size() + kEnvelopeBytes <= message_bytes_max;
}

bool cut_to_size(Ring& ring, const Change& change, std::size_t message_bytes_max) {
  if (fits(ring, message_bytes_max)) return false;
  std::string json = "{\"event\":";
  append_json_text(json, name_of(change.what));
  append_json_text(json += ",\"schema\":", change.schema);
  append_json_text(json += ",\"table\":", change.table);
  if (!ring.key.empty()) append_json_text(json += ",\"key\":", ring.key);
  ring.payload = json + ",\"too_large\":true}";
  return true;
}

}  // namespace peal::monitor
