#include "redis_store/redis_queries.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <charconv>
#include <random>
#include <set>

#include "peal/proto/bus_wire.hpp"
#include "redis_store/presence_script.hpp"

namespace peal::redis_store {
namespace {

using bus::ClusterAnswer;
using bus::ClusterQuery;

constexpr std::chrono::milliseconds kRegisterEach{1000};
constexpr std::size_t kIncarnationSize = 16;
/// KEYS: 1 the list. ARGV: 1 operation, 2 an entry ("incarnation name"), or PUBLISH or SPUBLISH,
/// 3 where, 4 what. A registration lasts five seconds and is remembered for a minute.
constexpr std::string_view kScript = R"lua(
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if ARGV[1] == 'here' then
  redis.call('ZADD', KEYS[1], string.format('%.0f', now + 5000), ARGV[2])
  redis.call('PEXPIRE', KEYS[1], 65000)
elseif ARGV[1] == 'gone' then
  redis.call('ZREM', KEYS[1], ARGV[2])
elseif ARGV[1] == 'ask' then
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - 60000))
  local list = {}
  local all = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
  for i = 1, #all, 2 do
    list[i] = all[i]
    list[i + 1] = string.format('%.0f', math.max(0, now - tonumber(all[i + 1])))
  end
  redis.call(ARGV[2], ARGV[3], ARGV[4])
  return list
end
return {}
)lua";

Error unavailable(std::string why) {
  return fail(ErrorCode::storage_unavailable, std::move(why));
}

std::string random_name() {
  std::random_device device;
  return name_of_number((std::uint64_t{device()} << 32U) | device());
}

/// "incarnation number size\nheader body".
std::string encoded(const std::string& from, std::uint64_t id, wire::Writer& writer) {
  const wire::Message message = writer.close({});
  return from + std::to_string(id) + ' ' + std::to_string(message.header.size()) + '\n' +
         message.header + message.body;
}

class Parts final {
 public:
  explicit Parts(std::string_view text) {
    const auto end = text.find('\n'), space = text.find(' ');
    if (end == std::string_view::npos || space >= end || space < kIncarnationSize) return;
    std::uint64_t size = 0;
    const bool numbers = read(text.substr(kIncarnationSize, space - kIncarnationSize), id) &&
                         read(text.substr(space + 1, end - space - 1), size);
    if (!numbers || size > text.size() - end - 1) return;
    from = text.substr(0, kIncarnationSize);
    header = text.substr(end + 1, size);
    body = text.substr(end + 1 + size);
  }
  std::string_view from{}, header{}, body{};  ///< `from` empty: it can't be read
  std::uint64_t id = 0;

 private:
  static bool read(std::string_view text, std::uint64_t& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size();
  }
};

/// What one message has of these; everything else isn't heard.
class Found final : public wire::OperationSink {
 public:
  Found(wire::Direction direction, const Parts& parts) {
    wire::Reader reader(direction);
    if (!parts.from.empty() && reader.read(parts.header, parts.body)) reader.walk(*this);
  }
  std::optional<ClusterQuery> query;
  std::optional<ClusterAnswer> answer;

 private:
  void on_cluster_query(bus::RequestId, const ClusterQuery& found) override { query = found; }
  void on_cluster_answer(bus::RequestId, const ClusterAnswer& found) override { answer = found; }
};

}  // namespace

RedisQueries::RedisQueries(boost::asio::io_context& context, redis::Client& client,
                           std::string prefix, std::string name, const Limits& limits)
    : context_(context),
      client_(client),
      list_(prefix + "gateways"),
      asked_on_(prefix + "ask"),
      answered_on_(prefix + "to:" + random_name()),
      incarnation_(answered_on_.substr(answered_on_.size() - kIncarnationSize)),
      name_(std::move(name)),
      prefix_(std::move(prefix)),
      limits_(limits),
      timer_(context) {}

void RedisQueries::post(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  if (!closed_) boost::asio::post(context_, std::move(task));
}

void RedisQueries::start() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = false;
  }
  post([self = shared_from_this()] { self->client_.subscribe(self->answered_on_); });
}

