#pragma once
// A ZeroMQ socket bound as the config says, with every libzmq limit set. An ipc:// file gets 0600
// rights; a stale one is replaced, one that another process listens on, or that is no socket, is
// not.

#include <sys/types.h>

#include <string>
#include <utility>
#include <zmq.hpp>

#include "peal/runtime/curve.hpp"

namespace peal::runtime {

struct BoundSocketOptions {
  std::string key;  ///< the config key that errors name
  std::string endpoint;
  zmq::socket_type type = zmq::socket_type::router;
  std::size_t message_bytes_max = 0;
};

/// Removes an ipc file when it dies, unless another process has put its own there meanwhile.
class IpcFile {
 public:
  IpcFile() = default;
  explicit IpcFile(std::string path);
  ~IpcFile() { remove(); }
  IpcFile(IpcFile&& other) noexcept { swap(other); }
  IpcFile& operator=(IpcFile&& other) noexcept {
    swap(other);
    return *this;
  }
  void remove();

 private:
  void swap(IpcFile& other) noexcept {
    path_.swap(other.path_);
    std::swap(inode_, other.inode_);
  }

  std::string path_;  ///< empty: none
  ino_t inode_ = 0;
};

struct BoundSocket {
  zmq::socket_t socket;
  std::string endpoint;  ///< as bound
  IpcFile file;
};

Result<BoundSocket> bind_socket(zmq::context_t& context, const BoundSocketOptions& options,
                                const CurveConfig& curve);

}  // namespace peal::runtime
