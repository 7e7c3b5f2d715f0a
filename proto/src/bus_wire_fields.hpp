#pragma once
// Protobuf fields written and read by hand, for the details inside a body frame: what is read stays
// a view into the frame, so a batch of publications with attributes costs no allocation. Fields
// with a zero or empty value are left out, as proto3 does, unless `always_number` says otherwise.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "peal/proto/result.hpp"

namespace peal::wire {

class DetailWriter {
 public:
  explicit DetailWriter(std::string& out) : out_(out) {}
  void number(std::uint32_t field, std::uint64_t value) {
    if (value != 0) always_number(field, value);
  }
  void always_number(std::uint32_t field, std::uint64_t value);
  void text(std::uint32_t field, std::string_view value);
  void fixed64(std::uint32_t field, std::uint64_t value);

 private:
  void varint(std::uint64_t value);
  std::string& out_;
};

struct DetailField {
  std::uint32_t id = 0;
  bool is_text = false;
  std::uint64_t number = 0;
  std::string_view text;
  std::size_t start = 0;  ///< where the field begins in the detail
};

class DetailReader {
 public:
  explicit DetailReader(std::string_view detail) : detail_(detail) {}
  /// False at the end, and when the rest is broken (then `broken`).
  bool next(DetailField& field);
  bool broken() const { return broken_; }

 private:
  bool varint(std::uint64_t& value);
  std::string_view detail_;
  std::size_t at_ = 0;
  bool broken_ = false;
};

/// An error is two fields: its code's name, and behind it the message.
void write_error(DetailWriter& writer, std::uint32_t code_field, const std::optional<Error>& error);
/// A code that a newer side knows and we do not is still an error; its name goes into the message.
void read_error_code(std::optional<Error>& error, std::string_view name);
void read_error_message(std::optional<Error>& error, std::string_view message);

}  // namespace peal::wire
