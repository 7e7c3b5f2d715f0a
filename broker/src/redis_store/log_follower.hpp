#pragma once
// What a watched log's owner knows of it from two sides that have no common order: what Redis
// publishes (a hint), and what it answers when asked where the log stands (the truth). Pure. All
// that is told on is in offset order, without a hole and once; or the log is told anew by a reset.
//   silent -> (subscribed) -> asking -> following <-> asking, reading what is missing
//   broken() from anywhere: silent; what was told stays, and is compared when it is asked again
// While something is asked, what is heard is held. The answer includes all that was published
// before the question, so a log that stands lower than it had been told was put back: its epoch
// can't be vouched for and is ended.

#include <cstdint>
#include <list>
#include <optional>
#include <string>

#include "redis_store/log_script.hpp"

namespace peal::redis_store {

class FollowerOut {
 public:
  virtual ~FollowerOut() = default;
  /// Where it stands, for whoever waits for the first answer.
  virtual void on_found(const Head& head) = 0;
  virtual void on_reset(const Head& head) = 0;
  virtual void on_appended(const Epoch& epoch, const PublicationView& publication) = 0;
};

class LogFollower {
 public:
  struct Question {
    enum class What : std::uint8_t { head, end, page } what = What::head;
    std::uint32_t number = 0;  ///< the answer's
    Epoch epoch{};             ///< end, page
    Offset after{};            ///< page
  };

  /// As new, but for the numbers: no answer to an earlier question is taken.
  void restart();
  void subscribed();
  void broken();
  /// Its answer will settle whatever was known before this call.
  void want_head() { wants_head_ = true; }
  /// What is to be asked now, if anything; at most one question is open.
  std::optional<Question> ask();

  /// A message of the log's channel.
  void hear(std::string_view message, FollowerOut& out);
  void answered(std::uint32_t number, const Standing& standing, FollowerOut& out);
  void answered(std::uint32_t number, const bus::Page& page, FollowerOut& out);
  /// There was no answer: it is to be asked again.
  void failed(std::uint32_t number);

  /// Everything up to `told()` has been told, and nothing is open.
  bool following() const { return subscribed_ && told_ && !open_ && !wants_head_ && !wants_page_; }
  bool is_subscribed() const { return subscribed_; }
  const std::optional<Head>& told() const { return told_; }
  /// Whether that position has been told.
  bool covers(const Epoch& epoch, Offset offset) const {
    return told_ && told_->epoch == epoch && offset <= told_->top;
  }
  /// Of head questions: asked so far, and the last whose answer everything was settled by.
  std::uint32_t heads_asked() const { return heads_asked_; }
  std::uint32_t settled() const { return settled_; }

 private:
  enum class Heard : std::uint8_t { taken, held };
  enum class Moment : std::uint8_t { live, head_known, page_known };
  void take_held(FollowerOut& out, Moment moment);
  Heard take(const Told& told, FollowerOut& out, Moment moment);
  void stand_in(const Head& head, FollowerOut& out);
  void stand_at(const Head& head, FollowerOut& out);
  void settle();

  bool subscribed_ = false;
  std::optional<Head> told_;  ///< its top: what was told up to
  std::optional<Question> open_;
  bool wants_head_ = false;
  bool wants_page_ = false;
  bool wants_end_ = false;
  Offset told_when_asked_{};  ///< of the open head question
  std::uint32_t questions_ = 0;
  std::uint32_t heads_asked_ = 0, answered_ = 0, settled_ = 0;
  std::list<std::string> held_;  ///< costs nothing while it is empty
};

}  // namespace peal::redis_store
