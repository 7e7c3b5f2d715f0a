#include "redis_server.hpp"

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>

#include "eventually.hpp"

namespace peal::test {
namespace {

using namespace std::chrono_literals;
constexpr int kStarts = 5;

std::uint16_t free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool bound = bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(fd);
  if (!bound) throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

std::string as_text(const redisReply& reply) {
  switch (reply.type) {
    case REDIS_REPLY_INTEGER:
      return std::to_string(reply.integer);
    case REDIS_REPLY_NIL:
      return "(nil)";
    case REDIS_REPLY_ERROR:
      return "-" + std::string(reply.str, reply.len);
    case REDIS_REPLY_ARRAY: {
      std::string all;
      for (std::size_t i = 0; i < reply.elements; ++i) {
        all += (i == 0 ? "" : "\n") + as_text(*reply.element[i]);
      }
      return all;
    }
    default:
      return {reply.str, reply.len};
  }
}

pid_t spawn(const std::vector<std::string>& args, const std::string& output) {
  std::vector<char*> pointers;
  for (const std::string& arg : args)
    pointers.push_back(const_cast<char*>(arg.c_str()));
  pointers.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  const int fd = open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  dup2(fd, STDOUT_FILENO);
  dup2(fd, STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execvp(pointers[0], pointers.data());
  _exit(127);
}

}  // namespace

RedisServer::RedisServer(Options options) : options_(std::move(options)) {
  if (options_.tls) make_certificate(folder_.path());
  // Between looking for a free port and taking it, somebody else may.
  for (int i = 0;; ++i) {
    port_ = free_port();
    if (options_.cluster) bus_port_ = free_port();
    if (options_.tls) tls_port_ = free_port();
    write_config();
    try {
      start();
      return;
    } catch (const std::runtime_error&) {
      if (i == kStarts || log().find("Address already in use") == std::string::npos) throw;
    }
  }
}

RedisServer::~RedisServer() {
  kill();
}

void RedisServer::write_config() const {
  std::ofstream out(folder_.path() + "/redis.conf", std::ios::trunc);
  out << "bind 127.0.0.1\nport " << port_ << "\ndir " << folder_.path() << "\nunixsocket "
      << folder_.path() << "/redis.sock\nprotected-mode no\n";
  if (!options_.sentinel) out << "save \"\"\nrepl-diskless-sync-delay 0\n";
  if (options_.cluster) {
    out << "cluster-enabled yes\ncluster-config-file nodes.conf\ncluster-node-timeout 2000\n"
        << "cluster-port " << bus_port_ << "\n";
  }
  if (options_.tls) {
    out << "tls-port " << tls_port_ << "\ntls-cert-file " << folder_.path()
        << "/certificate.pem\ntls-key-file " << folder_.path() << "/key.pem\ntls-auth-clients no\n";
  }
  for (const std::string& line : options_.lines)
    out << line << "\n";
}

void RedisServer::start() {
  if (pid_ > 0) throw std::logic_error("this Redis runs already");
  pid_ =
      spawn({options_.sentinel ? "redis-sentinel" : "redis-server", folder_.path() + "/redis.conf"},
            folder_.path() + "/log");
  if (pid_ < 0) throw std::runtime_error("no process for a Redis");
  bool gone = false;
  const bool up = eventually(
      [&] {
        gone = waitpid(pid_, nullptr, WNOHANG) == pid_;
        return gone || answers();
      },
      30s);
  if (gone) pid_ = -1;
  if (gone || !up) throw std::runtime_error("Redis doesn't start:\n" + log());
}

bool RedisServer::answers() const {
  const std::string pong = ask({"PING"});
  return pong == "PONG" || pong.starts_with("-NOAUTH") || pong.starts_with("-NOPERM");
}

void RedisServer::end(int signal) {
  if (pid_ < 0) return;
  ::kill(pid_, signal);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void RedisServer::stop() {
  end(SIGTERM);
}

void RedisServer::kill() {
  end(SIGKILL);
}

void RedisServer::freeze() {
  ::kill(pid_, SIGSTOP);
}

void RedisServer::thaw() {
  ::kill(pid_, SIGCONT);
}

std::string RedisServer::log() const {
  std::ifstream input(folder_.path() + "/log");
  std::ostringstream text;
  text << input.rdbuf();
  return text.str();
}

std::string RedisServer::ask(const std::vector<std::string>& args) const {
  const timeval patience{10, 0};
  const std::unique_ptr<redisContext, void (*)(redisContext*)> context(
      redisConnectUnixWithTimeout((folder_.path() + "/redis.sock").c_str(), patience), redisFree);
  if (!context || context->err != 0) return "(no connection)";
  redisSetTimeout(context.get(), patience);
  std::vector<const char*> pointers;
  std::vector<std::size_t> sizes;
  for (const std::string& arg : args) {
    pointers.push_back(arg.data());
    sizes.push_back(arg.size());
  }
  const std::unique_ptr<redisReply, void (*)(void*)> reply(
      static_cast<redisReply*>(redisCommandArgv(context.get(), static_cast<int>(args.size()),
                                                pointers.data(), sizes.data())),
      freeReplyObject);
  return reply ? as_text(*reply) : "(no connection)";
}

std::string RedisServer::info(const std::string& field) const {
  for (const std::string& all : {ask({"INFO", "everything"}), ask({"CLUSTER", "INFO"})}) {
    const std::size_t at = ("\n" + all).find("\n" + field + ":");
    if (at == std::string::npos) continue;
    const std::size_t begin = at + field.size() + 1;
    return all.substr(begin, all.find('\r', begin) - begin);
  }
  return {};
}

void make_certificate(const std::string& folder) {
  const std::string command =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
      "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1,DNS:localhost -keyout '" +
      folder + "/key.pem' -out '" + folder + "/certificate.pem' 2>/dev/null";
  if (std::system(command.c_str()) != 0) throw std::runtime_error("openssl makes no certificate");
}

}  // namespace peal::test
