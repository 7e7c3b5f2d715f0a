#pragma once
// A publication that is due, and the three templates that most of them are made of. Pure.

#include <functional>
#include <string>
#include <string_view>

#include "peal/monitor/template.hpp"

namespace peal::monitor {

struct Ring {
  std::string channel;
  std::string key;
  std::string payload;    ///< JSON
  bool deletion = false;  ///< the key has gone
  bool anew = false;      ///< nothing that was there before is any more: begin a new epoch
};

/// Where something rings, and what is said there. Immutable after parsing.
struct RingTemplate {
  struct Texts {
    std::string_view channel, key, payload;
  };
  /// The error names the key of the configuration.
  static Result<RingTemplate> parse(const Texts& texts,
                                    Template::From from = Template::From::table);

  /// A channel's name; the error says why it is none.
  Result<std::string> channel_of(const Scope& scope, JsonReader& reader) const;
  /// The channel and the key; nothing is said yet.
  Result<Ring> place(const Scope& scope, JsonReader& reader) const;
  /// What is said; without a template for it `otherwise`.
  Result<std::string> said(const Scope& scope, JsonReader& reader,
                           const std::function<std::string()>& otherwise) const;
  /// The channel that is told when something of `table` was missed: `reset`, or the one where all
  /// of it rings.
  Result<std::string> reset_channel(const std::string& reset, const std::string& table) const;

  Template channel, key, payload;
};

}  // namespace peal::monitor
