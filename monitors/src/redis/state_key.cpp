#include "redis/state_key.hpp"

namespace peal::monitor {
namespace {

/// What Redis hashes of a key: between the first brace and the next one, or all of it.
std::string tag_of(const std::string& key) {
  const auto open = key.find('{');
  const auto close = open == std::string::npos ? open : key.find('}', open + 1);
  if (close == std::string::npos || close == open + 1) return key;
  return key.substr(open + 1, close - open - 1);
}

}  // namespace

std::string state_key(const std::string& prefix, const std::string& monitor,
                      const std::string& source) {
  return prefix + "{" + tag_of(source) + "}:" + monitor + ":" + source;
}

}  // namespace peal::monitor
