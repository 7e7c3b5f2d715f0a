#pragma once
// CURVE keys in files: NAME.key holds the secret key (0600), NAME.pub the public one; each is one
// line of 40 characters Z85. The other side's key may be given as the characters themselves.

#include <string>

#include "control_client.hpp"

namespace peal::cli {

/// `server_key`: Z85, or a file that holds it.
Outcome<runtime::CurveConfig> load_curve_keys(const std::string& secret_file,
                                              const std::string& server_key);
/// Writes NAME.key and NAME.pub; refuses to replace a key. Gives the public key.
Outcome<std::string> write_new_keys(const std::string& name);

}  // namespace peal::cli
