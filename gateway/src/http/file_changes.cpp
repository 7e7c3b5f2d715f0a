#include "http/file_changes.hpp"

#include <utility>

#include "http/conditional.hpp"
#include "session/shard.hpp"

namespace peal::gateway::http {
namespace {

constexpr std::string_view kFileType = "application/octet-stream";
/// A change that meets others is tried again; so many of them in a row are overload.
constexpr int kAttemptsMax = 32;

/// The body without the epoch at its end, which is not stored.
std::string_view payload_of(std::string_view body, const FileState& file) {
  if (file.exists() && body.ends_with(file.position.epoch.view())) body.remove_suffix(Epoch::kSize);
  return body;
}

}  // namespace

bus::ReadRequest read_file_state(std::string_view channel) {
  bus::ReadRequest request;
  request.channel = channel;
  request.mode = bus::ReadRequest::Mode::bytes;
  request.limit = 0;
  request.bytes = 0;
  return request;
}

FileState file_state(const bus::Page& page) {
  return {page.head.position(), page.end_byte};
}

struct FileChanges::Change {
  explicit Change(Call its_call) : call(std::move(its_call)) {}

  Call call;
  std::string channel;
  std::string body;
  std::string idempotency_key;
  Conditions conditions;
  std::optional<ByteRange> range;  ///< none: the whole file
  bool created = false;            ///< by the attempt at hand
  int attempts = 0;
};

void FileChanges::put(const Request& request, std::string_view channel, Call call) {
  const auto change = std::make_shared<Change>(std::move(call));
  change->channel = channel;
  if (const auto error = read_change(request, *change)) return desk_.refuse(change->call, *error);
  attempt(change);
}

std::optional<Error> FileChanges::read_change(const Request& request, Change& change) {
  const ShardConfig& config = change.call.exchange.shard().config();
  // Before anything is told about what is there.
  if (auto error = config.rules->may_publish(*change.call.principal, change.channel)) return error;
  auto conditions = read_conditions(request);
  if (!conditions) return conditions.error();
  change.conditions = std::move(*conditions);
  const std::size_t most = desk_.limits().message_bytes_max;
  if (request.body.size() > most + Epoch::kSize) {
    return fail(ErrorCode::message_too_large, "the body is larger than limits.message_bytes_max (" +
                                                  std::to_string(most) + "): append it in pieces");
  }
  change.body = request.body;
  // An empty one too: who meant to append must not replace the whole.
  if (const std::size_t ranges = request.count("Content-Range"); ranges > 0) {
    if (ranges == 1) change.range = parse_append_range(request.header("Content-Range"));
    if (!change.range)
      return fail(ErrorCode::request_invalid, R"(Content-Range is not "bytes first-last/*")");
    if (change.range->size() != change.body.size()) {
      return fail(ErrorCode::request_invalid,
                  "Content-Range tells of " + std::to_string(change.range->size()) +
                      " bytes, the body has " + std::to_string(change.body.size()));
    }
  } else if (config.rules->find(change.channel)->require_match && change.conditions.none()) {
    return fail(ErrorCode::match_required,
                "the channel's rule has require_match: say If-Match, or If-None-Match: *");
  }
  auto idempotency_key = read_idempotency_key(request);
  if (!idempotency_key) return idempotency_key.error();
  change.idempotency_key = std::move(*idempotency_key);
  return std::nullopt;
}

void FileChanges::attempt(const ChangePtr& change) {
  if (++change->attempts > kAttemptsMax)
    return desk_.refuse(change->call, fail(ErrorCode::overloaded,
                                           "too many others write this file; nothing was done"));
  Engine& engine = change->call.exchange.engine();
  engine.read_trusted(read_file_state(change->channel), [this, change](const bus::Page& page) {
    if (page.error) return desk_.refuse(change->call, *page.error);
    const FileState file = file_state(page);
    if (change->range)
      append(change, file);
    else
      replace(change, file);
  });
}

void FileChanges::append(const ChangePtr& change, const FileState& file) {
  if (!file.exists()) {
    return desk_.refuse(change->call,
                        fail(ErrorCode::not_found, "no such file: create it by a PUT of its own"));
  }
  const std::uint64_t at = change->range->first;
  bus::PublishRequest request;
  request.publication.payload = payload_of(change->body, file);
  request.expect_end = at;
  // What was carried out before is answered as it was then, wherever the end is now.
  const bool maybe_done = change->attempts == 1 && !change->idempotency_key.empty() &&
                          !request.publication.payload.empty();
  if (!maybe_done) {
    if (!hold_for_write(change->conditions, file.position))
      return refuse_at(change, file, ErrorCode::expectation_failed,
                       "If-Match or If-None-Match does not hold");
    if (at < file.payload_bytes)
      return refuse_at(change, file, ErrorCode::expectation_failed,
                       "the file has grown: its end is further on");
    if (at > file.payload_bytes)
      return refuse_at(change, file, ErrorCode::range_invalid, "the file does not reach that far");
    request.expect = file.position;
    if (request.publication.payload.empty()) {
      return desk_.answer(change->call, {204, {{"ETag", tag_of(file.position)}}, {}});
    }
  } else if (hold_for_write(change->conditions, file.position)) {
    request.expect = file.position;
  } else {
    request.expect_value = bus::ExpectValue::absent;  // a condition that can't hold
  }
  publish(change, request);
}

void FileChanges::replace(const ChangePtr& change, const FileState& file) {
  const auto current = file.exists() ? std::optional(file.position) : std::nullopt;
  if (!hold_for_write(change->conditions, current)) {
    return refuse_at(change, file, ErrorCode::expectation_failed,
                     "If-Match or If-None-Match does not hold");
  }
  change->created = !current;
  bus::PublishRequest request;
  request.publication.payload = payload_of(change->body, file);
  request.replace = true;
  request.expect = current;
  if (!current) request.expect_value = bus::ExpectValue::absent;
  publish(change, request);
}

void FileChanges::publish(const ChangePtr& change, bus::PublishRequest& request) {
  if (request.publication.payload.size() > desk_.limits().message_bytes_max) {
    return desk_.refuse(change->call, fail(ErrorCode::message_too_large,
                                           "the body is larger than limits.message_bytes_max: "
                                           "append it in pieces"));
  }
  request.channel = change->channel;
  request.publication.type = kFileType;
  request.idempotency_key = change->idempotency_key;
  Engine& engine = change->call.exchange.engine();
  engine.publish(change->call.principal, request, [this, change](const bus::Published& outcome) {
    if (outcome.error && outcome.error->code == ErrorCode::expectation_failed)
      return attempt(change);
    if (outcome.error) return desk_.refuse(change->call, *outcome.error);
    Response response;
    response.status = change->created ? 201 : 204;
    response.headers = {{"ETag", tag_of(outcome.position.value_or(Position{}))},
                        {"Cache-Control", "no-store"}};
    desk_.answer(change->call, std::move(response));
  });
}

void FileChanges::refuse_at(const ChangePtr& change, const FileState& file, ErrorCode code,
                            std::string why) {
  desk_.probe().refused(code);
  Response response = problem(fail(code, std::move(why)),
                              file.exists() ? std::optional(file.position) : std::nullopt);
  if (file.exists()) {
    response.headers.emplace_back("ETag", tag_of(file.position));
    response.headers.emplace_back("Content-Range", content_range(file.size()));
  }
  desk_.answer(change->call, std::move(response));
}

}  // namespace peal::gateway::http
