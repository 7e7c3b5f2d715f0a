#pragma once
// Bytes in and out of one non-blocking socket, plain or TLS. The plain path is a system call and
// nothing else; the TLS path is OpenSSL straight on the socket (OpenSSL is included in the .cpp
// only). TLS may want to write in order to read and the other way round, so a TLS connection that
// is blocked is tried again at any readiness. OpenSSL wants bytes that it refused to be offered
// again unchanged: the TlsStream copies them (<= 16 KB, "pinned"), calls them written, and sends
// them first when it is called again.

#include <sys/uio.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "peal/proto/result.hpp"

namespace peal::gateway {

/// A server's certificate chain and key; immutable, shared by all shards.
class TlsContext {
 public:
  /// PEM files; the error names the file and OpenSSL's reason. TLS 1.2 and above.
  static Result<std::shared_ptr<TlsContext>> make(const std::string& certificate_file,
                                                  const std::string& key_file);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  void* native() const { return context_; }

 private:
  TlsContext() = default;
  void* context_ = nullptr;
  friend class TlsStream;
};

struct IoResult {
  enum class Status : std::uint8_t { ok, again, closed, failed } status = Status::ok;
  std::size_t bytes = 0;
};

/// The TLS state of one connection; a plain connection has none.
class TlsStream;
struct TlsStreamDeleter {
  void operator()(TlsStream* stream) const;
};
using TlsStreamPtr = std::unique_ptr<TlsStream, TlsStreamDeleter>;

TlsStreamPtr make_tls_stream(TlsContext& context, int fd);

/// fd and TLS state together; a view made where it is used.
struct Transport {
  int fd;
  TlsStream* tls;

  /// `ok` once; `again` while it goes on; `failed` when it can't be.
  IoResult handshake() const;
  IoResult read(char* data, std::size_t size) const;
  /// One system call on a plain socket; with TLS records of <= 16 KB until all is taken or pinned.
  /// `bytes` are taken and not to be offered again, with any status. No pieces: only what is
  /// pinned.
  IoResult write(std::span<const iovec> pieces) const;
  /// Taken bytes that are not on their way yet: come again when writable.
  bool pinned() const;
  /// Decrypted bytes that no readiness will announce.
  bool has_pending() const;
  /// The last read (or handshake) waits for writability.
  bool read_wants_write() const;
  /// The connection fails when bytes stay unacknowledged for so long.
  void give_up_after(std::chrono::milliseconds unacknowledged) const;
  /// Says goodbye (close_notify, then FIN) as far as that goes at once.
  void shutdown() const;
  /// The socket itself; its TLS state has gone before it.
  void close() const;
};

}  // namespace peal::gateway
