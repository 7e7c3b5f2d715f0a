#include "output.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace peal::cli {
namespace {

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      pollfd wait{fd, POLLOUT, 0};
      ::poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      // EPIPE: the reader has seen enough. Anything else (disk full): say so, and don't go on.
      if (errno != EPIPE && fd == STDOUT_FILENO) {
        std::fprintf(stderr, "peal: cannot write: %s\n", std::strerror(errno));
        std::_Exit(static_cast<int>(Exit::refused));
      }
      if (fd == STDOUT_FILENO) {
        std::_Exit(static_cast<int>(Exit::done));
      }
      return;
    }
  }
}

bool wants_colours(bool terminal) {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  return terminal && (no_colour == nullptr || *no_colour == '\0') && !dumb;
}

winsize window() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 &&
      ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0) {
    return {};
  }
  return size;
}

std::string_view code_of(Colour colour) {
  switch (colour) {
    case Colour::plain:
      return "";
    case Colour::bold:
      return "\x1b[1m";
    case Colour::dim:
      return "\x1b[2m";
    case Colour::green:
      return "\x1b[32m";
    case Colour::yellow:
      return "\x1b[33m";
    case Colour::red:
      return "\x1b[31m";
    case Colour::cyan:
      return "\x1b[36m";
  }
  return "";
}

std::string padded(const std::string& text, std::size_t width, Table::Align align) {
  const std::string space(width - std::min(width, cells(text)), ' ');
  return align == Table::Align::left ? text + space : space + text;
}

}  // namespace

Console::Console()
    : out_terminal_(::isatty(STDOUT_FILENO) == 1), error_terminal_(::isatty(STDERR_FILENO) == 1) {
  colours_ = wants_colours(out_terminal_);
  error_colours_ = wants_colours(error_terminal_);
}

int Console::columns() const {
  return window().ws_col == 0 ? 80 : window().ws_col;
}
int Console::rows() const {
  return window().ws_row == 0 ? 24 : window().ws_row;
}

void Console::line(std::string_view text) {
  std::string out(text);
  out += '\n';
  write_all(STDOUT_FILENO, out);
}

void Console::raw(std::string_view text) {
  write_all(STDOUT_FILENO, text);
}

void Console::note(std::string_view text) {
  std::string out = progress_shown_ ? "\r\x1b[K" : "";
  progress_shown_ = false;
  out += text;
  out += '\n';
  write_all(STDERR_FILENO, out);
}

void Console::progress(std::string_view text) {
  if (!error_terminal_) {
    return;
  }
  progress_shown_ = !text.empty();
  write_all(STDERR_FILENO, "\r\x1b[K" + std::string(text));
}

int Console::fail(const Failure& failure) {
  std::string text = error_colours_ ? "\x1b[31mpeal:\x1b[0m " : "peal: ";
  if (!failure.code.empty()) {
    text += failure.code + ": ";
  }
  note(text + failure.message);
  return static_cast<int>(failure.exit);
}

std::string Console::paint(Colour colour, std::string_view text) const {
  if (!colours_ || colour == Colour::plain) {
    return std::string(text);
  }
  return std::string(code_of(colour)) + std::string(text) + "\x1b[0m";
}

void Table::print(Console& console) const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t width = columns_[c].title.size();
    for (const auto& row : rows_) {
      width = std::max(width, cells(row[c]));
    }
    widths.push_back(width);
  }
  const auto join = [&](const std::vector<std::string>& row) {
    std::string out;
    for (std::size_t c = 0; c < row.size(); ++c) {
      out += c == 0 ? "" : "  ";
      out += padded(row[c], widths[c], columns_[c].align);
    }
    out.erase(out.find_last_not_of(' ') + 1);
    return out;
  };
  std::vector<std::string> titles;
  for (const auto& column : columns_) {
    titles.push_back(column.title);
  }
  console.line(console.paint(Colour::bold, join(titles)));
  for (const auto& row : rows_) {
    console.line(join(row));
  }
}

std::string printable(std::string_view text) {
  std::string out(text);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto byte = static_cast<unsigned char>(out[i]);
    // C1 control characters are U+0080 to U+009F: C2 80 to C2 9F.
    const bool c1 =
        byte == 0xC2 && i + 1 < out.size() && static_cast<unsigned char>(out[i + 1]) < 0xA0;
    if (byte < 0x20 || byte == 0x7F) {
      out[i] = '?';
    } else if (c1) {
      out.replace(i, 2, "?");
    }
  }
  return out;
}

std::size_t cells(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string human_bytes(double bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < std::size(kUnits)) {
    bytes /= 1024;
    ++unit;
  }
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, kUnits[unit]);
  return buffer;
}

std::string human_duration(double seconds) {
  char buffer[60];
  const auto whole = static_cast<long long>(seconds);
  if (seconds < 60) {
    std::snprintf(buffer, sizeof buffer, "%.1fs", seconds);
  } else if (whole < 3600) {
    std::snprintf(buffer, sizeof buffer, "%lldm %llds", whole / 60, whole % 60);
  } else if (whole < 86400) {
    std::snprintf(buffer, sizeof buffer, "%lldh %lldm", whole / 3600, whole / 60 % 60);
  } else {
    std::snprintf(buffer, sizeof buffer, "%lldd %lldh", whole / 86400, whole / 3600 % 24);
  }
  return buffer;
}

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

}  // namespace peal::cli
