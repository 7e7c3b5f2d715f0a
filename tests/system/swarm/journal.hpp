#pragma once
// The journals that swarm and producer write and checker reads: one event a line, words separated
// by blanks, times in nanoseconds of the machine's steady clock (the same in every process).
//   P <publisher> <channel> <number> <sent> <outcome> <done> [<offset> <epoch>]
//     outcome: ok, refused, unknown, fired (no answer comes), kept (acknowledged after several
//     tries, so it may stand in earlier epochs too); the position of what a log has taken
//   S <client> <channel> <time>   the subscribe result arrived
//   U <client> <channel> <time>   unsubscribe was sent
//   V <client> <channel> <time>   the unsubscribe result arrived
//   X <client> <time>             the connection is gone, and with it all its subscriptions
//   R <client> <channel> <time>   reset: the client was told that it missed something
//   D <client> <channel> <publisher> <number> <time> [<offset>]   a delivery
//   B <client> <channel> <time> <epoch> <offset> <why>   follows the log from here: first, or told
//   E <client> <channel> <time>   follows it to the end of the run
// Epochs are written as the number that their eight characters are.
// Channels and clients are numbers; the tests name channel n "job:<n>".

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace peal::swarm {

class Journal {
 public:
  explicit Journal(const std::string& path);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  template <class... Words>
  void write(char what, Words... words) {
    buffer_ += what;
    (append(words), ...);
    buffer_ += '\n';
    if (buffer_.size() > kFlushAt) {
      flush();
    }
  }
  void flush();

 private:
  static constexpr std::size_t kFlushAt = 1 << 20;
  void append(std::uint64_t number);
  void append(const char* word);
  std::FILE* file_;
  std::string buffer_;
};

inline std::uint64_t epoch_number(std::string_view epoch) {
  std::uint64_t number = 0;
  for (const char c : epoch) {
    number = number << 8 | static_cast<unsigned char>(c);
  }
  return number;
}

inline std::string job_channel(std::uint64_t number) {
  return "job:" + std::to_string(number);
}

}  // namespace peal::swarm
