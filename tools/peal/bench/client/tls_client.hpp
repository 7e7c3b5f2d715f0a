#pragma once
// TLS on a non-blocking socket, for load generators: no certificate is checked, since what is
// measured is one's own server. Results are those of recv and send: bytes, or -1 and EAGAIN, or -1
// and EIO.

#include <memory>
#include <string_view>

#include <sys/types.h>

namespace peal::bench {

class TlsClient {
 public:
  explicit TlsClient(int fd);
  ~TlsClient();
  enum class Step { done, more, failed };
  Step shake_hands();
  ssize_t receive(char* to, std::size_t size);
  ssize_t send(std::string_view bytes);
  bool wants_write() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peal::bench
