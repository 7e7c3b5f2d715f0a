#pragma once
// Bytes in and out of one non-blocking socket, plain or TLS. The plain path is a system call and nothing
// else; the TLS path is OpenSSL straight on the socket (OpenSSL is included in the .cpp only). TLS may
// want to write in order to read and the other way round: `wants_write` says so, and the owner then waits
// for writability before it comes again. Bytes once refused by a TLS write are pinned: the same bytes
// must be offered again first (Outbox keeps them at the front and unchanged).

#include <sys/uio.h>

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
  void* bio_method_ = nullptr;
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
  /// One system call on a plain socket; with TLS one record of <= 16 KB from the first bytes.
  IoResult write(std::span<const iovec> pieces) const;
  /// Decrypted bytes that no readiness will announce.
  bool has_pending() const;
  /// The last `again` waits for writability although it was a read, or for readability although a write.
  bool read_wants_write() const;
  bool write_wants_read() const;
  /// Says goodbye (close_notify, then FIN) as far as that goes at once.
  void shutdown() const;
};

}  // namespace peal::gateway
