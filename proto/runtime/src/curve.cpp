#include "peal/runtime/curve.hpp"

#include <zmq.h>

#include <array>
#include <cerrno>

#include "peal/runtime/address.hpp"
#include "peal/runtime/config.hpp"

namespace peal::runtime {
namespace {

constexpr std::size_t kTextSize = 40;
constexpr const char* kZapDomain = "peal";

using KeyText = std::array<char, kTextSize + 1>;

Error invalid(std::string message) {
  return fail(ErrorCode::config_invalid, std::move(message));
}

Result<void> set(void* socket, int option, const std::string& value) {
  if (zmq_setsockopt(socket, option, value.c_str(), value.size()) == 0) return {};
  return invalid(std::string("CURVE cannot be set: ") + zmq_strerror(zmq_errno()));
}

Result<void> set(void* socket, int option, int value) {
  if (zmq_setsockopt(socket, option, &value, sizeof value) == 0) return {};
  return invalid(std::string("CURVE cannot be set: ") + zmq_strerror(zmq_errno()));
}

Result<void> set_keys(void* socket, const CurveConfig& config) {
  if (auto done = set(socket, ZMQ_CURVE_PUBLICKEY, config.public_key); !done) return done;
  return set(socket, ZMQ_CURVE_SECRETKEY, config.secret_key);
}

}  // namespace

void describe(ConfigSchema& schema, CurveConfig& config) {
  schema.field("curve.public_key", config.public_key,
               "this process's CURVE key (peal keygen); empty: derived from the secret one");
  schema.field("curve.secret_key", config.secret_key, "its secret half; empty: no CURVE",
               ConfigSchema::Visibility::secret);
  schema.field("curve.server_key", config.server_key, "the public key of what this connects to");
  schema.field("curve.allowed_keys", config.allowed_keys,
               "public keys of the peers that may connect here");
}

bool valid_curve_key(std::string_view key) {
  // Every 5 characters are one 32-bit word; libzmq 4.3 takes words beyond that silently, so check.
  constexpr std::string_view kDigits =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
  if (key.size() != kTextSize) return false;
  for (std::size_t i = 0; i < key.size(); i += 5) {
    std::uint64_t word = 0;
    for (const char c : key.substr(i, 5)) {
      const auto digit = kDigits.find(c);
      if (digit == std::string_view::npos) return false;
      word = word * kDigits.size() + digit;
    }
    if (word > 0xffffffffU) return false;
  }
  return true;
}

Result<void> complete(CurveConfig& config) {
  const auto no_key = [](std::string_view key) {
    return invalid("curve." + std::string(key) + ": not a key of 40 characters (peal keygen)");
  };
  if (!config.server_key.empty() && !valid_curve_key(config.server_key))
    return no_key("server_key");
  if (!config.public_key.empty() && !valid_curve_key(config.public_key))
    return no_key("public_key");
  for (const std::string& key : config.allowed_keys) {
    if (!valid_curve_key(key)) return no_key("allowed_keys");
  }
  if (!config.configured()) {
    const bool others =
        !config.public_key.empty() || !config.server_key.empty() || !config.allowed_keys.empty();
    if (others) return invalid("curve.secret_key is missing, and without it nothing is encrypted");
    return {};
  }
  KeyText derived{};
  if (!valid_curve_key(config.secret_key) ||
      zmq_curve_public(derived.data(), config.secret_key.c_str()) != 0) {
    return no_key("secret_key");
  }
  if (config.public_key.empty()) config.public_key = derived.data();
  if (config.public_key != derived.data()) {
    return invalid("curve.public_key does not belong to curve.secret_key");
  }
  return {};
}

CurveKeys generate_curve_keys() {
  KeyText public_key{};
  KeyText secret_key{};
  zmq_curve_keypair(public_key.data(), secret_key.data());
  return {public_key.data(), secret_key.data()};
}

Result<void> require_curve(std::string_view endpoint, const CurveConfig& config, bool insecure,
                           std::string_view key) {
  if (insecure || config.configured() || !reachable_from_outside(endpoint)) return {};
  return invalid(std::string(key) + ": " + std::string(endpoint) +
                 " can be reached from other machines: give it CURVE keys (peal keygen, [curve]), "
                 "or set insecure = true");
}

Result<void> apply_curve_server(void* socket, const CurveConfig& config) {
  if (!config.configured()) return {};
  if (auto done = set(socket, ZMQ_CURVE_SERVER, 1); !done) return done;
  if (auto done = set(socket, ZMQ_ZAP_DOMAIN, kZapDomain); !done) return done;
  return set_keys(socket, config);
}

Result<void> apply_curve_client(void* socket, const CurveConfig& config) {
  if (!config.configured()) return {};
  if (config.server_key.empty()) {
    return invalid("curve.server_key is missing: the public key of what this connects to");
  }
  if (auto done = set(socket, ZMQ_CURVE_SERVERKEY, config.server_key); !done) return done;
  return set_keys(socket, config);
}

}  // namespace peal::runtime
