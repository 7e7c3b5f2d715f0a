#pragma once
// Config of a process: defaults <- TOML file <- PEAL_* environment <- flags. A component's config
// is a plain struct; `describe` functions bind its fields to keys once, and everything follows from
// that: the TOML key `bus.connect`, the flag --bus-connect, the variable PEAL_BUS_CONNECT, --help,
// --check-config, --print-config (secrets masked), and errors that name the file, line and nearest
// key. Used at start-up only, by one thread.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peal/proto/limits.hpp"
#include "peal/proto/result.hpp"

namespace peal::runtime {

class ConfigSchema {
 public:
  ConfigSchema();
  ~ConfigSchema();
  ConfigSchema(ConfigSchema&&) noexcept;

  enum class Visibility : std::uint8_t { plain, secret };

  /// Binds one key. Sizes take "512KiB"-like suffixes, durations "10s", "250ms", "5m", "30d".
  void field(std::string_view key, std::string& target, std::string_view help,
             Visibility = Visibility::plain);
  void field(std::string_view key, bool& target, std::string_view help);
  void field(std::string_view key, std::size_t& target, std::string_view help);
  void field(std::string_view key, std::chrono::milliseconds& target, std::string_view help);
  void field(std::string_view key, std::chrono::seconds& target, std::string_view help);
  void field(std::string_view key, std::vector<std::string>& target, std::string_view help,
             Visibility = Visibility::plain);
  /// [keys] NAME = "secret": a table of free names.
  void table(std::string_view key, std::map<std::string, std::string>& target,
             std::string_view help, Visibility);
  /// [[channels]]: an array of tables; `add` is called per entry with a schema to fill (its fields
  /// bind to storage that `add` has just made). File only.
  void array(std::string_view key, std::function<void(ConfigSchema& entry)> add,
             std::string_view help);
  /// A further flag without a key in the file, e.g. --allow PATTERN (repeatable).
  void flag(std::string_view name, std::vector<std::string>& target, std::string_view help);

  /// What --print-config shows: TOML with every key, its help as a comment, secrets masked.
  std::string print() const;
  /// Key -> value as TOML writes it, secrets as they are: to compare, never to show. Without tables
  /// and arrays.
  std::map<std::string, std::string> values() const;
  /// Rows of a Markdown table: key, value now, help. For documentation: it adds an entry to every
  /// array.
  std::string markdown() const;

 private:
  friend class ConfigLoader;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Binds every limit under "limits.".
void describe(ConfigSchema& schema, Limits& limits);
/// Refuses limits under which nothing would work (zero where zero has no meaning).
Result<void> validate(const Limits& limits);

struct LoadedConfig {
  enum class Action : std::uint8_t { run, exit } action = Action::run;
  int exit_code =
      0;  ///< with Action::exit: --help, --version, --print-config, --check-config or an error
  std::string output;  ///< what was to be printed (to stdout when exit_code is 0, else stderr)
  std::vector<std::string> warnings;  ///< for the log: PEAL_* variables that are nobody's
};

/// Reads everything into the bound fields. `validate` is called last and its error is reported
/// alike. The file is --config FILE or PEAL_CONFIG. A table's key is also PEAL_TABLE_NAME (NAME in
/// lower case).
LoadedConfig load_config(ConfigSchema& schema, std::string_view program, std::string_view about,
                         const std::vector<std::string>& arguments,
                         const std::function<Result<void>()>& validate);

}  // namespace peal::runtime
