#pragma once
// The tables and functions of the outbox, as one script that may run again and again.

#include <string_view>

namespace peal::monitor {

/// What `peal.meta` says of an outbox that this script made.
inline constexpr int kOutboxVersion = 3;

std::string_view outbox_sql();

}  // namespace peal::monitor
