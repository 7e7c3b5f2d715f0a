#pragma once
// Whether a store's folder is where it was written, or a copy: a backup that was put back, or one
// that goes on beside the original. The file `place` tells which inode it was written in and when
// that was born, which a copy can't have. It is written anew at each start, so that older files put
// over newer ones are known as well. A file system that is set back as a whole looks as it did.
//   place := "inode " N ", born " SECONDS "." NANOSECONDS "\n"

#include <string>

#include "peal/proto/result.hpp"

namespace peal::disk {

/// False as well when the file is missing or can't be read.
bool in_place(const std::string& folder);
/// Writes the file anew, durably.
Result<void> take_place(const std::string& folder);

}  // namespace peal::disk
