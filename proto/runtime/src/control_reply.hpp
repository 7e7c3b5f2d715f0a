#pragma once
// Where replies wait for the control thread. A ControlReply may be answered by any thread, and
// after the server has gone: then nobody waits for it.

#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "peal/runtime/control.hpp"

namespace peal::runtime {

struct OutgoingReply {
  std::string client;      ///< the ROUTER's id of it
  bool delimiter = false;  ///< a REQ waits: an empty frame goes first
  std::string text;
  std::optional<ErrorCode> error;
};

class ReplyQueue {
 public:
  std::atomic<std::size_t> outstanding{0};  ///< commands without an answer yet; any thread

  ReplyQueue();
  ~ReplyQueue();
  ReplyQueue(const ReplyQueue&) = delete;
  ReplyQueue& operator=(const ReplyQueue&) = delete;

  void push(OutgoingReply reply);           ///< any thread
  std::deque<OutgoingReply> take();         ///< the control thread
  void wake() const;                        ///< any thread
  int descriptor() const { return wake_; }  ///< readable when there may be replies
  void rest() const;                        ///< the control thread: makes it unreadable again

 private:
  std::mutex mutex_;
  std::deque<OutgoingReply> replies_;  // guarded by mutex_
  int wake_ = -1;
};

/// The one answer that a command gets.
struct ControlReply::Impl {
  Impl(std::shared_ptr<ReplyQueue> to, std::string whom, bool with_delimiter,
       std::string command_id);
  ~Impl();  ///< unanswered: says internal_error
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void result(std::string_view json);
  void error(const Error& error);

 private:
  void send(std::string text, std::optional<ErrorCode> code);

  std::shared_ptr<ReplyQueue> queue_;
  std::string client_;
  bool delimiter_;
  std::string id_;  ///< raw JSON; empty: none
  std::atomic<bool> answered_{false};
};

}  // namespace peal::runtime
