#pragma once
// What a process says: one line an event, a message and named fields, as text or JSON. A Logger is
// a cheap handle passed in by whoever owns a component; it carries that component's prefix. Any
// thread. spdlog is behind it; tests give a LogCapture and read what was said.

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "peal/proto/result.hpp"

namespace peal::runtime {

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error, off };
std::string_view name_of(LogLevel level);
/// Null for no such level.
std::optional<LogLevel> log_level_from_name(std::string_view name);

using LogValue = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool>;
struct LogField {
  std::string_view key;
  LogValue value;
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, bool v) : key(k), value(v) {}
  LogField(std::string_view k, double v) : key(k), value(v) {}
  template <std::signed_integral T>
  LogField(std::string_view k, T v) : key(k), value(std::int64_t{v}) {}
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) LogField(std::string_view k, T v)
      : key(k), value(std::uint64_t{v}) {}
};
using LogFields = std::initializer_list<LogField>;

/// Where log lines end up; shared by all loggers of a process. Level changes take effect at once.
class LogBackend {
 public:
  virtual ~LogBackend() = default;
  virtual void write(LogLevel level, std::string_view prefix, std::string_view message,
                     LogFields fields) = 0;
  virtual LogLevel level() const = 0;
  virtual void set_level(LogLevel level) = 0;
};

enum class LogFormat : std::uint8_t { text, json };
/// Lines on standard error through spdlog; text has colours on a terminal only.
std::shared_ptr<LogBackend> make_log_backend(LogFormat format, LogLevel level);

class Logger {
 public:
  Logger() = default;  ///< says nothing
  explicit Logger(std::shared_ptr<LogBackend> backend, std::string prefix = {})
      : backend_(std::move(backend)), prefix_(std::move(prefix)) {}
  Logger with(std::string_view component) const;
  bool enabled(LogLevel level) const { return backend_ && level >= backend_->level(); }
  void log(LogLevel level, std::string_view message, LogFields fields = {}) const {
    if (enabled(level)) backend_->write(level, prefix_, message, fields);
  }
  void debug(std::string_view message, LogFields fields = {}) const {
    log(LogLevel::debug, message, fields);
  }
  void info(std::string_view message, LogFields fields = {}) const {
    log(LogLevel::info, message, fields);
  }
  void warn(std::string_view message, LogFields fields = {}) const {
    log(LogLevel::warn, message, fields);
  }
  void error(std::string_view message, LogFields fields = {}) const {
    log(LogLevel::error, message, fields);
  }

 private:
  std::shared_ptr<LogBackend> backend_;
  std::string prefix_;
};

}  // namespace peal::runtime
