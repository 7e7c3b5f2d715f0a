#include "postgres/logical_dry_run.hpp"

#include <charconv>
#include <vector>

#include "mapping/payload.hpp"
#include "mapping/ring_line.hpp"
#include "postgres/catalog.hpp"
#include "postgres/connection.hpp"
#include "postgres/logical_changes.hpp"
#include "postgres/slot.hpp"

namespace peal::monitor {
namespace {

constexpr const char* kPeek =
    "select encode(data, 'hex') from pg_logical_slot_peek_binary_changes($1, null, $2::int, "
    "'proto_version', '1', 'publication_names', $3)";

/// As Postgres has encoded it.
std::string bytes_of(const std::string& hex) {
  std::string bytes(hex.size() / 2, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    unsigned char byte = 0;
    std::from_chars(hex.data() + 2 * i, hex.data() + 2 * i + 2, byte, 16);
    bytes[i] = static_cast<char>(byte);
  }
  return bytes;
}

class Lines final : public LogicalSink {
 public:
  Lines(const MonitorConfig& config, Rules rules) : config_(config), rules_(std::move(rules)) {}

  const std::string& text() const { return text_; }

  void on_change(const Change& change) override {
    std::vector<Ring> rings;
    rules_.map(change, rings, [this](std::size_t rule, const Error& why) {
      text_ += "{\"rule\":" + std::to_string(rule + 1) + ",\"error\":";
      append_json_text(text_, why.message);
      text_ += "}\n";
    });
    for (Ring& ring : rings) {
      cut_to_size(ring, change, config_.limits.message_bytes_max);
      text_ += ring_line(ring);
    }
  }

 private:
  const MonitorConfig& config_;
  Rules rules_;
  std::string text_;
};

}  // namespace

Result<std::string> logical_dry_run(const MonitorConfig& config) {
  auto rules = Rules::compile(config.rule_list());
  if (!rules) return rules.error();
  auto connection = Connection::open(config.dsn, config.process.name);
  if (!connection) return connection.error();
  if (auto set = connection->use_own_settings(); !set) return set.error();
  if (auto good = check_logical(*connection); !good) return good.error();
  if (auto good = check_tables(*connection, rules->tables()); !good) return good.error();
  const auto slot = find_slot(*connection, config.slot);
  if (!slot) return slot.error();
  if (!*slot || (*slot)->lost) {
    return fail(ErrorCode::not_found, "there is no slot of " + config.slot +
                                          " yet: a monitor that begins publishes the tables as "
                                          "they are");
  }
  const auto peeked = connection->ask(
      kPeek, {(*slot)->name, std::to_string(config.batch_changes_max), config.slot});
  if (!peeked) return peeked.error();
  LogicalChanges changes([&connection](std::vector<std::uint32_t> types) {
    return ask_types(*connection, std::move(types));
  });
  Lines lines(config, std::move(*rules));
  for (std::size_t row = 0; row < peeked->rows(); ++row) {
    if (auto taken = changes.take(bytes_of(peeked->text(row, 0)), lines); !taken)
      return taken.error();
  }
  return lines.text();
}

}  // namespace peal::monitor
