#include "peal/redis/reply.hpp"

namespace peal::redis {

std::string_view Reply::error_code() const {
  if (!is_error()) return {};
  const std::string_view all = text;
  return all.substr(0, all.find(' '));
}

std::string_view name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::replied:
      return "replied";
    case Outcome::failed:
      return "failed";
    case Outcome::refused:
      return "refused";
    case Outcome::unknown:
      break;
  }
  return "unknown";
}

}  // namespace peal::redis
