#include "bus/arena.hpp"

#include <algorithm>
#include <cstring>

namespace peal::bus {
namespace {

constexpr std::size_t kChunkMin = 4 * 1024;
constexpr std::size_t kChunkMax = 64 * 1024;
/// What reset() keeps; one turn's burst above it goes back to the heap.
constexpr std::size_t kKept = 512 * 1024;

}  // namespace

std::string_view Arena::copy(std::string_view text) {
  if (text.empty()) return {};
  char* const place = allocate(text.size());
  std::memcpy(place, text.data(), text.size());
  return {place, text.size()};
}

PublicationView Arena::copy(const PublicationView& publication) {
  PublicationView copied = publication;
  for (std::string_view* text : {&copied.payload, &copied.key, &copied.type, &copied.tags,
                                 &copied.source, &copied.origin, &copied.unknown_fields}) {
    if (!text->empty()) *text = copy(*text);
  }
  return copied;
}

void Arena::refill(std::size_t bytes) {
  while (current_ < chunks_.size() && chunks_[current_].size < bytes) {
    chunks_.erase(chunks_.begin() + static_cast<std::ptrdiff_t>(current_));
  }
  if (current_ == chunks_.size()) {
    const std::size_t last = chunks_.empty() ? 0 : chunks_.back().size;
    const std::size_t size = std::max(bytes, std::clamp(last * 2, kChunkMin, kChunkMax));
    chunks_.push_back({std::make_unique_for_overwrite<char[]>(size), size});
  }
  next_ = chunks_[current_].bytes.get();
  left_ = chunks_[current_].size;
  ++current_;
}

void Arena::reset() {
  std::size_t kept = 0;
  std::erase_if(chunks_, [&](const Chunk& chunk) {
    if (kept + chunk.size > kKept) return true;
    kept += chunk.size;
    return false;
  });
  current_ = 0;
  next_ = nullptr;
  left_ = 0;
  used_ = 0;
}

}  // namespace peal::bus
