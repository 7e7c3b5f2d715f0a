#pragma once
// Mistakes that are planted to see that they are found. Each is made around the product's code: a
// message altered on its way, a store, a limit or a client that does what it must not.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace peal::simulation {

enum class Plant : std::uint8_t {
  none,
  lost_acknowledgement,          ///< an outcome never reaches who asked for it
  acknowledged_before_commit,    ///< the disk store says ok to what a crash loses
  doubled_retry,                 ///< a retry isn't known to be one
  reordered_interest,            ///< an unwatch overtakes the watch that follows it
  restart_in_the_old_epoch,      ///< a broker that forgot its logs goes on in their epochs
  takeover_without_a_new_epoch,  ///< who stands in goes on in the epoch of the one before
  stale_owner_accepts,    ///< who was away goes on in its old epochs, whoever stood in meanwhile
  repair_one_short,       ///< pages lack their last publication and don't say so
  endless_lease,          ///< sessions of a gateway that died are there for ever
  client_accepts_a_hole,  ///< a client takes what comes, whatever is missing before it
};

inline constexpr std::array<std::string_view, 11> kPlantNames = {
    "none",
    "lost-acknowledgement",
    "acknowledged-before-commit",
    "doubled-retry",
    "reordered-interest",
    "restart-in-the-old-epoch",
    "takeover-without-a-new-epoch",
    "stale-owner-accepts",
    "repair-one-short",
    "endless-lease",
    "client-accepts-a-hole",
};

std::optional<Plant> plant_of(std::string_view name);

}  // namespace peal::simulation
