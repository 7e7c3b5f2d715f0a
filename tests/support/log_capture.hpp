#pragma once
// A LogBackend that keeps what was said, for tests to read. Any thread.

#include <atomic>
#include <mutex>
#include <string>
#include <type_traits>
#include <vector>

#include "peal/runtime/logger.hpp"

namespace peal::test {

class LogCapture final : public runtime::LogBackend {
 public:
  /// One event as "level prefix: message key=value …".
  void write(runtime::LogLevel level, std::string_view prefix, std::string_view message,
             runtime::LogFields fields) override {
    std::string line(runtime::name_of(level));
    line += ' ';
    line += prefix;
    line += ": ";
    line += message;
    for (const runtime::LogField& field : fields) {
      line += ' ';
      line += field.key;
      line += '=';
      std::visit(
          [&](const auto& value) {
            using Value = std::decay_t<decltype(value)>;
            if constexpr (std::is_same_v<Value, std::string_view>) {
              line += value;
            } else if constexpr (std::is_same_v<Value, bool>) {
              line += value ? "true" : "false";
            } else {
              line += std::to_string(value);
            }
          },
          field.value);
    }
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
  }
  runtime::LogLevel level() const override { return level_; }
  void set_level(runtime::LogLevel level) override { level_ = level; }

  std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  /// Whether some line contains `text`.
  bool said(std::string_view text) const {
    const std::lock_guard lock(mutex_);
    for (const std::string& line : lines_) {
      if (line.find(text) != std::string::npos) return true;
    }
    return false;
  }

 private:
  std::atomic<runtime::LogLevel> level_{runtime::LogLevel::trace};
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

}  // namespace peal::test
