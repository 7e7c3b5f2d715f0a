#pragma once
// A real redis-server (or Sentinel) of a test's own: a folder, a free port of loopback and a unix
// socket, gone with it. Start it on a thread that outlives it: the kernel kills the server when
// that thread ends. ask() is a plain synchronous command for what a test wants to see or to break.

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "temp_folder.hpp"

namespace peal::test {

class RedisServer {
 public:
  struct Options {
    /// Lines for its configuration, after those that it needs.
    std::vector<std::string> lines{};
    bool sentinel = false;
    bool cluster = false;
    /// A TLS port besides, with a certificate of its own; see ca_file().
    bool tls = false;
  };

  /// Started, and answering. Throws with the server's log where that fails.
  explicit RedisServer(Options options);
  RedisServer() : RedisServer(Options{}) {}
  explicit RedisServer(std::vector<std::string> lines) : RedisServer(Options{std::move(lines)}) {}
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  /// Again, with the same port and folder.
  void start();
  void stop();  ///< SIGTERM: it saves what it is told to save
  void kill();  ///< SIGKILL
  void freeze();
  void thaw();

  std::uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string bus_port() const { return std::to_string(bus_port_); }
  std::string tls_address() const { return "127.0.0.1:" + std::to_string(tls_port_); }
  std::string unix_address() const { return "unix:" + folder_.path() + "/redis.sock"; }
  std::string ca_file() const { return folder_.path() + "/certificate.pem"; }
  const std::string& folder() const { return folder_.path(); }
  std::string log() const;

  /// A reply as text: an integer in decimal, "(nil)", an array's elements a line each, an error
  /// behind '-'; "(no connection)" where nobody answers. By the unix socket, as the default user.
  std::string ask(const std::vector<std::string>& args) const;
  /// What INFO or CLUSTER INFO says of a field.
  std::string info(const std::string& field) const;

 private:
  void write_config() const;
  bool answers() const;
  void end(int signal);

  Options options_;
  TempFolder folder_;
  std::uint16_t port_ = 0;
  std::uint16_t bus_port_ = 0;
  std::uint16_t tls_port_ = 0;
  pid_t pid_ = -1;
};

/// Makes certificate.pem and key.pem for 127.0.0.1 and localhost.
void make_certificate(const std::string& folder);

}  // namespace peal::test
