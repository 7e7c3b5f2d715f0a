#pragma once
// Public now; kept for short includes within the room.
#include "peal/gateway/hooks.hpp"
