#include "ways.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "bench/client/client_loop.hpp"
#include "bench/client/stamp.hpp"
#include "bench/plan.hpp"
#include "json_text.hpp"

namespace peal::swarm {
namespace {

using cli::Outcome;
using std::chrono::milliseconds;

cli::PublishOutcome outcome_of(const cli::JsonObject& reply) {
  if (reply.has("result")) {
    return {std::string(reply.raw("result")), {}, {}};
  }
  const cli::JsonObject error = reply.object("error");
  return {{}, error.text("code"), error.text("message")};
}

class WebSocketWay final : public cli::Publisher, private bench::ClientEvents {
 public:
  WebSocketWay(std::string url, OnResult on_result)
      : on_result_(std::move(on_result)), loop_(*this) {
    plan_.urls = {std::move(url)};
  }

  Outcome<void> connect(milliseconds timeout) override {
    auto targets = cli::make_targets(plan_);
    if (!targets) {
      return targets.error();
    }
    targets_ = std::move(*targets);
    auto id = loop_.connect(targets_.front());
    if (!id) {
      return cli::unreachable(id.error().message);
    }
    id_ = *id;
    const std::uint64_t end =
        bench::steady_ns() + static_cast<std::uint64_t>(timeout.count()) * 1'000'000;
    while (!open_ && why_.empty() && bench::steady_ns() < end) {
      loop_.turn(milliseconds(20));
    }
    return open_ ? Outcome<void>() : cli::unreachable("no connection: " + why_);
  }

  Outcome<void> send(std::uint64_t id, const cli::PublishText& text) override {
    loop_.send(id_, cli::JsonBuilder()
                        .number("id", id)
                        .text("action", "publish")
                        .raw("payload", text.payload_json())
                        .str());
    return {};
  }

  Outcome<void> wait(int, milliseconds timeout) override {
    loop_.turn(timeout);
    return why_.empty() ? Outcome<void>() : cli::unreachable("the connection is lost: " + why_);
  }

 private:
  void on_open(bench::ClientId) override { open_ = true; }
  void on_text(bench::ClientId, std::string_view text) override {
    const cli::JsonObject reply(text);
    if (reply.has("id")) {
      on_result_(reply.number("id"), outcome_of(reply));
    }
  }
  void on_closed(bench::ClientId, int code, std::string_view why) override {
    why_ = std::to_string(code) + " " + std::string(why);
  }

  OnResult on_result_;
  cli::BenchPlan plan_;
  std::vector<bench::Target> targets_;
  bench::ClientLoop loop_;
  bench::ClientId id_ = 0;
  bool open_ = false;
  std::string why_;
};

/// Writes lines to `peal publish --commands --json` and reads its result lines.
class CliWay final : public cli::Publisher {
 public:
  CliWay(std::string peal, std::string endpoint, OnResult on_result)
      : peal_(std::move(peal)), endpoint_(std::move(endpoint)), on_result_(std::move(on_result)) {}

  ~CliWay() override {
    close_input();
    ::close(output_);
    if (child_ > 0) {
      ::waitpid(child_, nullptr, 0);
    }
  }

  Outcome<void> connect(milliseconds) override {
    ::signal(SIGPIPE, SIG_IGN);
    int to_child[2];
    int from_child[2];
    if (::pipe2(to_child, O_CLOEXEC) != 0 || ::pipe2(from_child, O_CLOEXEC) != 0) {
      return cli::unreachable("no pipe");
    }
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(to_child[0], STDIN_FILENO);
      ::dup2(from_child[1], STDOUT_FILENO);
      ::execl(peal_.c_str(), peal_.c_str(), "publish", "--commands", "--json", "--control",
              endpoint_.c_str(), static_cast<char*>(nullptr));
      ::_exit(127);
    }
    ::close(to_child[0]);
    ::close(from_child[1]);
    input_ = to_child[1];
    output_ = from_child[0];
    ::fcntl(input_, F_SETFL, O_NONBLOCK);
    ::fcntl(output_, F_SETFL, O_NONBLOCK);
    return {};
  }

  Outcome<void> send(std::uint64_t, const cli::PublishText& text) override {
    out_ += text.payload_json();
    out_ += '\n';
    return {};
  }

  Outcome<void> wait(int, milliseconds timeout) override {
    pollfd fds[] = {{output_, POLLIN, 0}, {out_.empty() ? -1 : input_, POLLOUT, 0}};
    ::poll(fds, 2, static_cast<int>(timeout.count()));
    if (!out_.empty()) {
      const ssize_t n = ::write(input_, out_.data(), out_.size());
      if (n < 0 && errno != EAGAIN) {
        return cli::unreachable("peal publish has ended");
      }
      out_.erase(0, n > 0 ? static_cast<std::size_t>(n) : 0);
    }
    char chunk[64 * 1024];
    const ssize_t n = ::read(output_, chunk, sizeof chunk);
    if (n == 0) {
      return cli::unreachable("peal publish has ended");
    }
    in_.append(chunk, n > 0 ? static_cast<std::size_t>(n) : 0);
    std::size_t start = 0;
    for (std::size_t end = in_.find('\n'); end != std::string::npos; end = in_.find('\n', start)) {
      const cli::JsonObject result(in_.substr(start, end - start));
      on_result_(result.number("line"), outcome_of(result));
      start = end + 1;
    }
    in_.erase(0, start);
    return {};
  }

  void finish(milliseconds) override { close_input(); }

 private:
  void close_input() {
    if (input_ >= 0) {
      ::close(input_);
      input_ = -1;
    }
  }

  std::string peal_, endpoint_;
  OnResult on_result_;
  pid_t child_ = -1;
  int input_ = -1, output_ = -1;
  std::string out_, in_;
};

}  // namespace

std::unique_ptr<cli::Publisher> make_way(const std::string& way, const std::string& target,
                                         const std::string& peal,
                                         cli::Publisher::OnResult on_result) {
  if (way == "websocket") {
    return std::make_unique<WebSocketWay>(target, std::move(on_result));
  }
  if (way == "cli") {
    return std::make_unique<CliWay>(peal, target, std::move(on_result));
  }
  if (way == "control") {
    return cli::make_control_publisher(target, {}, std::move(on_result));
  }
  if (way == "ingest") {
    return cli::make_ingest_publisher(target, {}, std::move(on_result));
  }
  return nullptr;
}

}  // namespace peal::swarm
