#include "config_file.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

namespace peal::runtime {
namespace {

using Type = FileValue::Type;

constexpr std::uintmax_t kFileBytesMax = 16 * 1024 * 1024;

std::string number_text(const toml::node& node) {
  std::ostringstream out;
  if (const auto* whole = node.as_integer()) {
    out << whole->get();
  } else {
    out << node.as_floating_point()->get();
  }
  return out.str();
}

FileValue leaf(std::string key, const toml::node& node) {
  FileValue value{std::move(key), node.source().begin.line, Type::other, "this", {}};
  if (const auto* text = node.as_string()) {
    value.type = Type::text;
    value.type_name = "a string";
    value.texts = {text->get()};
  } else if (const auto* flag = node.as_boolean()) {
    value.type = Type::boolean;
    value.type_name = "a boolean";
    value.texts = {flag->get() ? "true" : "false"};
  } else if (node.is_number()) {
    value.type = Type::number;
    value.type_name = "a number";
    value.texts = {number_text(node)};
  } else if (const auto* array = node.as_array()) {
    const bool strings = array->empty() || array->is_homogeneous<std::string>();
    value.type = strings ? Type::list : Type::other;
    value.type_name = strings ? "a list" : "a list of something else than strings";
    for (const toml::node& element : *array) {
      value.texts.push_back(element.value_or(std::string()));
    }
  } else {
    value.type_name = "a date or time";
  }
  return value;
}

void flatten(ConfigFile& file, const toml::table& table, const std::string& prefix) {
  for (const auto& [name, node] : table) {
    const std::string key = prefix + std::string(name.str());
    if (const auto* inner = node.as_table()) {
      flatten(file, *inner, key + ".");
    } else if (node.is_array_of_tables()) {
      FileArray array{key, node.source().begin.line, {}};
      for (const toml::node& element : *node.as_array()) {
        ConfigFile entry;
        flatten(entry, *element.as_table(), "");
        array.entries.push_back(std::move(entry.values));
      }
      file.arrays.push_back(std::move(array));
    } else {
      file.values.push_back(leaf(key, node));
    }
  }
}

Error cannot_read(const std::string& path, std::string_view reason) {
  return fail(ErrorCode::config_invalid, "cannot read " + path + ": " + std::string(reason));
}

Result<std::string> read_whole(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return cannot_read(path, "it is a folder");
  std::ifstream in(path, std::ios::binary);
  if (!in) return cannot_read(path, std::generic_category().message(errno));
  const auto size = std::filesystem::file_size(path, error);
  if (!error && size > kFileBytesMax) return cannot_read(path, "larger than 16 MiB");
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (in.bad()) return cannot_read(path, std::generic_category().message(errno));
  return text;
}

}  // namespace

Result<ConfigFile> read_config_file(const std::string& path) {
  const auto text = read_whole(path);
  if (!text) return text.error();
  try {
    const toml::table table = toml::parse(*text, path);
    ConfigFile file;
    flatten(file, table, "");
    // toml++ sorts by key; mistakes are told in the order of the file.
    std::ranges::stable_sort(file.values, {}, &FileValue::line);
    std::ranges::stable_sort(file.arrays, {}, &FileArray::line);
    return file;
  } catch (const toml::parse_error& error) {
    return fail(ErrorCode::config_invalid, path + ":" + std::to_string(error.source().begin.line) +
                                               ": " + std::string(error.description()));
  }
}

}  // namespace peal::runtime
