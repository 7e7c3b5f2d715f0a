#include "http/history_wait.hpp"

#include <utility>

#include "http/history_face.hpp"
#include "session/shard.hpp"

namespace peal::gateway::http {

HistoryWait::HistoryWait(Desk& desk, JsonProtocol& protocol, Call call, std::string channel,
                         const bus::ReadRequest& request)
    : desk_(desk),
      protocol_(protocol),
      call_(std::move(call)),
      channel_(std::move(channel)),
      request_(request) {
  request_.channel = channel_;
}

void HistoryWait::open(std::chrono::milliseconds wait) {
  call_.exchange.wait(shared_from_this(), wait);
  const FollowId follow = call_.exchange.engine().follow(call_.principal, channel_, *this);
  follow_ = follow;
  if (done_) let_go();
}

void HistoryWait::on_position(const std::optional<Position>& now) {
  const bool waits =
      now && (!request_.epoch || *request_.epoch == now->epoch) && now->offset == request_.after;
  if (!waits) read();
}

void HistoryWait::on_refused(const Error& error) {
  follow_ = 0;
  if (std::exchange(done_, true)) return;
  const auto self = shared_from_this();  // the answer releases it
  desk_.refuse(call_, error);
}

void HistoryWait::on_gone() {
  done_ = true;
  let_go();
}

void HistoryWait::read() {
  if (std::exchange(done_, true)) return;
  let_go();
  call_.exchange.engine().read_trusted(
      request_, [self = shared_from_this()](const bus::Page& page) {
        if (page.error) self->desk_.probe().refused(page.error->code);
        Response response = history_response(self->protocol_, page, self->cache_control(page));
        self->desk_.answer(self->call_, std::move(response));
      });
}

void HistoryWait::let_go() {
  if (follow_ != 0) call_.exchange.engine().unfollow(std::exchange(follow_, 0));
}

// A page that a log has once had stays true; that there is none may end at any moment.
std::string HistoryWait::cache_control(const bus::Page& page) const {
  const ChannelRule* rule = call_.exchange.shard().config().rules->find(channel_);
  if (page.error || rule == nullptr || !rule->public_cache) return "private, no-store";
  return page.publications.empty() ? "public, max-age=1" : "public, max-age=60";
}

}  // namespace peal::gateway::http
