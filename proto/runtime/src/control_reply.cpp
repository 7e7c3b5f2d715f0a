#include "control_reply.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include "control_message.hpp"

namespace peal::runtime {

ReplyQueue::ReplyQueue() : wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
ReplyQueue::~ReplyQueue() {
  if (wake_ >= 0) close(wake_);
}

void ReplyQueue::push(OutgoingReply reply) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = replies_.empty();
    replies_.push_back(std::move(reply));
  }
  if (first) wake();
}

std::deque<OutgoingReply> ReplyQueue::take() {
  std::deque<OutgoingReply> replies;
  const std::lock_guard lock(mutex_);
  replies.swap(replies_);
  return replies;
}

void ReplyQueue::wake() const {
  eventfd_write(wake_, 1);
}

void ReplyQueue::rest() const {
  eventfd_t ignored = 0;
  eventfd_read(wake_, &ignored);
}

ControlReply::Impl::Impl(std::shared_ptr<ReplyQueue> to, std::string whom, bool with_delimiter,
                         std::string command_id)
    : queue_(std::move(to)),
      client_(std::move(whom)),
      delimiter_(with_delimiter),
      id_(std::move(command_id)) {
  queue_->outstanding.fetch_add(1);
}

ControlReply::Impl::~Impl() {
  if (!answered_.load()) error(fail(ErrorCode::internal_error, "the command was left unanswered"));
}

void ControlReply::Impl::result(std::string_view json) {
  send(control_result(id_, json), {});
}

void ControlReply::Impl::error(const Error& error) {
  send(control_error(id_, error), error.code);
}

void ControlReply::Impl::send(std::string text, std::optional<ErrorCode> code) {
  if (answered_.exchange(true)) return;
  queue_->outstanding.fetch_sub(1);
  queue_->push({client_, delimiter_, std::move(text), code});
}

void ControlReply::result(std::string_view json) const {
  impl_->result(json);
}
void ControlReply::error(const Error& error) const {
  impl_->error(error);
}

}  // namespace peal::runtime