void RedisQueries::stop() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  if (hears_questions_)
    client_.command(script("gone", incarnation_ + ' ' + name_), [](const redis::Answer&) {});
  hears_questions_ = hears_answers_ = false;
  timer_.cancel();
  for (auto& [id, open] : std::exchange(open_, {}))
    open.done(bus::failed_answer(unavailable("the bus was stopped meanwhile")));
  for (const Held& held : std::exchange(held_, {}))
    held.done(bus::failed_answer(unavailable("the bus was stopped meanwhile")));
}

void RedisQueries::answer_with(bus::ClusterHandler handler) {
  {
    const std::lock_guard lock(mutex_);
    handler_ = std::move(handler);
  }
  post([self = shared_from_this()] { self->client_.subscribe(self->asked_on_); });
}

void RedisQueries::ask(const ClusterQuery& query, bus::ClusterDone done) {
  {
    const std::lock_guard lock(mutex_);
    if (!closed_) {
      boost::asio::post(context_, [self = shared_from_this(), query, done = std::move(done)] {
        self->send(query, done);
      });
      return;
    }
  }
  done(bus::failed_answer(unavailable("the bus was stopped")));
}

redis::Command RedisQueries::script(std::string_view operation, std::string argument) const {
  return {.args = {"EVAL", std::string(kScript), "1", list_, std::string(operation),
                   std::move(argument)},
          .key = list_};
}

void RedisQueries::send(const ClusterQuery& query, bus::ClusterDone done) {
  if (open_.size() + held_.size() >= limits_.queries_max) {
    return done(bus::failed_answer(
        fail(ErrorCode::overloaded, "more questions than limits.queries_max (" +
                                        std::to_string(limits_.queries_max) + ") are under way")));
  }
  if (!hears_answers_) return hold(query, std::move(done));
  const std::uint64_t id = next_++;
  open_.emplace(id, Open{query.within, Clock::now() + query.within, std::move(done),
                         broker::ClusterAnswers(query.limit, limits_.query_bytes_max)});
  wire::Writer writer;
  writer.cluster_query(id, query);
  redis::Command command = script("ask", std::string(client_.publish_verb()));
  command.args.push_back(asked_on_);
  command.args.push_back(encoded(incarnation_, id, writer));
  client_.command(std::move(command), [weak = weak_from_this(), id](const redis::Answer& answer) {
    if (const auto self = weak.lock()) self->on_list(id, answer);
  });
}

void RedisQueries::hold(const ClusterQuery& query, bus::ClusterDone done) {
  if (std::string trouble = client_.trouble(); !trouble.empty())
    return done(bus::failed_answer(unavailable(std::move(trouble))));
  held_.push_back({query, Clock::now() + query.within, std::move(done)});
  wait_for_deadline();
}

void RedisQueries::send_held() {
  const auto now = Clock::now();
  for (Held& held : std::exchange(held_, {})) {
    held.query.within =
        std::max(std::chrono::milliseconds(0),
                 std::chrono::duration_cast<std::chrono::milliseconds>(held.deadline - now));
    send(held.query, std::move(held.done));
  }
}

/// Those whose time is over; when the next one's is.
RedisQueries::Clock::time_point RedisQueries::end_held(Clock::time_point now) {
  auto next = Clock::time_point::max();
  const auto over =
      std::ranges::stable_partition(held_, [&](const Held& held) { return held.deadline > now; });
  const std::vector<Held> late(std::make_move_iterator(over.begin()),
                               std::make_move_iterator(over.end()));
  held_.erase(over.begin(), over.end());
  for (const Held& held : held_)
    next = std::min(next, held.deadline);
  for (const Held& held : late)
    held.done(bus::failed_answer(unavailable("Redis is not listened to yet")));
  return next;
}

void RedisQueries::on_list(std::uint64_t id, const redis::Answer& answer) {
  const auto found = open_.find(id);
  if (found == open_.end()) return;
  Open& open = found->second;
  if (!answer.ok() || !answer.reply.is_array()) {
    const bus::ClusterDone done = std::move(open.done);
    open_.erase(found);
    return done(bus::failed_answer(unavailable(answer.error)));
  }
  read_list(open, answer.reply);
  for (auto& [from, early] : std::exchange(open.early, {})) {
    const auto waiting = open.waiting.extract(from);
    if (waiting) open.answers.add(waiting.mapped(), early);
  }
  if (open.waiting.empty()) finish(found);
  wait_for_deadline();
}

