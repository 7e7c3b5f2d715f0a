#pragma once
// A URL of a gateway as a person types it: http, https, ws or wss, a host, perhaps a port and a
// path.

#include <string>
#include <string_view>

#include "outcome.hpp"

namespace peal::cli {

struct Url {
  bool tls = false;
  std::string host;  ///< without brackets
  std::string port;  ///< digits
  std::string path;  ///< "" or "/…", without query and fragment

  /// The Host header: the port is left out when it is the scheme's own.
  std::string authority() const;
};

/// Without a scheme it is http (ws): "127.0.0.1:8420" is enough.
Outcome<Url> parse_url(std::string_view text);
/// For a channel's name inside a path: everything but unreserved characters as %XX.
std::string percent_encoded(std::string_view text);

}  // namespace peal::cli
