#include "redis_store/log_script.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cinttypes>
#include <cstdio>

#include "core/idempotency_keys.hpp"
#include "disk/rows.hpp"
#include "peal/proto/channel_name.hpp"

namespace peal::redis_store {
namespace {

using redis::Reply;

/// log.lua's KEYS, in order.
constexpr std::string_view kLetters = "mrksuiq";
/// Above every offset and still exact as a double.
constexpr std::uint64_t kBeyond = kOffsetMax.value + 1;

std::string number(std::uint64_t value) {
  return std::to_string(value);
}
/// Numbers that only count below 2^53.
std::string place(std::uint64_t value) {
  return number(std::min(value, kBeyond));
}
std::string milliseconds(std::chrono::milliseconds duration) {
  return number(static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0)));
}
std::string flag(bool value) {
  return value ? "1" : "0";
}

std::string padded(const Sequence& sequence) {
  std::array<char, 48> text{};
  const int size = std::snprintf(text.data(), text.size(), "%020" PRIu64 "-%020" PRIu64,
                                 sequence.major, sequence.minor);
  return {text.data(), static_cast<std::size_t>(size)};
}

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// All but key and payload.
std::string others_of(const PublicationView& publication) {
  PublicationView others = publication;
  others.key = {};
  others.payload = {};
  return disk::encode(others);
}
std::optional<PublicationView> publication_of(std::string_view key, std::string_view others,
                                              std::string_view payload) {
  auto publication = disk::decode_texts(others);
  if (!publication) return std::nullopt;
  publication->key = key;
  publication->payload = payload;
  return publication;
}

/// The elements of an array reply, one after the other.
class Elements {
 public:
  explicit Elements(const Reply& reply)
      : elements_(reply.is_array() ? &reply.elements : nullptr), ok_(reply.is_array()) {}

  std::string_view text() {
    if (!ok_ || at_ == elements_->size() || !(*elements_)[at_].is_text()) {
      ok_ = false;
      return {};
    }
    return (*elements_)[at_++].text;
  }
  std::uint64_t number() {
    const auto value = number_of(text());
    ok_ = ok_ && value;
    return value.value_or(0);
  }
  Epoch epoch() {
    const auto epoch = Epoch::parse(text());
    ok_ = ok_ && epoch;
    return epoch.value_or(Epoch());
  }
  bool ok() const { return ok_; }
  bool more() const { return ok_ && at_ < elements_->size(); }

 private:
  const std::vector<Reply>* elements_;
  std::size_t at_ = 0;
  bool ok_;
};

/// The parts of a message.
class Reader {
 public:
  explicit Reader(std::string_view message) : left_(message) {}
  std::string_view take(std::size_t size) {
    ok_ = ok_ && size <= left_.size();
    if (!ok_) return {};
    const auto taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }
  std::uint64_t number(char until) {
    const auto end = left_.find(until);
    ok_ = ok_ && end != std::string_view::npos;
    const auto value = ok_ ? number_of(left_.substr(0, end)) : std::nullopt;
    ok_ = ok_ && value;
    if (!ok_) return 0;
    left_.remove_prefix(end + 1);
    return *value;
  }
  Epoch epoch() {
    const auto epoch = Epoch::parse(take(Epoch::kSize));
    ok_ = ok_ && epoch;
    return epoch.value_or(Epoch());
  }
  PublicationView publication() {
    const auto key = number(' '), others = number(' '), payload = number('\n');
    const auto key_text = take(key), others_text = take(others), payload_text = take(payload);
    const auto publication = ok_ ? publication_of(key_text, others_text, payload_text)
                                 : std::optional<PublicationView>();
    ok_ = ok_ && publication;
    return publication.value_or(PublicationView());
  }
  bool ok() const { return ok_; }
  bool more() const { return ok_ && !left_.empty(); }

 private:
  std::string_view left_;
  bool ok_ = true;
};

ErrorCode code_of(std::string_view name) {
  for (const ErrorCode code :
       {ErrorCode::expectation_failed, ErrorCode::sequence_gap, ErrorCode::idempotency_conflict,
        ErrorCode::command_invalid, ErrorCode::log_full}) {
    if (info(code).name == name) return code;
  }
  return ErrorCode::internal_error;
}

std::optional<Sequence> sequence_of(std::string_view padded) {
  const auto dash = padded.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto major = number_of(padded.substr(0, dash)), minor = number_of(padded.substr(dash + 1));
  if (!major || !minor) return std::nullopt;
  return Sequence{*major, *minor};
}

