// Feeds mutated JSON to JsonReader and compares its verdict with simdjson's DOM, which is another
// implementation of the same grammar. They may differ on numbers only: simdjson refuses what it
// cannot represent. What is valid must then come apart and together again byte for byte.

#include <simdjson.h>

#include <cstring>
#include <memory>

#include "fuzz.hpp"
#include "peal/proto/json.hpp"

namespace {

using peal::JsonReader;
using peal::fuzz::Current;
using peal::fuzz::Random;
using peal::fuzz::require;

constexpr std::size_t kDepthMax = 32;

const std::vector<std::string_view> kCorpus = {
    R"({"id":7,"action":"publish","payload":{"channel":"room:1","message":{"a":[1,2.5e-3,true]}}})",
    R"([null,true,false,0,-0,1,-1,1.5,1e5,1E+5,0.1e-1,"",[],{}])",
    R"({"a":"\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00","b":{"c":{"d":[[[[1]]]]}}})",
    "\xc3\xa9 \"\xf0\x9f\x98\x80\xe2\x82\xac\"",
    R"(["0123456789abcdef0123456789abcdef\"0123456789abcdef","\\","x\\"])",
    R"({"":{"":[{"":""}]},"":0} )",
    R"(9223372036854775808)",
    R"("plain")",
    R"([[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]])",
};
const std::vector<std::string_view> kTokens = {"\"",
                                               "\\",
                                               "{",
                                               "}",
                                               "[",
                                               "]",
                                               ":",
                                               ",",
                                               "true",
                                               "false",
                                               "nul",
                                               "0",
                                               "-",
                                               ".",
                                               "e",
                                               "E+",
                                               "1e400",
                                               " ",
                                               "\n",
                                               "\t",
                                               "\\u",
                                               "\\ud800",
                                               "\\udc00",
                                               "\\u0000",
                                               "\xef\xbb\xbf",
                                               "\xed\xa0\x80",
                                               "\xc0\xaf",
                                               "\xff",
                                               "\\\"",
                                               "[]"};

/// A copy of just the input's size on the heap, so that AddressSanitizer sees any step beyond it.
struct Exact {
  explicit Exact(std::string_view text) : bytes(new char[text.size()]), size(text.size()) {
    if (size > 0) std::memcpy(bytes.get(), text.data(), size);
  }
  std::string_view view() const { return {bytes.get(), size}; }
  std::unique_ptr<char[]> bytes;
  std::size_t size;
};

enum class Verdict : std::uint8_t { valid, invalid, unsure };

/// One number that simdjson cannot represent makes its verdict worthless, wherever the number
/// stands.
Verdict simdjson_verdict(simdjson::dom::parser& parser, std::string_view text) {
  const auto error = parser.parse(text.data(), text.size()).error();
  if (error == simdjson::SUCCESS) return Verdict::valid;
  if (error == simdjson::NUMBER_ERROR) return Verdict::unsure;
  return Verdict::invalid;
}

/// Takes a valid value apart to its scalars and puts it together: only white space may get lost.
void rebuild(JsonReader& reader, std::string_view raw, std::string& out, const Current& current) {
  if (raw.front() == '{') {
    const auto fields = reader.fields(raw);
    require(fields.has_value(), "a valid object has fields", current);
    std::vector<std::pair<std::string, std::string>> copy;
    for (const peal::JsonField& field : **fields)
      copy.emplace_back(field.key, field.raw);
    out += '{';
    for (std::size_t i = 0; i < copy.size(); ++i) {
      if (i > 0) out += ',';
      peal::append_json_string(out, copy[i].first);
      out += ':';
      rebuild(reader, copy[i].second, out, current);
    }
    out += '}';
  } else if (raw.front() == '[') {
    const auto elements = reader.elements(raw);
    require(elements.has_value(), "a valid array has elements", current);
    const std::vector<std::string> copy((**elements).begin(), (**elements).end());
    out += '[';
    for (std::size_t i = 0; i < copy.size(); ++i) {
      if (i > 0) out += ',';
      rebuild(reader, copy[i], out, current);
    }
    out += ']';
  } else if (raw.front() == '"') {
    const auto text = JsonReader::as_string(raw);
    require(text.has_value(), "a valid string unescapes", current);
    peal::append_json_string(out, *text);
  } else {
    out += raw;
  }
}

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

/// The outline of a valid text is what `fields` says of it and of its members.
void check_outline(JsonReader& reader, std::string_view text, const Current& current) {
  const auto outline = reader.outline(text, kDepthMax);
  require(outline.has_value(), "a valid text has an outline", current);
  const std::vector<peal::JsonMember> members = **outline;
  const auto top = reader.fields(text);
  if (top.has_error()) return require(members.empty(), "only objects have members", current);
  std::vector<std::pair<std::string, std::string_view>> fields;
  for (const peal::JsonField& field : **top)
    fields.emplace_back(field.key, field.raw);
  std::size_t next = 0;
  const auto same = [&](std::string_view key, std::string_view raw) {
    require(next < members.size() && members[next].key == key && members[next].raw == raw &&
                members[next].raw.data() == raw.data(),
            "the outline and the fields agree", current);
    return next++;
  };
  for (const auto& [key, raw] : fields) {
    const std::size_t parent = same(key, raw);
    if (raw.front() != '{') continue;
    for (const peal::JsonField& field : **reader.fields(raw)) {
      same(field.key, field.raw);
      require(members[next - 1].parent == parent, "a member knows where it is", current);
    }
  }
  require(next == members.size(), "the outline has nothing else", current);
}

void compare(JsonReader& reader, simdjson::dom::parser& oracle, const Current& current) {
  const Exact input(current.input);
  const bool valid = reader.validate(input.view(), kDepthMax).has_value();
  const Verdict other = simdjson_verdict(oracle, input.view());
  if (valid) require(other != Verdict::invalid, "simdjson refuses what we accept", current);
  if (other == Verdict::valid) {
    const bool valid_at_any_depth = reader.validate(input.view(), 1'000'000).has_value();
    require(valid_at_any_depth, "simdjson accepts what we refuse", current);
  }
  if (!valid) {
    // Nothing that was not validated may bring the walkers down either.
    (void)reader.fields(input.view());
    (void)reader.elements(input.view());
    require(reader.outline(input.view(), kDepthMax).has_error(), "an outline is of valid text",
            current);
    (void)JsonReader::as_string(input.view());
    (void)JsonReader::as_uint(input.view());
    return;
  }
  check_outline(reader, input.view(), current);
  std::string once;
  rebuild(reader, trimmed(input.view()), once, current);
  require(reader.validate(once, kDepthMax).has_value(), "what was rebuilt is valid", current);
  std::string twice;
  rebuild(reader, once, twice, current);
  require(once == twice, "rebuilding again changes nothing", current);
}

}  // namespace

int main(int argc, char** argv) {
  JsonReader reader;
  simdjson::dom::parser oracle;
  return peal::fuzz::run(
      "json_fuzz", peal::fuzz::parse_budget(argc, argv), [&](Random& random, Current& current) {
        const auto base = kCorpus[random.below(kCorpus.size())];
        current.input = peal::fuzz::mutate(random, std::string(base), kTokens, kCorpus);
        compare(reader, oracle, current);
      });
}
