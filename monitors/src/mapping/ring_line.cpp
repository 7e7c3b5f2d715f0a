#include "mapping/ring_line.hpp"

namespace peal::monitor {

std::string ring_line(const Ring& ring) {
  std::string line = "{\"channel\":";
  append_json_text(line, ring.channel);
  if (!ring.key.empty()) append_json_text(line += ",\"key\":", ring.key);
  if (ring.deletion) line += ",\"delete\":true";
  return line + ",\"message\":" + ring.payload + "}\n";
}

}  // namespace peal::monitor
