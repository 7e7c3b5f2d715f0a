#pragma once
// From one Redis list to the bus. A script moves elements from the list's end to a list of those
// that were taken, where a place is a number: the state says the number of the first, and whoever
// has the lease finds the same elements under the same numbers, however often, until they are
// acknowledged; the script that takes the next ones removes them, in one step. An element's
// sequence is {generation, number}. A generation begins when the server is another process than
// before (it may have lost what was numbered last), at a moment when nothing is taken; it is a
// time, so it is above all before, too when the state was lost.
//   active: taking -> publishing -> taking …; taking -> waiting (BLMOVE) -> taking

#include <chrono>
#include <vector>

#include "redis/list_rule.hpp"
#include "redis/redis_reader.hpp"

namespace peal::monitor {

class ListReader final : public RedisReader {
 public:
  ListReader(const ReaderParts& parts, ListRule rule);

  std::uint64_t lag_ms() const override;

 private:
  enum class Step : std::uint8_t { asking, publishing };

  void on_leased(const std::vector<redis::Reply>& fields) override;
  void on_turned() override;
  std::string measured_key() const override { return rule_.list(); }
  void measure() override;
  void on_impossible(std::uint64_t ticket, const Error& error) override;

  void take();
  void on_take(const redis::Reply& reply);
  void publish_one(std::size_t at, const redis::Reply& element, Sequence sequence);
  void wait();

  const ListRule rule_;
  const ListKeys keys_;
  Step step_ = Step::asking;               ///< while active
  bool known_ = false;                     ///< there is a state
  std::size_t batch_ = 0;                  ///< elements that are being published
  std::vector<std::string> impossible_{};  ///< of those, the places of what can never be
  std::chrono::steady_clock::time_point waits_since_{};
};

}  // namespace peal::monitor
