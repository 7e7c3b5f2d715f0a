#include <algorithm>
#include <array>

#include "peal/proto/close_code.hpp"
#include "peal/proto/error_code.hpp"

namespace peal {
namespace {

constexpr std::array kErrors = {
#define X(name, temporary, http_status, meaning) ErrorInfo{#name, temporary, http_status, meaning},
    PEAL_ERROR_CODES(X)
#undef X
};

constexpr std::array kCloses = {
#define X(name, number, may_reconnect, meaning) CloseInfo{#name, number, may_reconnect, meaning},
    PEAL_CLOSE_CODES(X)
#undef X
};

}  // namespace

const ErrorInfo& info(ErrorCode code) {
  return kErrors[static_cast<std::size_t>(code)];
}

std::optional<ErrorCode> error_code_from_name(std::string_view name) {
  const auto* found = std::ranges::find(kErrors, name, &ErrorInfo::name);
  if (found == kErrors.end()) return std::nullopt;
  return static_cast<ErrorCode>(found - kErrors.begin());
}

std::span<const ErrorInfo> error_code_table() {
  return kErrors;
}

const CloseInfo& info(CloseCode code) {
  const auto number = static_cast<std::uint16_t>(code);
  return *std::ranges::find(kCloses, number, &CloseInfo::number);
}

std::span<const CloseInfo> close_code_table() {
  return kCloses;
}

}  // namespace peal
