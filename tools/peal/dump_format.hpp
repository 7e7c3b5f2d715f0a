#pragma once
// A dumped log: NDJSON.
//   head         {"peal_dump":1,"channel","epoch","floor","top"}: where the log stood at first
//   publication  as proto's log_record.hpp writes it exactly, in offset order
//   end          {"end":{"epoch","top","publications":N}}: a dump without it was cut off

#include <cstdint>
#include <string>

#include "json_text.hpp"
#include "peal/proto/position.hpp"

namespace peal::cli {

inline constexpr std::uint64_t kDumpVersion = 1;

struct DumpHead {
  std::string channel;
  Epoch epoch;
  Offset floor;
  Offset top;

  std::string line() const {
    return JsonBuilder()
        .number("peal_dump", kDumpVersion)
        .text("channel", channel)
        .text("epoch", epoch.view())
        .number("floor", floor.value)
        .number("top", top.value)
        .str();
  }
};

struct DumpEnd {
  Epoch epoch;
  Offset top;
  std::uint64_t publications = 0;

  std::string line() const {
    return JsonBuilder()
        .raw("end", JsonBuilder()
                        .text("epoch", epoch.view())
                        .number("top", top.value)
                        .number("publications", publications)
                        .str())
        .str();
  }
};

}  // namespace peal::cli
