#include "control_target.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "curve_keys.hpp"

namespace peal::cli {
namespace {

namespace fs = std::filesystem;

/// Where processes put their sockets, whoever started them: their runtime folder, or root's.
std::vector<std::string> socket_folders() {
  std::vector<std::string> folders;
  if (const char* runtime = std::getenv("XDG_RUNTIME_DIR"); runtime != nullptr && *runtime != 0) {
    folders.push_back(std::string(runtime) + "/peal");
  }
  folders.emplace_back("/run/peal");
  folders.push_back("/tmp/peal-" + std::to_string(::getuid()));
  return folders;
}

/// Whether a process holds the socket open; a killed one leaves its file behind.
bool somebody_listens(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return false;
  }
  path.copy(address.sun_path, path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const bool up =
      fd >= 0 && ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return up;
}

std::vector<std::string> sockets_in(const std::string& folder, std::string_view suffix) {
  std::vector<std::string> found;
  struct stat owner {};
  // A stranger's folder in /tmp is no place to look for one's own processes.
  if (::stat(folder.c_str(), &owner) != 0 || (owner.st_uid != ::geteuid() && owner.st_uid != 0)) {
    return found;
  }
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string path = it->path().string();
    if (path.ends_with(suffix) && somebody_listens(path)) {
      found.push_back(path);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

void describe(Arguments& arguments, ControlOptions& options) {
  arguments.option("--control", "ENDPOINT", options.control,
                   "the process's control socket: ipc://PATH or tcp://HOST:PORT");
  arguments.option("--node", "NAME", options.node,
                   "the process of that name on this machine (default: the only one)");
  describe_curve(arguments, options);
  arguments.option("--timeout", "TIME", options.timeout, "how long to wait for it (default 5s)");
}

void describe_curve(Arguments& arguments, ControlOptions& options) {
  arguments.option("--curve-key", "FILE", options.curve_key,
                   "secret key for tcp:// (of peal keygen)");
  arguments.option("--server-key", "KEY", options.server_key,
                   "the other side's public key, or a file with it");
  arguments.flag("--insecure", options.insecure, "allow tcp:// to another machine without keys");
}

std::string endpoint_of(const std::string& text) {
  return text.find("://") == std::string::npos ? "ipc://" + text : text;
}

std::vector<std::string> brokers_of(std::string_view list) {
  std::vector<std::string> brokers;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    brokers.emplace_back(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return brokers;
}

Outcome<runtime::CurveConfig> curve_keys(const ControlOptions& options,
                                         const std::string& endpoint) {
  if (options.curve_key.empty() != options.server_key.empty()) {
    return usage("--curve-key and --server-key belong together");
  }
  if (options.server_key.empty()) {
    const runtime::CurveConfig none;
    for (const std::string& broker : brokers_of(endpoint)) {
      const std::string address = broker.substr(broker.find('=') + 1);
      if (!runtime::require_curve(address, none, options.insecure, "--server-key")) {
        return usage(address +
                     " is on another machine: give --curve-key and --server-key, or --insecure");
      }
    }
    return none;
  }
  return load_curve_keys(options.curve_key, options.server_key);
}

Outcome<std::string> find_endpoint(const ControlOptions& options, std::string_view suffix) {
  if (!options.control.empty()) {
    return endpoint_of(options.control);
  }
  std::vector<std::string> found;
  for (const std::string& folder : socket_folders()) {
    found = sockets_in(folder, options.node.empty() ? std::string(suffix)
                                                    : "/" + options.node + std::string(suffix));
    if (!found.empty()) {
      break;
    }
  }
  if (found.size() == 1) {
    return "ipc://" + found.front();
  }
  if (found.empty()) {
    std::string where;
    for (const std::string& folder : socket_folders()) {
      where += (where.empty() ? "" : " or ") + folder;
    }
    return unreachable("no running Peal process " +
                       (options.node.empty() ? "has its" : "'" + options.node + "' has a") +
                       " control socket in " + where + "; name one by --control ENDPOINT");
  }
  std::string names;
  for (const std::string& path : found) {
    const std::string file = fs::path(path).filename().string();
    names += "\n  --node " + file.substr(0, file.size() - suffix.size());
  }
  return usage("several processes run here; choose one:" + names);
}

Outcome<std::unique_ptr<ControlClient>> open_control(const ControlOptions& options) {
  auto endpoint = find_endpoint(options, ".control");
  if (!endpoint) {
    return endpoint.error();
  }
  auto curve = curve_keys(options, *endpoint);
  if (!curve) {
    return curve.error();
  }
  auto client = std::make_unique<ControlClient>(*endpoint, *curve);
  if (auto connected = client->connect(options.timeout); !connected) {
    return connected.error();
  }
  return client;
}

Outcome<std::string> ask(const ControlOptions& options, std::string_view action,
                         std::string_view payload) {
  auto client = open_control(options);
  if (!client) {
    return client.error();
  }
  return (*client)->request(action, payload, options.timeout);
}

}  // namespace peal::cli
