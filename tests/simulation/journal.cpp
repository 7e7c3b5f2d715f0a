#include "journal.hpp"

#include <initializer_list>

namespace peal::simulation {
namespace {

/// As the checker's journals write epochs.
std::uint64_t epoch_number(std::string_view epoch) {
  std::uint64_t number = 0;
  for (const char c : epoch)
    number = number << 8 | static_cast<unsigned char>(c);
  return number;
}

void add(std::string& to, char what, std::initializer_list<std::uint64_t> numbers,
         std::string_view word = {}) {
  to += what;
  for (const std::uint64_t number : numbers)
    (to += ' ') += std::to_string(number);
  if (!word.empty()) (to += ' ') += word;
}

}  // namespace

void Journal::follows(std::uint64_t client, std::uint64_t channel, std::string_view epoch,
                      std::uint64_t offset, bool told) {
  if (told) {
    ++told_;
    ++told_by_channel_[channel];
  }
  last_begun_[{client, channel}] = {world_.now(), std::string(epoch)};
  add(heard_, 'B', {client, channel, now(), epoch_number(epoch), offset}, told ? "told" : "first");
  heard_ += '\n';
  world_.tell("client", client, told ? "is told" : "follows", channel, epoch, offset);
}

void Journal::heard(std::uint64_t client, std::uint64_t channel, std::uint64_t publisher,
                    std::uint64_t number, std::uint64_t offset) {
  ++deliveries_;
  add(heard_, 'D', {client, channel, publisher, number, now(), offset});
  heard_ += '\n';
  world_.tell("client", client, "hears", channel, offset, publisher, number);
}

void Journal::stayed(std::uint64_t client, std::uint64_t channel) {
  add(heard_, 'E', {client, channel, now()});
  heard_ += '\n';
}

void Journal::attempted(const Attempt& attempt) {
  using Outcome = Attempt::Outcome;
  attempts_.push_back(attempt);
  std::string_view word = "unknown";
  if (attempt.outcome == Outcome::ok) word = "ok";
  // What was a duplicate was surely not appended by this attempt.
  if (attempt.outcome == Outcome::refused || attempt.outcome == Outcome::duplicate)
    word = "refused";
  add(published_, 'P', {attempt.publisher, attempt.channel, attempt.number, attempt.sent}, word);
  (published_ += ' ') += std::to_string(attempt.done);
  if (attempt.outcome == Outcome::ok) {
    (published_ += ' ') += std::to_string(attempt.offset);
    (published_ += ' ') += std::to_string(epoch_number(attempt.epoch));
  }
  published_ += '\n';
  world_.tell("publisher", attempt.publisher, "attempt", attempt.channel, attempt.number, word,
              attempt.epoch, attempt.offset);
}

}  // namespace peal::simulation