std::optional<Outcome> outcome_of(const Reply& reply) {
  Elements elements(reply);
  Outcome outcome;
  bus::Published& published = outcome.published;
  const std::string_view what = elements.text();
  if (what == "no") {
    const ErrorCode code = code_of(elements.text());
    published.status = bus::Published::Status::refused;
    published.error = fail(code, std::string(elements.text()));
    const std::string_view offset = elements.text(), last = elements.text();
    published.last = sequence_of(last);
    outcome.epoch = elements.epoch();
    const std::uint64_t ending = elements.number();
    if (const auto is = number_of(offset)) {
      published.position = Position{outcome.epoch, {*is}};
      published.end_byte = ending;
    }
  } else {
    outcome.epoch = elements.epoch();
    const Offset offset{elements.number()};
    published.end_byte = elements.number();
    published.duplicate = what == "again";
    if (published.duplicate) published.last = sequence_of(elements.text());
    if (offset.value != 0) published.position = Position{outcome.epoch, offset};
    if (what != "again" && what != "ok") return std::nullopt;
  }
  if (!elements.ok()) return std::nullopt;
  return outcome;
}

std::string_view name_of(bus::ReadRequest::Mode mode) {
  using Mode = bus::ReadRequest::Mode;
  switch (mode) {
    case Mode::reverse:
      return "reverse";
    case Mode::state:
      return "state";
    case Mode::bytes:
      return "bytes";
    case Mode::forward:
      break;
  }
  return "forward";
}

}  // namespace

KeySpace::KeySpace(std::string prefix, std::size_t partitions)
    : prefix_(std::move(prefix)), partitions_(partitions) {}

std::string KeySpace::route(std::size_t partition) const {
  return prefix_ + "{p" + number(partition) + "}:";
}

std::size_t KeySpace::partition_of(std::string_view channel) const {
  return stable_hash(channel) % partitions_;
}

std::string KeySpace::key(char letter, std::string_view channel) const {
  return route(channel).append(1, letter).append(1, ':').append(channel);
}

std::vector<std::string> KeySpace::keys(std::string_view channel) const {
  std::vector<std::string> keys;
  keys.reserve(kLetters.size());
  for (const char letter : kLetters)
    keys.push_back(key(letter, channel));
  return keys;
}

std::string KeySpace::told_on(std::string_view channel) const {
  return key('c', channel);
}

std::string_view KeySpace::channel_of(std::string_view told_on) const {
  constexpr std::string_view kTag = "}:c:";
  const auto tag = told_on.find(kTag, prefix_.size());
  return tag == std::string_view::npos ? std::string_view() : told_on.substr(tag + kTag.size());
}

std::vector<std::string> call(const Frame& frame, std::string_view operation,
                              std::string_view sha) {
  const broker::ChannelOptions& options = frame.options;
  const Limits& limits = frame.limits;
  std::vector<std::string> args;
  args.emplace_back(sha.empty() ? "EVAL" : "EVALSHA");
  args.emplace_back(sha.empty() ? log_script() : sha);
  args.push_back(number(kLetters.size()));
  for (std::string& key : frame.keys.keys(frame.channel))
    args.push_back(std::move(key));
  args.emplace_back(operation);
  args.insert(args.end(), {"0", "none"});  // the mastership
  args.push_back(flag(frame.keeps_over_restart));
  args.push_back(frame.time);
  args.emplace_back(frame.publish_verb);
  args.push_back(frame.keys.told_on(frame.channel));
  args.emplace_back(frame.fresh.view());
  args.push_back(place(options.history_length_max));
  args.push_back(place(options.history_bytes_max));
  args.push_back(milliseconds(options.history_age_max));
  args.push_back(flag(options.compact));
  args.push_back(flag(options.refuse_when_full));
  args.push_back(place(limits.sources_max));
  args.push_back(milliseconds(limits.source_ttl));
  args.push_back(place(limits.idempotency_keys_max));
  args.push_back(milliseconds(limits.idempotency_ttl));
  args.push_back(milliseconds(limits.position_ttl));
  return args;
}

