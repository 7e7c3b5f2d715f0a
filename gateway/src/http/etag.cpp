#include "http/etag.hpp"

#include <algorithm>

#include "http/text.hpp"

namespace peal::gateway::http {
namespace {

bool tag_character(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == 0x21 || (byte >= 0x23 && byte <= 0x7e) || byte >= 0x80;
}

/// Takes a tag from the front; null when there is none.
std::optional<EntityTag> take_tag(std::string_view& text) {
  EntityTag tag;
  if (text.starts_with("W/")) {
    tag.weak = true;
    text.remove_prefix(2);
  }
  if (!text.starts_with('"')) return std::nullopt;
  const auto end = text.find('"', 1);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view opaque = text.substr(1, end - 1);
  if (!std::ranges::all_of(opaque, tag_character)) return std::nullopt;
  text.remove_prefix(end + 1);
  const auto semicolon = opaque.find(';');
  tag.position = Position::parse(opaque.substr(0, semicolon));
  if (semicolon != std::string_view::npos) tag.suffix = opaque.substr(semicolon + 1);
  return tag;
}

std::string_view form_of(const EntityTag& tag) {
  const std::string_view suffix = tag.suffix;
  const std::string_view first = suffix.substr(0, suffix.find(';'));
  return first == kHtmlForm ? first : std::string_view();
}

}  // namespace

bool TagList::names(const Position& position) const {
  return any ||
         std::ranges::any_of(tags, [&](const EntityTag& tag) { return tag.position == position; });
}

bool TagList::names(const Position& position, std::string_view form) const {
  return any || std::ranges::any_of(tags, [&](const EntityTag& tag) {
           return tag.position == position && form_of(tag) == form;
         });
}

std::string tag_of(const Position& position, std::string_view form) {
  std::string tag = "\"" + position.to_string();
  if (!form.empty()) tag.append(";").append(form);
  return tag += '"';
}

std::optional<EntityTag> parse_tag(std::string_view text) {
  text = trim(text);
  auto tag = take_tag(text);
  return text.empty() ? tag : std::nullopt;
}

std::optional<TagList> parse_tags(std::string_view text) {
  TagList list;
  text = trim(text);
  if (text == "*") {
    list.any = true;
    return list;
  }
  // Empty elements are passed over (RFC 9110, 5.6.1.2); a comma may stand inside a tag.
  for (bool comma_due = false; !text.empty(); text = trim(text)) {
    if (text.front() == ',') {
      comma_due = false;
      text.remove_prefix(1);
      continue;
    }
    auto tag = take_tag(text);
    if (!tag || comma_due) return std::nullopt;
    list.tags.push_back(std::move(*tag));
    comma_due = true;
  }
  if (list.tags.empty()) return std::nullopt;
  return list;
}

}  // namespace peal::gateway::http
