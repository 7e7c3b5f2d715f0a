#pragma once
// A verb's command line: it binds its fields once, and parsing, --help, and "did you mean" follow
// from that. `--name value` and `--name=value`; `--` ends the options; a lone `-` and negative
// numbers are ordinary words. Given twice, an option's last value counts, except where the field is
// a list.

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "outcome.hpp"

namespace peal::cli {

class Arguments {
 public:
  /// Words without a dash, in order. `rest` takes all that are left (at least one when `required`).
  void word(std::string name, std::string& target, std::string help, bool required = true);
  void rest(std::string name, std::vector<std::string>& target, std::string help,
            bool required = true);

  /// `name` is "--count"; `value` names its value in the help: "N".
  void option(std::string name, std::string value, std::string& target, std::string help);
  void option(std::string name, std::string value, std::uint64_t& target, std::string help);
  void option(std::string name, std::string value, double& target, std::string help);
  void option(std::string name, std::string value, std::chrono::milliseconds& target,
              std::string help);
  void option(std::string name, std::string value, std::vector<std::string>& target,
              std::string help);
  void flag(std::string name, bool& target, std::string help);
  /// Shown under "Examples" of the help.
  void example(std::string command, std::string says);

  Outcome<void> parse(const std::vector<std::string>& words);
  bool help_wanted() const { return help_wanted_; }
  std::string help(std::string_view verb, std::string_view summary) const;

 private:
  struct Option {
    std::string name;
    std::string value;  ///< empty: a flag
    std::string help;
    std::function<bool(std::string_view)> set;
  };
  struct Word {
    std::string name;
    std::string help;
    bool required;
    std::string* one;
    std::vector<std::string>* many;
  };
  void add(std::string name, std::string value, std::string help,
           std::function<bool(std::string_view)> set);
  Outcome<void> take_option(const std::vector<std::string>& words, std::size_t& at);
  Outcome<void> take_words(const std::vector<std::string>& words);

  std::vector<Option> options_;
  std::vector<Word> words_;
  std::vector<std::pair<std::string, std::string>> examples_;
  bool help_wanted_ = false;
};

/// "250ms", "10s", "5m", "2h", "30d"; a bare number is seconds.
bool parse_duration(std::string_view text, std::chrono::milliseconds& out);
/// The one of `names` that `word` was probably meant to be; empty when none is near.
std::string nearest_name(std::string_view word, const std::vector<std::string>& names);

}  // namespace peal::cli
