#pragma once
// Entity tags (RFC 9110, 8.8.3 and 13.1). A tag of ours is a position, "epoch-offset"; other forms
// and codings of the same value add ";suffix", which comparison for writes passes over. Tags that
// are not ours are well-formed strangers: they match nothing. Pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peal/proto/position.hpp"

namespace peal::gateway::http {

struct EntityTag {
  std::optional<Position> position;  ///< none: a stranger's
  std::string suffix;                ///< what stood behind the first ';'
  bool weak = false;                 ///< W/, as proxies that compress make of ours
};

/// The value of If-Match or If-None-Match.
struct TagList {
  bool any = false;  ///< "*"
  std::vector<EntityTag> tags;
  /// Whether it names this position, in whatever form; "*" does.
  bool names(const Position& position) const;
  /// Whether it names this position in this form ("" is the value's own); "*" does. A suffix that
  /// isn't a form's is a coding and passed over.
  bool names(const Position& position, std::string_view form) const;
};

/// The form in which a value is a page to look at.
inline constexpr std::string_view kHtmlForm = "html";

/// `"epoch-offset"` or `"epoch-offset;form"`.
std::string tag_of(const Position& position, std::string_view form = {});
/// One tag, and nothing else; null when malformed.
std::optional<EntityTag> parse_tag(std::string_view text);
/// Null when malformed: no list of quoted tags, "*" beside others, or nothing at all.
std::optional<TagList> parse_tags(std::string_view text);

}  // namespace peal::gateway::http
