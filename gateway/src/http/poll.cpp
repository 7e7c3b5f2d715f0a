#include "http/poll.hpp"

#include <utility>

#include "session/shard.hpp"

namespace peal::gateway::http {

using Kind = StreamCursor::Place::Kind;

Poll::Poll(Desk& desk, JsonProtocol& protocol, Call call, StreamRequest request)
    : desk_(desk),
      protocol_(protocol),
      call_(std::move(call)),
      request_(std::move(request)),
      cursor_(request_.order.channels.size()),
      legs_(request_.order.channels.size()),
      unheard_(static_cast<std::uint32_t>(legs_.size())) {
  for (std::size_t i = 0; i < legs_.size(); ++i) {
    legs_[i].poll = this;
    legs_[i].place = static_cast<std::uint32_t>(i);
    if (request_.order.channels[i].since) cursor_.move(i, *request_.order.channels[i].since);
    if (request_.order.channels[i].ephemeral) cursor_.set_ephemeral(i);
  }
}

Poll::~Poll() = default;

void Poll::open() {
  call_.exchange.wait(shared_from_this(), *request_.wait);
  Engine& engine = call_.exchange.engine();
  for (Leg& leg : legs_) {
    const FollowId follow = engine.follow(call_.principal, channel(leg).name, leg);
    leg.follow = follow;
  }
  opening_ = false;
  settle();
}

void Poll::Leg::on_position(const std::optional<Position>& now) {
  if (!told) {
    poll->first_heard(*this, now);
  } else if (now) {
    poll->moved(*this, *now);
  }
  poll->settle();
}

void Poll::Leg::on_publication(const PublicationView& publication) {
  if (poll->events_.size() < poll->desk_.limits().queue_bytes_max)
    poll->add(MessagePush{poll->channel(*this).name, &publication});
  poll->settle();
}

void Poll::Leg::on_refused(const Error& error) {
  follow = 0;
  if (!std::exchange(told, true)) --poll->unheard_;
  if (error.temporary())
    poll->failure_ = error;
  else
    poll->add(UnsubscribedPush{poll->channel(*this).name, &error});
  poll->settle();
}

// What the client did not know yet is told at once; where it knew a position it is waited for.
void Poll::first_heard(Leg& leg, const std::optional<Position>& now) {
  leg.told = true;
  --unheard_;
  const StreamOrder::Channel& asked = channel(leg);
  const Kind known = cursor_[leg.place].kind;
  if (!now) {
    if (known == Kind::ephemeral) return;
    cursor_.set_ephemeral(leg.place);
    const SubscribeResult result{.channel = asked.name};
    return add(SubscribedPush{&result});
  }
  if (known != Kind::unknown) return moved(leg, *now);
  cursor_.move(leg.place, *now);
  if (asked.since_word != Command::SinceWord::none) return read(leg);
  const SubscribeResult result{.channel = asked.name, .position = now};
  add(SubscribedPush{&result});
}

void Poll::moved(Leg& leg, const Position& now) {
  const StreamCursor::Place& place = cursor_[leg.place];
  if (place.kind == Kind::at) {
    if (place.position != now) read(leg);
    return;
  }
  cursor_.move(leg.place, now);  // it keeps a log now
  add(ResetPush{channel(leg).name, now});
}

// One page a channel: what is behind it is the next answer's.
void Poll::read(Leg& leg) {
  if (leg.reading || leg.given) return;
  const StreamOrder::Channel& asked = channel(leg);
  bus::ReadRequest request;
  request.channel = asked.name;
  request.limit = desk_.limits().page_length_max;
  request.bytes = desk_.limits().page_bytes_max;
  if (asked.since_word == Command::SinceWord::none) {
    request.epoch = cursor_[leg.place].position.epoch;
    request.after = cursor_[leg.place].position.offset;
  } else if (asked.since_word == Command::SinceWord::state) {
    request.mode = bus::ReadRequest::Mode::state;
  }
  leg.reading = true;
  ++reading_;
  call_.exchange.engine().read_trusted(request,
                                       [self = shared_from_this(), &leg](const bus::Page& page) {
                                         leg.reading = false;
                                         --self->reading_;
                                         if (self->done_) return;
                                         self->take(leg, page);
                                         self->settle();
                                       });
}

void Poll::take(Leg& leg, const bus::Page& page) {
  const StreamOrder::Channel& asked = channel(leg);
  const bool anew = asked.since_word != Command::SinceWord::none;
  const Position since = cursor_[leg.place].position;
  if (page.error && page.error->code != ErrorCode::position_lost) {
    failure_ = page.error;
    return;
  }
  if (page.error || (!anew && !page.head.covers(since))) {
    leg.given = true;
    cursor_.move(leg.place, page.head.position());
    return add(ResetPush{asked.name, page.head.position()});
  }
  // What is too much now is the next answer's.
  if (events_.size() >= desk_.limits().queue_bytes_max) return;
  const Position reached{page.head.epoch, page.to};
  cursor_.move(leg.place, reached);
  if (anew) {
    leg.given = true;
    const SubscribeResult result{
        .channel = asked.name, .position = reached, .publications = page.publications};
    return add(SubscribedPush{&result});
  }
  Offset before = since.offset;
  for (const PublicationView& publication : page.publications) {
    leg.given = true;
    MessagePush push{asked.name, &publication};
    if (publication.offset > before.next()) push.after = Offset{publication.offset.value - 1};
    before = publication.offset;
    add(push);
  }
  if (!leg.given && page.to < page.head.top) read(leg);
}

void Poll::add(const Push& push) {
  if (!events_.empty()) events_ += ',';
  protocol_.encode_push(events_, push);
}

void Poll::on_due() {
  over_ = true;
  settle();
}

void Poll::on_gone() {
  done_ = true;
  let_go();
}

// Not from here: who calls may be telling others of the same turn, and what they bring comes along.
void Poll::settle() {
  if (opening_ || settling_ || done_ || !due()) return;
  settling_ = call_.exchange.shard().post([self = shared_from_this()] {
    self->settling_ = false;
    if (!self->done_ && self->due()) self->answer();
  });
}

bool Poll::due() const {
  if (reading_ > 0) return false;
  return over_ || failure_ || (!events_.empty() && unheard_ == 0);
}

void Poll::answer() {
  done_ = true;
  let_go();
  if (failure_ && events_.empty()) return desk_.refuse(call_, *failure_);
  std::string body = R"({"events":[)" + events_ + R"(],"cursor":")";
  cursor_.append_to(body);
  body += R"("})";
  desk_.answer(call_, json_response(std::move(body)));
}

void Poll::let_go() {
  for (Leg& leg : legs_) {
    if (leg.follow != 0) call_.exchange.engine().unfollow(std::exchange(leg.follow, 0));
  }
}

}  // namespace peal::gateway::http
