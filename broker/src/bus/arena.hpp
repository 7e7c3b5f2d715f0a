#pragma once
// Bytes that live for one turn. Allocating moves a pointer; reset() takes everything back and keeps
// the chunks (up to a bound), so that a steady load allocates nothing. Addresses never move before
// reset().

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "peal/proto/publication.hpp"

namespace peal::bus {

class Arena {
 public:
  char* allocate(std::size_t bytes) {
    if (bytes > left_) refill(bytes);
    char* const place = next_;
    next_ += bytes;
    left_ -= bytes;
    used_ += bytes;
    return place;
  }
  std::string_view copy(std::string_view text);
  /// All of the publication's bytes, copied into one place.
  PublicationView copy(const PublicationView& publication);

  void reset();
  std::size_t used() const { return used_; }

 private:
  struct Chunk {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;
  };

  void refill(std::size_t bytes);

  std::vector<Chunk> chunks_;
  std::size_t current_ = 0;  ///< chunks in use
  char* next_ = nullptr;
  std::size_t left_ = 0;
  std::size_t used_ = 0;
};

}  // namespace peal::bus
