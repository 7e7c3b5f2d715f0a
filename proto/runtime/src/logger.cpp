#include "peal/runtime/logger.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "log_line.hpp"

namespace peal::runtime {
namespace {

constexpr std::array<std::string_view, 6> kNames = {"trace", "debug", "info",
                                                    "warn",  "error", "off"};

spdlog::level::level_enum spdlog_level(LogLevel level) {
  constexpr std::array kLevels = {spdlog::level::trace, spdlog::level::debug, spdlog::level::info,
                                  spdlog::level::warn,  spdlog::level::err,   spdlog::level::off};
  return kLevels[static_cast<std::size_t>(level)];
}

class SpdlogBackend final : public LogBackend {
 public:
  SpdlogBackend(LogFormat format, LogLevel level)
      : format_(format),
        level_(level),
        logger_("peal", std::make_shared<spdlog::sinks::stderr_color_sink_mt>()) {
    const char* const pattern = format == LogFormat::json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v)"
                                                          : "%Y-%m-%dT%H:%M:%S.%eZ %^%-7l%$ %v";
    logger_.set_pattern(pattern, spdlog::pattern_time_type::utc);
    // The level is judged here alone, so that a change takes effect at once.
    logger_.set_level(spdlog::level::trace);
    logger_.flush_on(spdlog::level::trace);
  }

  void write(LogLevel level, std::string_view prefix, std::string_view message,
             LogFields fields) override {
    if (level < this->level() || level == LogLevel::off) return;
    const std::string line = format_ == LogFormat::json
                                 ? json_line_tail(level, prefix, message, fields)
                                 : text_line(prefix, message, fields);
    logger_.log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
  }

  LogLevel level() const override { return level_.load(std::memory_order_relaxed); }
  void set_level(LogLevel level) override { level_.store(level, std::memory_order_relaxed); }

 private:
  const LogFormat format_;
  std::atomic<LogLevel> level_;
  spdlog::logger logger_;
};

}  // namespace

std::string_view name_of(LogLevel level) {
  return kNames[static_cast<std::size_t>(level)];
}

std::optional<LogLevel> log_level_from_name(std::string_view name) {
  const auto* const found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<LogLevel>(found - kNames.begin());
}

std::shared_ptr<LogBackend> make_log_backend(LogFormat format, LogLevel level) {
  return std::make_shared<SpdlogBackend>(format, level);
}

Logger Logger::with(std::string_view component) const {
  std::string prefix = prefix_;
  if (!prefix.empty()) prefix += '.';
  prefix += component;
  return Logger(backend_, std::move(prefix));
}

}  // namespace peal::runtime
