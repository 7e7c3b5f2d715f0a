#include "http/file_face.hpp"

#include <algorithm>
#include <utility>

#include "http/conditional.hpp"
#include "http/value.hpp"
#include "session/shard.hpp"

namespace peal::gateway::http {
namespace {

/// Of a file at a time for each reader: on the bus, then in its outbox.
constexpr std::size_t kPieceBytes = 32 * 1024;

constexpr Methods kMethods{"GET, HEAD, PUT",
                           "Authorization, Content-Type, Content-Range, Idempotency-Key, If-Match, "
                           "If-None-Match, If-Range, Range"};

/// Whether Range counts (RFC 9110, 13.1.5): If-Range is absent, or exactly the tag.
bool range_counts(std::string_view if_range, const Position& current) {
  if (if_range.empty()) return true;
  const auto tag = parse_tag(if_range);
  return tag && !tag->weak && tag->suffix.empty() && tag->position == current;
}

}  // namespace

/// What a GET or HEAD asked, while the file is looked up.
struct FileFace::Question {
  Call call;
  std::string channel;
  std::string range;
  std::string if_range;
  Conditions conditions;
  std::string cache_control;
};

void FileFace::serve(const Request& request, std::string_view channel, Call call) {
  if (desk_.turned_away(request, call, kMethods)) return;
  const ChannelRule* rule = call.exchange.shard().config().rules->find(channel);
  if (rule != nullptr && !rule->file) {
    return desk_.refuse(call, fail(ErrorCode::not_a_file, "the channel rule \"" + rule->pattern +
                                                              "\" does not say file = true"));
  }
  if (request.method == "PUT") return changes_.put(request, channel, std::move(call));
  read(request, channel, std::move(call));
}

void FileFace::read(const Request& request, std::string_view channel, Call call) {
  auto conditions = read_conditions(request);
  if (!conditions) return desk_.refuse(call, conditions.error());
  const ChannelRule* rule = call.exchange.shard().config().rules->find(channel);
  // Ranges are GET's (RFC 9110, 14.2).
  const bool get = request.method == "GET";
  auto question = std::make_shared<Question>(Question{
      std::move(call), std::string(channel), std::string(get ? request.header("Range") : ""),
      std::string(request.header("If-Range")), std::move(*conditions), cache_control(rule)});
  Engine& engine = question->call.exchange.engine();
  engine.read(question->call.principal, read_file_state(question->channel),
              [this, question](const bus::Page& page) {
                if (page.error) return desk_.refuse(question->call, *page.error);
                answer(*question, file_state(page));
              });
}

void FileFace::answer(Question& question, const FileState& file) {
  Call& call = question.call;
  if (!file.exists()) return desk_.refuse(call, fail(ErrorCode::not_found, "no such file"));
  const Verdict verdict = judge_read(question.conditions, file.position, "");
  if (verdict == Verdict::failed) {
    desk_.probe().refused(ErrorCode::expectation_failed);
    return desk_.answer(
        call, problem(fail(ErrorCode::expectation_failed, "If-Match does not name what is there"),
                      file.position));
  }
  Response response;
  response.headers = {{"ETag", tag_of(file.position)},
                      {"Cache-Control", question.cache_control},
                      {"Vary", "Origin"}};
  if (verdict == Verdict::not_modified) {
    response.status = 304;
    return desk_.answer(call, std::move(response));
  }
  RangeAnswer wanted{RangeAnswer::Kind::whole, {0, file.size()}};
  if (range_counts(question.if_range, file.position))
    wanted = resolve_range(question.range, file.size());
  if (wanted.kind == RangeAnswer::Kind::unsatisfiable) {
    desk_.probe().refused(ErrorCode::range_invalid);
    response = problem(fail(ErrorCode::range_invalid, "the file has fewer bytes"), file.position);
    response.headers.emplace_back("Content-Range", content_range(file.size()));
    return desk_.answer(call, std::move(response));
  }
  if (wanted.kind == RangeAnswer::Kind::part) {
    response.status = 206;
    response.headers.emplace_back("Content-Range", content_range(wanted.range, file.size()));
  }
  response.headers.insert(response.headers.end(), {{"Content-Type", "application/octet-stream"},
                                                   {"Accept-Ranges", "bytes"},
                                                   {"X-Content-Type-Options", "nosniff"},
                                                   {"Content-Security-Policy", "sandbox"}});
  response.body_bytes = wanted.range.size();
  const Limits& limits = desk_.limits();
  const std::size_t piece =
      std::min({kPieceBytes, limits.page_bytes_max, limits.queue_bytes_max / 2 + 1});
  auto body = std::make_unique<FileBody>(call.exchange.engine(), question.channel, file,
                                         wanted.range, piece);
  desk_.answer(call, std::move(response), std::move(body));
}

}  // namespace peal::gateway::http
