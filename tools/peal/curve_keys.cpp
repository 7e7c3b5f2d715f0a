#include "curve_keys.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <unistd.h>

namespace peal::cli {
namespace {

constexpr std::size_t kKeySize = 40;

Outcome<std::string> read_key(const std::string& path) {
  std::ifstream file(path);
  std::string key;
  if (!file || !(file >> key)) {
    return usage("cannot read a key from " + path + ": " + std::strerror(errno));
  }
  if (key.size() != kKeySize) {
    return usage(path + " holds no CURVE key: 40 characters Z85");
  }
  return key;
}

Outcome<void> write_file(const std::string& path, const std::string& text, mode_t rights) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, rights);
  if (fd < 0) {
    return Failure{Exit::refused, {}, "cannot write " + path + ": " + std::strerror(errno)};
  }
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (::close(fd) != 0 || !written) {
    return Failure{Exit::refused, {}, "cannot write " + path};
  }
  return {};
}

}  // namespace

Outcome<runtime::CurveConfig> load_curve_keys(const std::string& secret_file,
                                              const std::string& server_key) {
  runtime::CurveConfig curve;
  auto secret = read_key(secret_file);
  if (!secret) {
    return secret.error();
  }
  curve.secret_key = *secret;
  curve.server_key = server_key;
  if (::access(server_key.c_str(), R_OK) == 0) {
    auto other = read_key(server_key);
    if (!other) {
      return other.error();
    }
    curve.server_key = *other;
  } else if (server_key.size() != kKeySize) {
    return usage("--server-key is neither 40 characters Z85 nor a file");
  }
  if (auto completed = runtime::complete(curve); !completed) {
    return usage(completed.error().message);
  }
  return curve;
}

Outcome<std::string> write_new_keys(const std::string& name) {
  const runtime::CurveKeys pair = runtime::generate_curve_keys();
  if (auto written = write_file(name + ".key", pair.secret_key + "\n", 0600); !written) {
    return written.error();
  }
  if (auto written = write_file(name + ".pub", pair.public_key + "\n", 0644); !written) {
    return written.error();
  }
  return pair.public_key;
}

}  // namespace peal::cli
