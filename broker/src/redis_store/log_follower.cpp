#include "redis_store/log_follower.hpp"

#include <algorithm>

namespace peal::redis_store {

using What = LogFollower::Question::What;

void LogFollower::restart() {
  LogFollower anew;
  anew.questions_ = questions_;
  anew.heads_asked_ = anew.answered_ = anew.settled_ = heads_asked_;
  *this = std::move(anew);
}

void LogFollower::subscribed() {
  subscribed_ = true;
  held_.clear();
  open_.reset();
  wants_page_ = wants_end_ = false;
  wants_head_ = true;
}

void LogFollower::broken() {
  subscribed_ = false;
  held_.clear();
  open_.reset();
  wants_page_ = false;
}

std::optional<LogFollower::Question> LogFollower::ask() {
  if (!subscribed_ || open_) return std::nullopt;
  Question question{.number = ++questions_};
  if (wants_end_ && told_) {
    question.what = What::end;
    question.epoch = told_->epoch;
  } else if (wants_page_ && told_) {
    question.what = What::page;
    question.epoch = told_->epoch;
    question.after = told_->top;
  } else if (!wants_head_) {
    return std::nullopt;
  }
  if (question.what != What::page) {
    wants_head_ = false;
    ++heads_asked_;
    told_when_asked_ = told_ ? told_->top : Offset{};
  }
  open_ = question;
  return question;
}

void LogFollower::failed(std::uint32_t number) {
  if (!open_ || open_->number != number) return;
  open_.reset();
  wants_head_ = true;
}

void LogFollower::hear(std::string_view message, FollowerOut& out) {
  if (!subscribed_) return;
  held_.emplace_back(message);
  if (told_ && !open_ && !wants_head_ && !wants_page_) take_held(out, Moment::live);
}

void LogFollower::answered(std::uint32_t number, const Standing& standing, FollowerOut& out) {
  if (!open_ || open_->number != number) return;
  const Head& head = standing.head;
  const bool same = told_ && told_->epoch == head.epoch;
  open_.reset();
  if (same && head.top < told_when_asked_) {
    wants_end_ = true;
    return;
  }
  wants_end_ = false;
  answered_ = heads_asked_;
  if (!same) stand_in(head, out);
  take_held(out, Moment::head_known);
  if (told_->epoch == head.epoch && told_->top < head.top) wants_page_ = true;
  settle();
}

void LogFollower::answered(std::uint32_t number, const bus::Page& page, FollowerOut& out) {
  if (!open_ || open_->number != number) return;
  open_.reset();
  wants_page_ = false;
  if (page.head.epoch != told_->epoch) {
    stand_in(page.head, out);
  } else if (page.error) {
    stand_at(page.head, out);
  } else {
    for (const PublicationView& publication : page.publications) {
      if (publication.offset <= told_->top) continue;
      told_->top = publication.offset;
      out.on_appended(told_->epoch, publication);
    }
    told_->top = std::max(told_->top, page.to);
    wants_page_ = told_->top < page.head.top;
  }
  if (!wants_page_) take_held(out, Moment::page_known);
  settle();
}

/// Another epoch than was told: what is held from before it is of no use, and if its beginning is
/// among what is held it is all there.
void LogFollower::stand_in(const Head& head, FollowerOut& out) {
  auto begins = held_.end();
  for (auto message = held_.begin(); message != held_.end(); ++message) {
    (void)each_told(*message, [&](const Told& told) {
      if (told.what == Told::What::begun && told.head.epoch == head.epoch) begins = message;
    });
  }
  const bool all_there = begins != held_.end();
  if (all_there) held_.erase(held_.begin(), begins);
  if (!told_) {
    told_ = head;
    out.on_found(head);
  } else if (!all_there) {
    stand_at(head, out);
  }
}

void LogFollower::stand_at(const Head& head, FollowerOut& out) {
  told_ = head;
  out.on_reset(head);
}

void LogFollower::settle() {
  if (!wants_page_ && !wants_end_) settled_ = answered_;
}

/// Stops at the first that can't be told yet: that message is held, with those behind it.
void LogFollower::take_held(FollowerOut& out, Moment moment) {
  while (!held_.empty()) {
    const std::string message = std::move(held_.front());
    held_.pop_front();
    bool stopped = false;
    (void)each_told(message, [&](const Told& told) {
      stopped = stopped || take(told, out, moment) == Heard::held;
    });
    if (!stopped) continue;
    held_.push_front(message);  // what of it was told is known by its offset
    return;
  }
}

LogFollower::Heard LogFollower::take(const Told& told, FollowerOut& out, Moment moment) {
  if (told.what == Told::What::begun) {
    if (told.head.epoch != told_->epoch) stand_at(told.head, out);
    return Heard::taken;
  }
  if (told.what != Told::What::appended) return Heard::taken;
  if (told.epoch != told_->epoch) {
    if (moment != Moment::live) return Heard::taken;  // of a log that is no more
    wants_head_ = true;
    return Heard::held;
  }
  if (told.publication.offset <= told_->top) return Heard::taken;
  if (told.before > told_->top) {
    // Not even the log has what is missing: it is looked at once more, as a whole.
    if (moment == Moment::page_known) wants_head_ = true;
    if (moment == Moment::page_known) return Heard::taken;
    wants_page_ = true;
    return Heard::held;
  }
  told_->top = told.publication.offset;
  out.on_appended(told_->epoch, told.publication);
  return Heard::taken;
}

}  // namespace peal::redis_store
