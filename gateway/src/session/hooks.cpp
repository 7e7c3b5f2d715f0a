#include "session/hooks.hpp"

#include <atomic>
#include <utility>

#include "session/mailbox.hpp"

namespace peal::gateway {

void SessionRef::close(CloseCode code, std::string reason) const {
  if (!mailbox_) return;
  Mailbox* mailbox = mailbox_.get();  // the task runs inside it
  mailbox_->post(
      [mailbox, code, reason = std::move(reason), index = index_, generation = generation_] {
        mailbox->closer()->close_session(index, generation, code, reason);
      });
}

struct HookCompletion::State {
  explicit State(Answer answer) : answer_(std::move(answer)) {}
  ~State() { give(fail(ErrorCode::hook_failed, "the hook gave no answer")); }
  void give(Result<std::shared_ptr<const Principal>> result) {
    if (given_.exchange(true)) return;
    answer_(std::move(result));
  }

 private:
  std::atomic<bool> given_{false};
  Answer answer_;
};

HookCompletion::HookCompletion(Answer answer)
    : state_(std::make_shared<State>(std::move(answer))) {}
void HookCompletion::allow(std::shared_ptr<const Principal> principal) const {
  state_->give(std::move(principal));
}
void HookCompletion::deny(Error error) const {
  state_->give(std::move(error));
}

}  // namespace peal::gateway
