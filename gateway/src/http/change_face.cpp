#include "http/change_face.hpp"

#include <algorithm>
#include <utility>

#include "http/conditional.hpp"
#include "http/content.hpp"
#include "http/query.hpp"
#include "http/value.hpp"
#include "session/shard.hpp"

namespace peal::gateway::http {
namespace {

using bus::ExpectValue;

/// A change that meets others is tried again; so many of them in a row are overload.
constexpr int kAttemptsMax = 32;

}  // namespace

/// A change on its way. `expect_value` and `expect` are those of the attempt at hand.
struct ChangeFace::Change {
  explicit Change(Call its_call) : call(std::move(its_call)) {}

  enum class Method : std::uint8_t { post, put, remove } method = Method::post;
  Call call;
  std::string channel;
  Publication publication;
  std::string idempotency_key;
  Conditions conditions;
  int attempts = 0;
  std::optional<Position> expect;
  ExpectValue expect_value = ExpectValue::any;

  /// Whether the core can be asked for just these conditions, without a look before.
  bool one_condition() const {
    return !(conditions.none_match && (conditions.match || !conditions.none_match->any));
  }
};

void ChangeFace::serve(const Request& request, std::string_view channel, Call call) {
  const auto change = std::make_shared<Change>(std::move(call));
  change->channel = channel;
  if (const auto error = read_change(request, *change)) return desk_.refuse(change->call, *error);
  attempt(change);
}

std::optional<Error> ChangeFace::read_change(const Request& request, Change& change) {
  if (request.method == "PUT") change.method = Change::Method::put;
  if (request.method == "DELETE") change.method = Change::Method::remove;
  auto conditions = read_conditions(request);
  if (!conditions) return conditions.error();
  change.conditions = std::move(*conditions);
  const ShardConfig& config = change.call.exchange.shard().config();
  // Before anything is told about what is there.
  if (auto error = config.rules->may_publish(*change.call.principal, change.channel)) return *error;
  const ChannelRule* rule = config.rules->find(change.channel);
  if (change.method != Change::Method::post) {
    if (rule->require_match && change.conditions.none())
      return fail(ErrorCode::match_required,
                  "the channel's rule has require_match: say If-Match, or If-None-Match: *");
    if (request.count("Content-Range") > 0)
      return fail(ErrorCode::request_invalid,
                  "a value is not put in pieces; files are, under /files/");
  }
  PublicationView publication;
  if (change.method == Change::Method::remove) {
    publication.kind = Kind::deletion;
  } else if (auto error = read_content(request, desk_.limits(), reader_, publication)) {
    return *error;
  }
  std::string key;
  if (change.method == Change::Method::post) key = query_value(request.query, "key").value_or("");
  publication.key = key;
  change.publication = copy_of(publication);
  auto idempotency_key = read_idempotency_key(request);
  if (!idempotency_key) return idempotency_key.error();
  change.idempotency_key = std::move(*idempotency_key);
  return std::nullopt;
}

void ChangeFace::attempt(const ChangePtr& change) {
  if (++change->attempts > kAttemptsMax)
    return desk_.refuse(change->call, fail(ErrorCode::overloaded,
                                           "too many others change this value; nothing was done"));
  const Conditions& conditions = change->conditions;
  if (!change->one_condition()) return attempt_on_what_is_there(change);
  if (conditions.none_match) return publish(change, std::nullopt, ExpectValue::absent);
  if (conditions.match && conditions.match->any)
    return publish(change, std::nullopt, ExpectValue::present);
  if (conditions.match) {
    // Strangers' tags match nothing; when it is another of ours, the core's answer says which.
    const auto& tags = conditions.match->tags;
    const auto ours =
        std::ranges::find_if(tags, [](const EntityTag& tag) { return tag.position.has_value(); });
    if (ours == tags.end()) return precondition_failed(change);
    return publish(change, ours->position, ExpectValue::present);
  }
  switch (change->method) {
    case Change::Method::post:
      return publish(change, std::nullopt, ExpectValue::any);
    case Change::Method::remove:
      return publish(change, std::nullopt, ExpectValue::present);
    case Change::Method::put:
      // 201 is said of what was created, and only of that.
      return publish(change, std::nullopt,
                     change->attempts % 2 == 1 ? ExpectValue::absent : ExpectValue::present);
  }
}

void ChangeFace::attempt_on_what_is_there(const ChangePtr& change) {
  Engine& engine = change->call.exchange.engine();
  engine.read(change->call.principal, read_value(change->channel),
              [this, change](const bus::Page& page) {
                if (page.error) return desk_.refuse(change->call, *page.error);
                const auto tag = current_value(page).tag();
                if (!hold_for_write(change->conditions, tag)) return precondition_failed(change);
                publish(change, tag, tag ? ExpectValue::present : ExpectValue::absent);
              });
}

void ChangeFace::publish(const ChangePtr& change, std::optional<Position> expect,
                         ExpectValue value) {
  change->expect = expect;
  change->expect_value = value;
  bus::PublishRequest request;
  request.channel = change->channel;
  request.publication = view_of(change->publication);
  request.expect = expect;
  request.expect_value = value;
  request.idempotency_key = change->idempotency_key;
  Engine& engine = change->call.exchange.engine();
  engine.publish(change->call.principal, request,
                 [this, change](const bus::Published& outcome) { judged(change, outcome); });
}

void ChangeFace::judged(const ChangePtr& change, const bus::Published& outcome) {
  if (!outcome.error) return done(change, outcome);
  if (outcome.error->code != ErrorCode::expectation_failed)
    return desk_.refuse(change->call, *outcome.error);
  const Conditions& conditions = change->conditions;
  if (!change->one_condition()) return attempt(change);
  if (conditions.none() && change->method == Change::Method::put) return attempt(change);
  const bool another_of_the_list = conditions.match && !conditions.match->any && outcome.position &&
                                   outcome.position != change->expect &&
                                   conditions.match->names(*outcome.position);
  if (!another_of_the_list || ++change->attempts > kAttemptsMax) return precondition_failed(change);
  publish(change, outcome.position, ExpectValue::present);
}

void ChangeFace::done(const ChangePtr& change, const bus::Published& outcome) {
  constexpr std::string_view kOpen = R"({"result":)";
  std::string body;
  json_.encode_reply(body, 0, PublishResult{{&outcome, 1}, false});
  Response response = json_response(body.substr(kOpen.size(), body.size() - kOpen.size() - 1));
  if (outcome.position) response.headers.emplace_back("ETag", tag_of(*outcome.position));
  if (change->method == Change::Method::put && change->expect_value == ExpectValue::absent)
    response.status = 201;
  if (change->method == Change::Method::remove) {
    response.status = 204;
    response.body.clear();
    response.headers.erase(response.headers.begin());  // the body's type
  }
  desk_.answer(change->call, std::move(response));
}

void ChangeFace::precondition_failed(const ChangePtr& change) {
  Engine& engine = change->call.exchange.engine();
  const auto answer = [this, change](const bus::Page& page) {
    const CurrentValue value = current_value(page);
    const bool unconditional = change->conditions.none();
    desk_.probe().refused(unconditional ? ErrorCode::not_found : ErrorCode::expectation_failed);
    if (unconditional && page.error) return desk_.answer(change->call, problem(*page.error));
    if (unconditional) return desk_.answer(change->call, absent_problem(value));
    if (page.error || !value.there()) {
      return desk_.answer(
          change->call,
          problem(fail(ErrorCode::expectation_failed,
                       page.error ? "the value is not the expected one" : "there is no value"),
                  value.last == nullptr ? std::nullopt : std::optional(value.position)));
    }
    Response response = value_response(value, "no-store");
    response.status = 412;
    response.headers.emplace_back("Content-Location", change->call.target);
    desk_.answer(change->call, std::move(response));
  };
  engine.read(change->call.principal, read_value(change->channel), answer);
}

}  // namespace peal::gateway::http