void add_publish(std::vector<std::string>& args, const bus::PublishRequest& request,
                 const Epoch& fresh) {
  using bus::ExpectValue;
  const PublicationView& p = request.publication;
  args.emplace_back(p.kind == Kind::deletion ? "d" : "v");
  args.emplace_back(p.payload);
  args.emplace_back(p.key);
  args.push_back(others_of(p));
  args.push_back(number(bytes_of(p)));
  args.emplace_back(p.source);
  args.push_back(padded(p.sequence));
  args.push_back(request.previous ? padded(*request.previous) : "");
  args.emplace_back(request.idempotency_key);
  args.push_back(request.idempotency_key.empty()
                     ? "0"
                     : number(broker::IdempotencyKeys::hash(request.publication)));
  args.emplace_back(request.expect ? request.expect->epoch.view() : "");
  args.push_back(request.expect ? place(request.expect->offset.value) : "");
  args.emplace_back(request.expect_value == ExpectValue::any      ? ""
                    : request.expect_value == ExpectValue::absent ? "absent"
                                                                  : "present");
  args.push_back(request.expect_end ? place(*request.expect_end) : "");
  args.emplace_back(request.replace ? fresh.view() : "");
  args.emplace_back(request.place ? request.place->epoch.view() : "");
  args.push_back(request.place ? place(request.place->offset.value) : "");
  args.push_back(request.place_floor ? place(request.place_floor->value) : "");
}

void add_read(std::vector<std::string>& args, const bus::ReadRequest& request) {
  args.emplace_back(name_of(request.mode));
  args.emplace_back(request.epoch ? request.epoch->view() : "");
  args.push_back(place(request.after.value));
  args.push_back(place(request.limit));
  args.push_back(place(request.bytes));
}

void add_end(std::vector<std::string>& args, const Epoch& epoch) {
  args.emplace_back(epoch.view());
}

std::optional<Standing> standing_of(const Reply& reply) {
  Elements elements(reply);
  (void)elements.text();
  Standing standing;
  standing.head.epoch = elements.epoch();
  standing.head.top.value = elements.number();
  standing.head.floor.value = elements.number();
  standing.end_byte = elements.number();
  if (!elements.ok()) return std::nullopt;
  return standing;
}

std::optional<std::vector<Outcome>> outcomes_of(const Reply& reply) {
  if (!reply.is_array()) return std::nullopt;
  std::vector<Outcome> outcomes;
  outcomes.reserve(reply.elements.size());
  for (const Reply& element : reply.elements) {
    auto outcome = outcome_of(element);
    if (!outcome) return std::nullopt;
    outcomes.push_back(std::move(*outcome));
  }
  return outcomes;
}

std::optional<bus::Page> page_of(const Reply& reply, std::vector<PublicationView>& publications) {
  const auto standing = standing_of(reply);
  if (!standing) return std::nullopt;
  bus::Page page;
  page.head = standing->head;
  page.end_byte = standing->end_byte;
  publications.clear();
  Elements elements(reply);
  const std::string_view what = elements.text();
  for (int i = 0; i < 4; ++i)
    (void)elements.text();
  if (what == "lost") {
    page.error = fail(ErrorCode::position_lost, "the log no longer covers that position");
    return page;
  }
  page.after.value = elements.number();
  page.to.value = elements.number();
  page.first_byte = elements.number();
  while (elements.more()) {
    const Offset offset{elements.number()};
    const auto key = elements.text(), others = elements.text(), payload = elements.text();
    auto publication = publication_of(key, others, payload);
    if (!publication) return std::nullopt;
    publication->offset = offset;
    publications.push_back(*publication);
  }
  if (!elements.ok()) return std::nullopt;
  page.publications = publications;
  return page;
}

bool each_told(std::string_view message, const std::function<void(const Told&)>& tell) {
  Reader reader(message);
  while (reader.more()) {
    const std::string_view what = reader.take(1);
    Told told;
    if (what == "b") {
      told.head.epoch = reader.epoch();
      told.head.top.value = reader.number(' ');
      told.head.floor.value = reader.number('\n');
    } else if (what == "a") {
      told.what = Told::What::appended;
      told.epoch = reader.epoch();
      told.before.value = reader.number(' ');
      const Offset offset{reader.number(' ')};
      told.publication = reader.publication();
      told.publication.offset = offset;
    } else if (what == "e") {
      told.what = Told::What::ephemeral;
      told.publication = reader.publication();
    } else {
      return false;
    }
    if (!reader.ok()) return false;
    tell(told);
  }
  return reader.ok();
}

std::string ephemeral_message(const PublicationView& publication) {
  const std::string others = others_of(publication);
  std::string message = "e" + number(publication.key.size()) + ' ' + number(others.size()) + ' ' +
                        number(publication.payload.size()) + '\n';
  return message.append(publication.key).append(others).append(publication.payload);
}

}  // namespace peal::redis_store
