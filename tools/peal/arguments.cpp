#include "arguments.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>

namespace peal::cli {
namespace {

template <class Number>
bool parse_number(std::string_view text, Number& out) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return false;
  }
  out = value;
  return true;
}

bool looks_like_option(std::string_view word) {
  if (word.size() < 2 || word[0] != '-') {
    return false;
  }
  double number = 0;
  return !parse_number(word, number);
}

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({change, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

void append_row(std::string& out, const std::string& left, std::string_view right) {
  constexpr std::size_t kColumn = 26;
  out += "  " + left;
  if (left.size() + 2 >= kColumn) {
    out += "\n" + std::string(kColumn, ' ');
  } else {
    out.append(kColumn - 2 - left.size(), ' ');
  }
  out += right;
  out += '\n';
}

}  // namespace

bool parse_duration(std::string_view text, std::chrono::milliseconds& out) {
  static constexpr std::array<std::pair<std::string_view, double>, 5> kUnits{
      {{"ms", 1.0}, {"s", 1e3}, {"m", 6e4}, {"h", 3.6e6}, {"d", 8.64e7}}};
  double factor = 1e3;
  for (const auto& [unit, ms] : kUnits) {
    if (text.ends_with(unit)) {
      text.remove_suffix(unit.size());
      factor = ms;
      break;
    }
  }
  double value = 0;
  if (!parse_number(text, value) || !std::isfinite(value) || value < 0 || value * factor > 1e15) {
    return false;
  }
  out = std::chrono::milliseconds(static_cast<std::int64_t>(value * factor));
  return true;
}

std::string nearest_name(std::string_view word, const std::vector<std::string>& names) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const auto& name : names) {
    const std::size_t d = distance(word, name);
    if (d < best_distance) {
      best_distance = d;
      best = name;
    }
  }
  return best;
}

void Arguments::word(std::string name, std::string& target, std::string help, bool required) {
  words_.push_back({std::move(name), std::move(help), required, &target, nullptr});
}

void Arguments::rest(std::string name, std::vector<std::string>& target, std::string help,
                     bool required) {
  words_.push_back({std::move(name), std::move(help), required, nullptr, &target});
}

void Arguments::add(std::string name, std::string value, std::string help,
                    std::function<bool(std::string_view)> set) {
  options_.push_back({std::move(name), std::move(value), std::move(help), std::move(set)});
}

void Arguments::option(std::string name, std::string value, std::string& target, std::string help) {
  add(std::move(name), std::move(value), std::move(help), [&target](std::string_view text) {
    target = text;
    return true;
  });
}

void Arguments::option(std::string name, std::string value, std::uint64_t& target,
                       std::string help) {
  add(std::move(name), std::move(value), std::move(help),
      [&target](std::string_view text) { return parse_number(text, target); });
}

void Arguments::option(std::string name, std::string value, double& target, std::string help) {
  add(std::move(name), std::move(value), std::move(help), [&target](std::string_view text) {
    return parse_number(text, target) && std::isfinite(target) && target >= 0;
  });
}

void Arguments::option(std::string name, std::string value, std::chrono::milliseconds& target,
                       std::string help) {
  add(std::move(name), std::move(value), std::move(help),
      [&target](std::string_view text) { return parse_duration(text, target); });
}

void Arguments::option(std::string name, std::string value, std::vector<std::string>& target,
                       std::string help) {
  add(std::move(name), std::move(value), std::move(help), [&target](std::string_view text) {
    target.emplace_back(text);
    return true;
  });
}

void Arguments::flag(std::string name, bool& target, std::string help) {
  add(std::move(name), {}, std::move(help), [&target](std::string_view) {
    target = true;
    return true;
  });
}

void Arguments::example(std::string command, std::string says) {
  examples_.emplace_back(std::move(command), std::move(says));
}

Outcome<void> Arguments::take_option(const std::vector<std::string>& words, std::size_t& at) {
  const std::string& word = words[at];
  const auto equals = word.find('=');
  const std::string name = word.substr(0, equals);
  const auto found = std::find_if(options_.begin(), options_.end(),
                                  [&](const Option& option) { return option.name == name; });
  if (found == options_.end()) {
    std::vector<std::string> names{"--help"};
    for (const auto& option : options_) {
      names.push_back(option.name);
    }
    const std::string near = nearest_name(name, names);
    return usage("unknown option " + name + (near.empty() ? "" : "; did you mean " + near + "?"));
  }
  if (found->value.empty()) {
    if (equals != std::string::npos) {
      return usage(name + " takes no value");
    }
    found->set({});
    return {};
  }
  std::string value;
  if (equals != std::string::npos) {
    value = word.substr(equals + 1);
  } else if (at + 1 < words.size()) {
    value = words[++at];
  } else {
    return usage(name + " needs a value: " + name + " " + found->value);
  }
  if (!found->set(value)) {
    return usage("'" + value + "' is not a value for " + name + " " + found->value);
  }
  return {};
}

Outcome<void> Arguments::take_words(const std::vector<std::string>& words) {
  std::size_t at = 0;
  for (auto& word : words_) {
    if (word.many != nullptr) {
      word.many->assign(words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
      at = words.size();
      if (word.required && word.many->empty()) {
        return usage("missing " + word.name);
      }
    } else if (at < words.size()) {
      *word.one = words[at++];
    } else if (word.required) {
      return usage("missing " + word.name);
    }
  }
  if (at < words.size()) {
    return usage("one word too many: '" + words[at] + "'");
  }
  return {};
}

Outcome<void> Arguments::parse(const std::vector<std::string>& words) {
  std::vector<std::string> plain;
  bool options_ended = false;
  for (std::size_t at = 0; at < words.size(); ++at) {
    if (options_ended || !looks_like_option(words[at])) {
      plain.push_back(words[at]);
    } else if (words[at] == "--") {
      options_ended = true;
    } else if (words[at] == "--help" || words[at] == "-h") {
      help_wanted_ = true;
      return {};
    } else if (auto taken = take_option(words, at); !taken) {
      return taken;
    }
  }
  return take_words(plain);
}

std::string Arguments::help(std::string_view verb, std::string_view summary) const {
  std::string out(summary);
  out += "\n\nUsage: peal " + std::string(verb);
  for (const auto& word : words_) {
    const std::string name = word.name + (word.many != nullptr ? "..." : "");
    out += word.required ? " " + name : " [" + name + "]";
  }
  out += " [options]\n";
  if (!words_.empty()) {
    out += '\n';
    for (const auto& word : words_) {
      append_row(out, word.name, word.help);
    }
  }
  out += "\nOptions:\n";
  for (const auto& option : options_) {
    append_row(out, option.name + (option.value.empty() ? "" : " " + option.value), option.help);
  }
  append_row(out, "--help", "this text");
  if (!examples_.empty()) {
    out += "\nExamples:\n";
    for (const auto& [command, says] : examples_) {
      out += "  # " + says + "\n  " + command + "\n";
    }
  }
  return out;
}

}  // namespace peal::cli
