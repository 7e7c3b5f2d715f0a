#pragma once
// What a verb prints. Results go to standard output, everything said about them to standard error.
// Colours and redrawing only on a terminal (NO_COLOR and TERM=dumb are honoured). A reader that has
// gone away (EPIPE) ends the process quietly: `peal subscribe x | head -1` is no failure.

#include <string>
#include <string_view>
#include <vector>

#include "outcome.hpp"

namespace peal::cli {

enum class Colour { plain, bold, dim, green, yellow, red, cyan };

class Console {
 public:
  Console();

  bool json = false;  ///< --json was given
  bool terminal() const { return out_terminal_; }
  bool error_terminal() const { return error_terminal_; }
  int columns() const;
  int rows() const;

  /// A whole line to standard output, at once: a pipe's reader gets it now.
  void line(std::string_view text);
  void raw(std::string_view text);   ///< to standard output as it is
  void note(std::string_view text);  ///< a line to standard error
  /// A line on standard error that the next one overwrites; only on a terminal.
  void progress(std::string_view text);
  /// Says why on standard error; gives the exit code.
  int fail(const Failure& failure);

  std::string paint(Colour colour, std::string_view text) const;  ///< for standard output

 private:
  bool out_terminal_ = false;
  bool error_terminal_ = false;
  bool colours_ = false;
  bool error_colours_ = false;
  bool progress_shown_ = false;
};

/// Columns as wide as their widest cell; numbers to the right.
class Table {
 public:
  enum class Align { left, right };
  struct Column {
    std::string title;
    Align align = Align::left;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  void print(Console& console) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// Without anything a terminal would act upon: control bytes become '?'.
std::string printable(std::string_view text);
/// Terminal cells that `text` takes, roughly: code points.
std::size_t cells(std::string_view text);
std::string human_bytes(double bytes);
std::string human_duration(double seconds);
/// 1234567 -> "1,234,567".
std::string grouped(std::uint64_t number);

}  // namespace peal::cli
