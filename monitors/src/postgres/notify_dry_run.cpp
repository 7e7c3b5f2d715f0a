#include "postgres/notify_dry_run.hpp"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <ostream>
#include <vector>

#include "mapping/ring_line.hpp"
#include "postgres/connection.hpp"
#include "postgres/listen.hpp"

namespace peal::monitor {
namespace {

/// SIGINT and SIGTERM as something that is waited for; of the calling thread, and those it makes.
class Ending {
 public:
  Ending() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    fd_ = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  ~Ending() { ::close(fd_); }
  Ending(const Ending&) = delete;
  Ending& operator=(const Ending&) = delete;

  /// Until `fd` is ready, or a moment has passed; false: it is the end.
  bool wait(int fd, short events) {
    pollfd fds[] = {{fd, events, 0}, {fd_, POLLIN, 0}};
    ::poll(fds, 2, 1000);
    wanted_ = wanted_ || (fds[1].revents & POLLIN) != 0;
    return !wanted_;
  }
  bool wanted() const { return wanted_; }

 private:
  int fd_;
  bool wanted_ = false;
};

std::string error_line(const Error& error) {
  std::string line = "{\"error\":";
  append_json_text(line, error.message);
  return line + "}\n";
}

/// What is printed; the error: the connection is of no use any more.
Result<std::string> lines_of(const Listen& listen, const std::string& said, Connection& connection,
                             JsonReader& reader) {
  std::string payload = said;
  if (!listen.fetch().empty()) {
    const auto answer = connection.ask(listen.fetch().c_str(), {said});
    if (!answer && answer.error().temporary()) return answer.error();
    if (!answer) return error_line(answer.error());
    payload = answer->rows() == 0 ? "null" : answer->at(0, 0).value_or("null");
  }
  const auto ring = listen.ring(payload, reader);
  return ring ? ring_line(*ring) : error_line(ring.error());
}

Result<void> listen_to_all(const MonitorConfig& config, Ending& ending, std::ostream& out,
                           std::ostream& err) {
  auto connection =
      Connection::open(config.dsn, config.process.name,
                       [&ending](int fd, short events) { return ending.wait(fd, events); });
  if (!connection) return connection.error();
  std::vector<Listen> listens;
  for (const ListenConfig& each : config.listens) {
    listens.push_back(*Listen::compile(each));
    auto listening = connection->run("listen " + connection->quoted(listens.back().name()));
    if (!listening) return listening;
  }
  err << "listening; Ctrl-C ends it" << std::endl;
  JsonReader reader;
  do {
    const auto came = connection->notified();
    if (!came) return came.error();
    for (const Notification& said : *came) {
      for (const Listen& listen : listens) {
        if (listen.name() != said.channel) continue;
        const auto lines = lines_of(listen, said.payload, *connection, reader);
        if (!lines) return lines.error();
        out << *lines << std::flush;
      }
    }
  } while (ending.wait(connection->fd(), POLLIN));
  return {};
}

}  // namespace

int notify_dry_run(const MonitorConfig& config, std::ostream& out, std::ostream& err) {
  Ending ending;
  const auto done = listen_to_all(config, ending, out, err);
  if (done || ending.wanted()) return 0;
  err << done.error().message << '\n';
  return 1;
}

}  // namespace peal::monitor
