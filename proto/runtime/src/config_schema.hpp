#pragma once
// What a ConfigSchema holds: per key its bounds to the component's struct, as functions from and to
// text. The file, the environment and the flags all end in `set`, so a value means the same in
// each.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "peal/runtime/config.hpp"

namespace peal::runtime {

struct ConfigField {
  enum class Kind : std::uint8_t { text, boolean, size, duration, list };

  std::string key;
  std::string help;
  Kind kind = Kind::text;
  bool secret = false;
  /// The error is a half sentence: "is not a size, like 64 or 512KiB".
  std::function<Result<void>(const std::vector<std::string>&)> set;
  std::function<std::string(bool mask)> write;  ///< as TOML writes it

  std::string show() const { return write(secret); }
};

struct ConfigTable {
  std::string key;
  std::string help;
  bool secret = false;
  std::map<std::string, std::string>* target = nullptr;
};

struct ConfigArray {
  std::string key;
  std::string help;
  std::function<void(ConfigSchema&)> add;
  std::vector<std::string> printed;  ///< each entry as read: its storage may move later
};

struct ConfigFlag {
  std::string name;
  std::string help;
  std::vector<std::string>* target = nullptr;
};

struct ConfigSchema::Impl {
  void add(ConfigField field);  ///< throws when the key is taken: a defect of the program

  std::vector<ConfigField> fields;
  std::vector<ConfigTable> tables;
  std::vector<ConfigArray> arrays;
  std::vector<ConfigFlag> flags;
};

/// `a.b_c` as a flag ("--a-b-c") and as a variable ("PEAL_A_B_C").
std::string flag_name(std::string_view key);
std::string variable_name(std::string_view key);

}  // namespace peal::runtime
