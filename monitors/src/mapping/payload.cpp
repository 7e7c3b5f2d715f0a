#include "mapping/payload.hpp"

namespace peal::monitor {

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

}  // namespace peal::monitor
