#pragma once
// Protobuf fields written and read by hand, for the details inside a body frame: what is read stays
// a view into the frame, so a batch of publications with attributes costs no allocation. Fields
// with a zero or empty value are left out, as proto3 does, unless `always_number` says otherwise.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "peal/proto/bus_messages.hpp"

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

void encode_attributes(std::string& out, const PublicationView& publication);
/// Attributes and the conditions of a publish.
void encode_request(std::string& out, const bus::PublishRequest& request);
/// Fills all but channel, id, payload, offset and time. False: broken.
bool decode_request(std::string_view detail, bus::PublishRequest& request);

void encode_read(std::string& out, const bus::ReadRequest& request);
bool decode_read(std::string_view detail, bus::ReadRequest& request);
void encode_head(std::string& out, const bus::HeadNotice& notice);
bool decode_head(std::string_view detail, bus::HeadNotice& notice);
void encode_outcome(std::string& out, const bus::Published& outcome);
bool decode_outcome(std::string_view detail, bus::Published& outcome);
void encode_page(std::string& out, const bus::Page& page);
/// `count` is how many items follow.
bool decode_page(std::string_view detail, bus::Page& page, std::uint64_t& count);

}  // namespace peal::wire
