#include "http/conditional.hpp"

#include "http/text.hpp"

namespace peal::gateway::http {
namespace {

constexpr std::size_t kIdempotencyKeyBytesMax = 255;

Result<std::optional<TagList>> read_list(const Request& request, std::string_view name) {
  std::string text;
  bool there = false;
  for (const auto& [field, value] : request.headers) {
    if (!equal_ignoring_case(field, name)) continue;
    if (there) text += ',';
    there = true;
    text += value;
  }
  if (!there) return std::optional<TagList>();
  auto list = parse_tags(text);
  if (!list) {
    return fail(ErrorCode::request_invalid,
                std::string(name) + R"( is neither * nor a list of entity tags such as "epoch-7")");
  }
  return list;
}

}  // namespace

Result<Conditions> read_conditions(const Request& request) {
  auto match = read_list(request, "If-Match");
  if (!match) return match.error();
  auto none_match = read_list(request, "If-None-Match");
  if (!none_match) return none_match.error();
  return Conditions{std::move(*match), std::move(*none_match)};
}

Result<std::string> read_idempotency_key(const Request& request) {
  const std::string_view key = request.header("Idempotency-Key");
  if (request.count("Idempotency-Key") > 1)
    return fail(ErrorCode::request_invalid, "more than one Idempotency-Key");
  if (key.size() > kIdempotencyKeyBytesMax)
    return fail(ErrorCode::request_invalid, "Idempotency-Key has more than 255 bytes");
  return std::string(key);
}

Verdict judge_read(const Conditions& conditions, const Position& current, std::string_view form) {
  if (conditions.match && !conditions.match->names(current)) return Verdict::failed;
  if (conditions.none_match && conditions.none_match->names(current, form))
    return Verdict::not_modified;
  return Verdict::proceed;
}

bool hold_for_write(const Conditions& conditions, const std::optional<Position>& current) {
  if (conditions.match && !(current && conditions.match->names(*current))) return false;
  return !(conditions.none_match && current && conditions.none_match->names(*current));
}

}  // namespace peal::gateway::http
