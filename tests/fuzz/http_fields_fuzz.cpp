// Mutated Range, Content-Range, Accept and entity tag lists: whatever comes, a range lies inside
// what there is, and what is understood is what it is written as.
#include "fuzz.hpp"
#include "http/accept.hpp"
#include "http/byte_range.hpp"
#include "http/etag.hpp"
#include "http/query.hpp"

namespace {

using namespace peal::gateway::http;
using peal::fuzz::Current;
using peal::fuzz::Random;
using peal::fuzz::require;

void check_ranges(std::string_view text, std::uint64_t size, const Current& current) {
  const RangeAnswer answer = resolve_range(text, size);
  if (answer.kind == RangeAnswer::Kind::part) {
    require(answer.range.first < answer.range.end && answer.range.end <= size,
            "a range lies inside", current);
  }
  if (const auto append = parse_append_range(text)) {
    require(append->first < append->end, "an append has bytes", current);
    const std::string written =
        "bytes " + std::to_string(append->first) + '-' + std::to_string(append->end - 1) + "/*";
    require(parse_append_range(written) == append, "an append's range reads back", current);
  }
}

void check_tags(std::string_view text, const Current& current) {
  const auto list = parse_tags(text);
  if (!list) return;
  require(list->any != !list->tags.empty(), "a list is * or tags", current);
  for (const EntityTag& tag : list->tags) {
    if (!tag.position) continue;
    require(list->names(*tag.position), "a list names its own tags", current);
    const auto again = parse_tag(tag_of(*tag.position, tag.suffix));
    require(again && again->position == tag.position && again->suffix == tag.suffix,
            "a tag reads back", current);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> seeds = {"bytes=0-4",
                                               "bytes=-8",
                                               "bytes=18446744073709551615-",
                                               "bytes 12-40/*",
                                               R"("AAAAAAAA-7", W/"AAAAAAAA-8;html","x,y")",
                                               "*",
                                               "text/html;q=0.5,application/json, */*;q=0.1",
                                               "since=AAAAAAAA-7&limit=5&reverse=true&%41=b"};
  const std::vector<std::string_view> tokens = {
      "bytes", "=", "-", "/*", ",", "\"", "W/", ";", "q=", "*/*", "&", "%", "9007199254740992"};
  return peal::fuzz::run(
      "http_fields", peal::fuzz::parse_budget(argc, argv), [&](Random& random, Current& current) {
        std::string& text = current.input;
        text = peal::fuzz::mutate(random, std::string(seeds[random.below(seeds.size())]), tokens,
                                  seeds);
        check_ranges(text, random.below(64), current);
        check_tags(text, current);
        const Wish wish = wish_for(text, "text/html");
        require(wish.quality <= 1000 && wish.specificity <= 3, "a wish is within bounds", current);
        require(!named_first(text, "text/html") || wish.quality > 0,
                "what is wanted first is wanted", current);
        (void)query_value(text, "since");
      });
}
