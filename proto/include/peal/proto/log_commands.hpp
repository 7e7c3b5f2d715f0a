#pragma once
// The commands of the control socket that look into logs and restore them, alike on gateway and
// broker:
//   history {"channel","since"?:{"epoch","offset"}|"start","limit"?,"reverse"?,"exact"?}
//     → {"epoch","offset","floor","end_byte","after","to","publications":[…]}: a page, as in
//       bus::Page; `offset` is the log's top. Without `since` from the oldest kept. With `exact`
//       each publication is as in log_record.hpp's exact form.
//   load {"channel","epoch","floor","after"?,"publications":[exact…]}
//     → {"epoch","offset"}: each placed where it was. `after`: only when that is the log's top in
//       this epoch; without it the log must have nothing yet. No publications: only the position
//       `floor` is restored.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peal/proto/bus_messages.hpp"
#include "peal/proto/json.hpp"
#include "peal/proto/limits.hpp"
#include "peal/proto/log_record.hpp"

namespace peal {

struct HistoryCommand {
  std::string channel;
  bus::ReadRequest read;  ///< its `channel` is not set
  RecordForm form = RecordForm::readable;
};
Result<HistoryCommand> read_history_command(JsonReader& reader, std::string_view payload,
                                            const Limits& limits);
/// The result of a page without an error.
std::string history_json(const bus::Page& page, RecordForm form, JsonReader& reader);

struct LoadCommand {
  std::string channel;
  Epoch epoch;
  Offset floor;
  std::optional<Offset> after;
  std::vector<LogRecord> records;

  std::size_t size() const { return records.empty() ? 1 : records.size(); }
  /// Each expects the one before it, so that where one fails all after it do. Borrows.
  bus::PublishRequest request(std::size_t i) const;
};
/// Gathers what became of a load's publications, which come in order.
class LoadTally {
 public:
  explicit LoadTally(std::size_t due) : due_(due) {}
  /// True once, with the last one.
  bool took(const bus::Published& outcome);
  const std::optional<Error>& error() const { return error_; }  ///< the first
  /// {"epoch","offset"}: where the last one is.
  std::string json() const;

 private:
  std::size_t due_;
  std::optional<Error> error_;
  Position last_;
};
Result<LoadCommand> read_load_command(JsonReader& reader, std::string_view payload);

}  // namespace peal
