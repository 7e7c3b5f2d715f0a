#pragma once
// Globs of channel names, as channel rules use them: `*` stands for any bytes (none too), `?` for
// one code point, everything else for itself. There is no escape: a name that holds a `*` is
// matched by it. Pure and without allocation; a star is never gone back to once a later one
// matched, so the time is at most |pattern| x |name| and a hostile name cannot make it explode.

#include <string_view>

namespace peal {

bool glob_matches(std::string_view pattern, std::string_view name);

}  // namespace peal
