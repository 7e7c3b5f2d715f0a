#include "bound_socket.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <system_error>

#include "peal/runtime/address.hpp"

namespace peal::runtime {
namespace {

constexpr std::string_view kIpc = "ipc://";
constexpr int kQueuedMessagesMax = 10'000;
// When a producer leaves an ipc:// link while our queue is full, libzmq drops what it had not yet
// read.
constexpr int kIngestQueuedMax = 100'000;
constexpr int kBacklog = 256;
constexpr int kLingerMs = 1000;
constexpr int kHandshakeMs = 10'000;
constexpr int kHeartbeatMs = 10'000;
constexpr int kHeartbeatTimeoutMs = 30'000;

std::string reason(int error) {
  return std::generic_category().message(error);
}

/// Restores the process's umask; libzmq makes the ipc file within zmq_bind, on the calling thread.
class Umask {
 public:
  explicit Umask(mode_t mask) : before_(umask(mask)) {}
  ~Umask() { umask(before_); }
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;

 private:
  mode_t before_;
};

bool somebody_listens(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  const bool refused =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
      (errno == ECONNREFUSED || errno == ENOENT);
  close(fd);
  return !refused;
}

/// libzmq removes whatever is at the path before it binds, so look first. Empty: go ahead.
std::string ipc_problem(const std::string& path) {
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return "the path is longer than " + std::to_string(sizeof(sockaddr_un::sun_path) - 1) +
           " bytes";
  }
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) {
    return errno == ENOENT ? std::string() : reason(errno);
  }
  if (!S_ISSOCK(status.st_mode)) return "a file that is no socket is in its place";
  if (somebody_listens(path)) return "another process listens there";
  return {};
}

/// libzmq cuts ports to 16 bits without a word.
bool tcp_port_valid(std::string_view endpoint) {
  const std::string_view port = endpoint.substr(endpoint.rfind(':') + 1);
  return port == "*" || port == "!" || Address::parse("host:" + std::string(port)).has_value();
}

void set_limits(zmq::socket_t& socket, const BoundSocketOptions& options) {
  using namespace zmq;
  socket.set(sockopt::sndhwm, kQueuedMessagesMax);
  const bool ingest = options.type == socket_type::pull;
  socket.set(sockopt::rcvhwm, ingest ? kIngestQueuedMax : kQueuedMessagesMax);
  socket.set(sockopt::maxmsgsize, static_cast<std::int64_t>(options.message_bytes_max));
  socket.set(sockopt::backlog, kBacklog);
  socket.set(sockopt::linger, kLingerMs);
  socket.set(sockopt::handshake_ivl, kHandshakeMs);
  socket.set(sockopt::heartbeat_ivl, kHeartbeatMs);
  socket.set(sockopt::heartbeat_timeout, kHeartbeatTimeoutMs);
  socket.set(sockopt::ipv6, options.endpoint.find('[') != std::string::npos);
  if (options.type == socket_type::router) {
    socket.set(sockopt::router_mandatory, true);  // a reply that cannot be sent is counted
    socket.set(sockopt::router_handover, false);  // nobody takes over another's identity
  }
}

}  // namespace

IpcFile::IpcFile(std::string path) : path_(std::move(path)) {
  struct stat status {};
  if (lstat(path_.c_str(), &status) == 0) inode_ = status.st_ino;
}

void IpcFile::remove() {
  struct stat status {};
  if (!path_.empty() && lstat(path_.c_str(), &status) == 0 && status.st_ino == inode_) {
    unlink(path_.c_str());
  }
  path_.clear();
}

Result<BoundSocket> bind_socket(zmq::context_t& context, const BoundSocketOptions& options,
                                const CurveConfig& curve) {
  const auto cannot = [&](const std::string& why) {
    return fail(ErrorCode::config_invalid,
                options.key + ": cannot listen on " + options.endpoint + ": " + why);
  };
  std::optional<std::string> path;
  if (options.endpoint.starts_with(kIpc)) {
    path = options.endpoint.substr(kIpc.size());
    if (const std::string why = ipc_problem(*path); !why.empty()) return cannot(why);
  } else if (!options.endpoint.starts_with("tcp://")) {
    return cannot("it begins with neither ipc:// nor tcp://");
  }
  if (!path && !tcp_port_valid(options.endpoint)) return cannot("its port is none");
  try {
    BoundSocket bound{zmq::socket_t(context, options.type), {}, {}};
    set_limits(bound.socket, options);
    if (!path) {
      if (const auto done = apply_curve_server(bound.socket.handle(), curve); !done) {
        return done.error();
      }
    }
    const Umask mask(0177);
    bound.socket.bind(options.endpoint);
    bound.endpoint = bound.socket.get(zmq::sockopt::last_endpoint);
    if (path) bound.file = IpcFile(*path);
    return bound;
  } catch (const zmq::error_t& error) {
    return cannot(error.what());
  }
}

}  // namespace peal::runtime
