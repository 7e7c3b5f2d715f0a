#pragma once
// RESP2 by hiredis, and nothing else of hiredis: commands to bytes, bytes to replies. What Redis
// sends is bounded before it is believed: a reply that claims more than it may is an error, and
// costs no memory for what never comes.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "peal/redis/reply.hpp"

namespace peal::redis {

/// Appends a command to `out`.
void encode(const std::vector<std::string>& args, std::string& out);

class ReplyReader {
 public:
  explicit ReplyReader(std::size_t reply_bytes_max);
  ~ReplyReader();

  void feed(std::string_view bytes);
  /// The next whole reply; false: none yet, or an error(), after which nothing more comes.
  bool next(Reply& reply);
  /// Empty, or why this is not Redis's protocol.
  const std::string& error() const { return error_; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::string error_;
  std::size_t reply_bytes_max_;
  std::size_t unread_bytes_ = 0;  ///< fed since a reply was whole
};

}  // namespace peal::redis
