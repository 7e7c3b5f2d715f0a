#include "json_validator.hpp"

#include "json_scan.hpp"

namespace peal::json {
namespace {

constexpr const char* kTooDeep = "nested deeper than limits.json_depth_max";

}  // namespace

Validator::Outcome Validator::run(std::string_view text, std::size_t depth_max,
                                  std::vector<Note>* notes) {
  const char* const start = text.data();
  at_ = start;
  end_ = start + text.size();
  problem_ = nullptr;
  depth_ = 0;
  depth_max_ = depth_max;
  notes_ = notes;
  if (notes_) notes_->clear();
  for (;;) {
    at_ = skip_space(at_, end_);
    Step step = begin();
    if (step == Step::done) step = close();
    if (step == Step::value) continue;
    if (step == Step::finished) return {};
    return {problem_, static_cast<std::size_t>(at_ - start), problem_ == kTooDeep};
  }
}

Validator::Step Validator::begin() {
  if (at_ == end_) return failed("a value is missing");
  switch (*at_) {
    case '{':
      return open(true);
    case '[':
      return open(false);
    case '"': {
      const char* const behind = string(at_, end_, nullptr);
      if (!behind) return failed("this string is broken");
      at_ = behind;
      return Step::done;
    }
    case 't':
      return literal("true");
    case 'f':
      return literal("false");
    case 'n':
      return literal("null");
    default:
      break;
  }
  const char* const behind = number(at_, end_);
  if (!behind) return failed("here is no value");
  at_ = behind;
  return Step::done;
}

Validator::Step Validator::open(bool object) {
  if (depth_ == depth_max_) return failed(kTooDeep);
  push(object);
  at_ = skip_space(at_ + 1, end_);
  if (at_ != end_ && *at_ == (object ? '}' : ']')) {
    ++at_;
    --depth_;
    return Step::done;
  }
  return object ? name() : Step::value;
}

Validator::Step Validator::close() {
  for (;;) {
    if (notes_ && depth_ <= 2 && depth_ > 0) note_end(at_);
    at_ = skip_space(at_, end_);
    if (depth_ == 0) return at_ == end_ ? Step::finished : failed("something follows the value");
    if (at_ == end_) return failed("a closing bracket is missing");
    const bool object = in_object();
    if (*at_ == ',') {
      ++at_;
      return object ? name() : Step::value;
    }
    if (*at_ != (object ? '}' : ']')) return failed("a comma or a closing bracket is missing");
    ++at_;
    --depth_;
  }
}

Validator::Step Validator::name() {
  at_ = skip_space(at_, end_);
  if (at_ == end_ || *at_ != '"') return failed("a member's name is missing");
  const char* const start = at_;
  const char* const behind = string(at_, end_, nullptr);
  if (!behind) return failed("this string is broken");
  at_ = skip_space(behind, end_);
  if (at_ == end_ || *at_ != ':') return failed("a colon is missing");
  ++at_;
  if (notes_ && depth_ <= 2) note_name(start, behind);
  return Step::value;
}

Validator::Step Validator::literal(std::string_view word) {
  if (!std::string_view(at_, end_).starts_with(word)) return failed("here is no value");
  at_ += word.size();
  return Step::done;
}

Validator::Step Validator::failed(const char* problem) {
  problem_ = problem;
  return Step::failed;
}

void Validator::push(bool object) {
  const std::size_t word = depth_ / 64;
  const std::uint64_t bit = std::uint64_t{1} << (depth_ % 64);
  if (word == objects_.size()) objects_.push_back(0);
  objects_[word] = object ? objects_[word] | bit : objects_[word] & ~bit;
  ++depth_;
}

void Validator::note_name(const char* name, const char* behind) {
  // Members of an object in an outermost array are nobody's.
  if (depth_ == 2 && (objects_[0] & 1U) == 0) return;
  at_ = skip_space(at_, end_);
  open_notes_[depth_ - 1] = static_cast<std::uint32_t>(notes_->size());
  notes_->push_back(
      {{name + 1, behind - 1}, at_, at_, depth_ == 2 ? open_notes_[0] : Note::kOutermost});
}

/// Behind a value whose container is the one at `depth_`.
void Validator::note_end(const char* behind) {
  if (!in_object() || (objects_[0] & 1U) == 0) return;
  (*notes_)[open_notes_[depth_ - 1]].end = behind;
}

bool Validator::in_object() const {
  return (objects_[(depth_ - 1) / 64] >> ((depth_ - 1) % 64) & 1U) != 0;
}

}  // namespace peal::json
