#pragma once
// The store's folder: `peal-store` says that it is ours and in which format, `db` is RocksDB's. A
// folder that has something else in it, or another format, is refused before anything is touched.

#include <cstdint>
#include <string>

#include "peal/proto/result.hpp"

namespace peal::disk {

/// Makes the folder when there is none; the path of the database in it.
Result<std::string> prepare_folder(const std::string& path);
/// $XDG_STATE_HOME/peal/NAME, or /var/lib/peal/NAME.
std::string default_path(const std::string& name);
/// What an unprivileged process may still write there; zero when that can't be told.
std::uint64_t free_bytes(const std::string& path);

}  // namespace peal::disk
