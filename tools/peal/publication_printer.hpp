#pragma once
// One publication, one line: minified JSON with its channel in front, or, for a person at a
// terminal, the channel in colour and the message. Counts down --count.

#include <cstdint>
#include <string>

#include "json_text.hpp"
#include "output.hpp"

namespace peal::cli {

class PublicationPrinter {
 public:
  /// `count`: after so many it is finished; 0: never.
  PublicationPrinter(Console& console, std::uint64_t count)
      : console_(console), left_(count), counted_(count > 0) {}

  /// `publication` has the members of a message push; its "event" and "channel" are not printed
  /// again.
  void print(const std::string& channel, const JsonObject& publication);
  bool finished() const { return counted_ && left_ == 0; }

 private:
  void print_for_people(const std::string& channel, const JsonObject& publication);

  Console& console_;
  std::uint64_t left_;
  bool counted_;
};

}  // namespace peal::cli
