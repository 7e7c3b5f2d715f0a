#pragma once
// A TOML file as a flat list of keys with their lines. toml++ stays behind this header.

#include <cstdint>
#include <string>
#include <vector>

#include "peal/proto/result.hpp"

namespace peal::runtime {

struct FileValue {
  enum class Type : std::uint8_t { text, boolean, number, list, other };

  std::string key;  ///< dotted, from the file's root or its entry's
  unsigned line = 0;
  Type type = Type::other;
  std::string type_name;           ///< for a person: "a number"
  std::vector<std::string> texts;  ///< one, or a list's
};

struct FileArray {
  std::string key;
  unsigned line = 0;
  std::vector<std::vector<FileValue>> entries;
};

struct ConfigFile {
  std::vector<FileValue> values;
  std::vector<FileArray> arrays;  ///< of tables: [[channels]]
};

/// The error names the file, and the line of a syntax error.
Result<ConfigFile> read_config_file(const std::string& path);

}  // namespace peal::runtime
