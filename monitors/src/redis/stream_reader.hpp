#pragma once
// From one Redis stream to the bus. An entry's id is its sequence. What was acknowledged stands in
// Redis beside the lease: whoever has that reads on from there, so two who both think that they
// have it publish the same in the same order, and the log takes each once.
//   active: looking -> reading -> publishing -> saving -> reading …
// `looking` compares with the stream itself: more was ever added than was read (trimmed before it
// was read), or its ids have gone back (made anew, restored): a reset is published.

#include <chrono>
#include <optional>

#include "redis/redis_reader.hpp"
#include "redis/stream_look.hpp"
#include "redis/stream_rule.hpp"

namespace peal::monitor {

class StreamReader final : public RedisReader {
 public:
  StreamReader(const ReaderParts& parts, StreamRule rule);

  std::uint64_t lag_ms() const override;

 private:
  enum class Step : std::uint8_t { looking, reading, publishing, saving };

  void on_leased(const std::vector<redis::Reply>& fields) override;
  void on_turned() override;
  std::string measured_key() const override { return rule_.stream(); }
  void measure() override;

  void on_standby() override { known_ = false; }
  void begin_unknowing();
  void look();
  void on_look(const redis::Reply& reply);
  void see(const StreamLook& look, std::uint64_t ordinal);
  void begin_anew(const std::string& why, std::uint64_t ordinal);
  std::string source() const;
  void read();
  void on_sized(const redis::Reply& reply);
  void leave_out(Sequence large);
  void read(std::size_t entries_max);
  void on_read(const redis::Reply& reply);
  void save();
  void on_save(const redis::Reply& reply, bool was_idle);

  const StreamRule rule_;
  Step step_ = Step::looking;  ///< while active
  StreamCeiling ceiling_;
  std::optional<Sequence> oldest_;  ///< that waits
  bool overtaken_ = false;          ///< more was trimmed than was read
  std::chrono::steady_clock::time_point looked_{};
  bool careful_ = false;  ///< it asks first how large the next entries are
  bool first_ = false;    ///< nothing was saved yet
  bool known_ = false;    ///< what follows was saved by this process, the last that read
  // As in Redis once it was saved:
  Sequence cursor_;               ///< the last entry that was published
  std::uint64_t ordinal_ = 0;     ///< of all that were ever added, how many up to there
  std::uint64_t generation_ = 0;  ///< grows when the ids have gone back; begins with a time
  // As it is in Redis:
  Sequence saved_cursor_;
  std::uint64_t saved_ordinal_ = 0;
};

}  // namespace peal::monitor