void RedisQueries::read_list(Open& open, const redis::Reply& list) {
  struct Gone {
    std::string name;
    std::string milliseconds;
  };
  std::vector<Gone> gone;
  std::set<std::string> here;
  open.listed = true;
  for (std::size_t i = 0; i + 1 < list.elements.size(); i += 2) {
    const std::string& entry = list.elements[i].text;
    const std::string& since = list.elements[i + 1].text;
    if (entry.size() <= kIncarnationSize) continue;
    std::string name = entry.substr(kIncarnationSize + 1);
    if (since != "0") {
      gone.push_back({std::move(name), since});
      continue;
    }
    here.insert(name);
    open.answers.asked(1);
    open.waiting.emplace(entry.substr(0, kIncarnationSize), std::move(name));
  }
  for (Gone& one : gone) {
    if (here.contains(one.name)) continue;  // it has begun anew
    open.answers.asked(1);
    open.answers.miss(std::move(one.name), "is not there any more");
  }
}

RedisQueries::Opened::iterator RedisQueries::finish(Opened::iterator at) {
  Open done = std::move(at->second);
  const auto next = open_.erase(at);
  for (auto& [incarnation, name] : done.waiting)
    done.answers.late(std::move(name), done.within);
  done.done(done.answers.take());
  return next;
}

void RedisQueries::wait_for_deadline() {
  const auto now = Clock::now();
  auto next = end_held(now);
  for (auto at = open_.begin(); at != open_.end();) {
    if (at->second.listed && at->second.deadline <= now) {
      at = finish(at);
      continue;
    }
    if (at->second.listed) next = std::min(next, at->second.deadline);
    ++at;
  }
  if (next == Clock::time_point::max()) return;
  timer_.expires_at(next);
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (self && !error) self->wait_for_deadline();
  });
}

void RedisQueries::on_query(std::string_view asker, std::uint64_t id, const ClusterQuery& query) {
  bus::ClusterHandler handler;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    handler = handler_;
  }
  handler(query,
          [self = shared_from_this(), to = std::string(asker), id](const ClusterAnswer& answer) {
            self->post([self, to, id, answer] { self->give(to, id, answer); });
          });
}

void RedisQueries::give(const std::string& asker, std::uint64_t id, const ClusterAnswer& answer) {
  wire::Writer writer;
  writer.cluster_answer(id, answer);
  client_.command({.args = {std::string(client_.publish_verb()), prefix_ + "to:" + asker,
                            encoded(incarnation_, id, writer)},
                   .key = list_},
                  [](const redis::Answer&) {});
}

void RedisQueries::on_answer(const std::string& from, std::uint64_t id,
                             const ClusterAnswer& answer) {
  const auto found = open_.find(id);
  if (found == open_.end()) return;
  Open& open = found->second;
  if (!open.listed) {
    open.early.emplace(from, answer);
    return;
  }
  const auto waiting = open.waiting.extract(from);
  if (!waiting) return;
  open.answers.add(waiting.mapped(), answer);
  if (open.waiting.empty()) finish(found);
}

void RedisQueries::on_subscribed(std::string_view channel) {
  if (channel == answered_on_) {
    hears_answers_ = true;
    send_held();
  }
  if (channel != asked_on_) return;
  hears_questions_ = true;
  register_here();
}

/// Who asked is told at its deadline.
void RedisQueries::on_broken(std::string_view channel) {
  if (channel == answered_on_) hears_answers_ = false;
  if (channel == asked_on_) hears_questions_ = false;
}

void RedisQueries::on_message(std::string_view channel, std::string_view message) {
  const bool question = channel == asked_on_;
  if (!question && channel != answered_on_) return;
  const Parts parts(message);
  const Found found(question ? wire::Direction::to_broker : wire::Direction::to_peer, parts);
  if (question && found.query) on_query(parts.from, parts.id, *found.query);
  if (!question && found.answer) on_answer(std::string(parts.from), parts.id, *found.answer);
}

void RedisQueries::register_here() {
  next_registration_ = Clock::now() + kRegisterEach;
  client_.command(script("here", incarnation_ + ' ' + name_), [](const redis::Answer&) {});
}

void RedisQueries::beat() {
  if (hears_questions_ && Clock::now() >= next_registration_) register_here();
}

}  // namespace peal::redis_store
