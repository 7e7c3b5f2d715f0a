#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "config_file.hpp"
#include "config_schema.hpp"
#include "config_value.hpp"
#include "peal/runtime/config.hpp"
#include "peal/runtime/version.hpp"

namespace peal::runtime {
namespace {

using Kind = ConfigField::Kind;
using Type = FileValue::Type;

constexpr int kExitUsage = 2;
constexpr const char* kFileVariable = "PEAL_CONFIG";

bool type_fits(const ConfigField& field, const FileValue& value) {
  switch (field.kind) {
    case Kind::text:
      return value.type == Type::text;
    case Kind::boolean:
      return value.type == Type::boolean;
    case Kind::size:
      return value.type == Type::number || value.type == Type::text;
    case Kind::duration:
      return value.type == Type::text || (value.type == Type::number && value.texts[0] == "0");
    case Kind::list:
      return value.type == Type::list || value.type == Type::text;
  }
  return false;
}

std::string_view takes(Kind kind) {
  switch (kind) {
    case Kind::text:
      return "a string";
    case Kind::boolean:
      return "true or false";
    case Kind::size:
      return "a number or size, like 64 or \"512KiB\"";
    case Kind::duration:
      return "a duration, like \"250ms\", \"10s\" or \"5m\"";
    case Kind::list:
      return "a list of strings";
  }
  return "";
}

std::string_view placeholder(Kind kind) {
  switch (kind) {
    case Kind::text:
      return " TEXT";
    case Kind::boolean:
      return "";
    case Kind::size:
      return " SIZE";
    case Kind::duration:
      return " TIME";
    case Kind::list:
      return " TEXT...";
  }
  return "";
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto comma = text.find(',');
    if (comma != 0) parts.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return parts;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

std::string did_you_mean(std::string_view wrong, const std::vector<std::string>& names) {
  const std::string near = nearest(wrong, names);
  return near.empty() ? "; --help lists them all" : "; did you mean " + near + "?";
}

}  // namespace

/// One run of load_config. Every mistake is collected, so that one run shows them all.
class ConfigLoader {
 public:
  ConfigLoader(ConfigSchema& schema, std::string_view program, std::string_view about)
      : schema_(schema), parts_(*schema.impl_), program_(program), about_(about) {}

  LoadedConfig load(const std::vector<std::string>& arguments,
                    const std::function<Result<void>()>& validate) {
    read_arguments(arguments);
    if (help_) return done(0, help());
    if (version_) return done(0, program_ + " " + std::string(version()) + "\n");
    apply_file();
    apply_environment();
    apply_flags();
    if (errors_.empty() && validate) {
      if (const auto valid = validate(); !valid) errors_.push_back(valid.error().message);
    }
    if (!errors_.empty()) return done(kExitUsage, error_text());
    if (print_) return done(0, schema_.print());
    if (check_) return done(0, "the configuration is valid\n");
    LoadedConfig loaded;
    loaded.warnings = std::move(warnings_);
    return loaded;
  }

 private:
  using Parts = ConfigSchema::Impl;
  struct Given {
    std::string flag;
    std::vector<std::string> texts;
  };

  LoadedConfig done(int exit_code, std::string output) {
    LoadedConfig loaded;
    loaded.action = LoadedConfig::Action::exit;
    loaded.exit_code = exit_code;
    loaded.output = std::move(output);
    loaded.warnings = std::move(warnings_);
    return loaded;
  }

  std::string error_text() const {
    std::string text;
    for (const std::string& error : errors_)
      text += program_ + ": " + error + "\n";
    return text;
  }

  void set(const ConfigField& field, const std::vector<std::string>& texts,
           const std::string& where) {
    if (const auto result = field.set(texts); !result) {
      // A wrong secret is not repeated on a terminal or in a log.
      errors_.push_back(where + ": " + (field.secret ? "not usable" : result.error().message));
    }
  }

  // --- flags

  void read_arguments(const std::vector<std::string>& arguments) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      const std::string& argument = arguments[i];
      const auto equals = argument.find('=');
      const std::string flag = argument.substr(0, equals);
      if (argument == "--help" || argument == "-h") {
        help_ = true;
      } else if (argument == "--version") {
        version_ = true;
      } else if (argument == "--print-config") {
        print_ = true;
      } else if (argument == "--check-config") {
        check_ = true;
      } else if (!argument.starts_with("--")) {
        errors_.push_back("\"" + argument + "\" is no flag; --help lists them all");
      } else if (const ConfigField* field = field_of(flag); !field && !takes_text(flag)) {
        errors_.push_back(flag + " is no flag" + did_you_mean(flag, flag_names()));
        // Its value, if it has one, would only be a second error.
        if (equals == std::string::npos && has_value(arguments, i)) ++i;
      } else if (equals != std::string::npos) {
        give(flag, argument.substr(equals + 1));
      } else if (field && field->kind == Kind::boolean) {
        give(flag, "true");
      } else if (i + 1 < arguments.size()) {
        give(flag, arguments[++i]);
      } else {
        errors_.push_back(flag + " needs a value");
      }
    }
  }

  static bool has_value(const std::vector<std::string>& arguments, std::size_t i) {
    return i + 1 < arguments.size() && !arguments[i + 1].starts_with("--");
  }

  bool takes_text(std::string_view flag) const {
    return flag == "--config" ||
           std::ranges::find(parts_.flags, flag, &ConfigFlag::name) != parts_.flags.end();
  }

  const ConfigField* field_of(std::string_view flag) const {
    const auto found = std::ranges::find_if(
        parts_.fields, [&](const ConfigField& field) { return flag_name(field.key) == flag; });
    return found == parts_.fields.end() ? nullptr : &*found;
  }

  void give(const std::string& flag, std::string text) {
    if (flag == "--config") {
      file_ = std::move(text);
      return;
    }
    const auto found = std::ranges::find(given_, flag, &Given::flag);
    if (found == given_.end()) {
      given_.push_back({flag, {std::move(text)}});
    } else {
      found->texts.push_back(std::move(text));
    }
  }

  void apply_flags() {
    for (const Given& given : given_) {
      if (const ConfigField* field = field_of(given.flag)) {
        set(*field, given.texts, given.flag);
      } else {
        *std::ranges::find(parts_.flags, given.flag, &ConfigFlag::name)->target = given.texts;
      }
    }
  }

  std::vector<std::string> flag_names() const {
    std::vector<std::string> names = {"--config", "--check-config", "--print-config", "--version",
                                      "--help"};
    for (const ConfigField& field : parts_.fields)
      names.push_back(flag_name(field.key));
    for (const ConfigFlag& flag : parts_.flags)
      names.push_back(flag.name);
    return names;
  }

  // --- the file

  void apply_file() {
    if (file_.empty()) {
      const char* const named = std::getenv(kFileVariable);
      if (named) file_ = named;
    }
    if (file_.empty()) return;
    const auto file = read_config_file(file_);
    if (!file) {
      errors_.push_back(file.error().message);
      return;
    }
    for (const FileValue& value : file->values)
      apply(parts_, value);
    for (const FileArray& array : file->arrays)
      apply(array);
  }

  std::string where(unsigned line) const { return file_ + ":" + std::to_string(line); }

  void apply(Parts& parts, const FileValue& value) {
    const auto field = std::ranges::find(parts.fields, value.key, &ConfigField::key);
    if (field != parts.fields.end()) {
      if (type_fits(*field, value)) {
        set(*field, value.texts, where(value.line) + ": " + value.key);
      } else {
        errors_.push_back(where(value.line) + ": " + value.key + " takes " +
                          std::string(takes(field->kind)) + ", not " + value.type_name);
      }
    } else if (!apply_to_table(parts, value) && !empty_array(parts, value)) {
      errors_.push_back(where(value.line) + ": " + value.key + " is no key" +
                        did_you_mean(value.key, keys(parts)));
    }
  }

  bool apply_to_table(Parts& parts, const FileValue& value) {
    for (const ConfigTable& table : parts.tables) {
      if (!value.key.starts_with(table.key + ".")) continue;
      if (value.type == Type::text) {
        (*table.target)[value.key.substr(table.key.size() + 1)] = value.texts[0];
      } else {
        errors_.push_back(where(value.line) + ": " + value.key + " takes a string, not " +
                          value.type_name);
      }
      return true;
    }
    return false;
  }

  static bool empty_array(const Parts& parts, const FileValue& value) {
    return value.type == Type::list && value.texts.empty() &&
           std::ranges::find(parts.arrays, value.key, &ConfigArray::key) != parts.arrays.end();
  }

  void apply(const FileArray& array) {
    const auto known = std::ranges::find(parts_.arrays, array.key, &ConfigArray::key);
    if (known == parts_.arrays.end()) {
      errors_.push_back(where(array.line) + ": [[" + array.key + "]] is no key" +
                        did_you_mean(array.key, keys(parts_)));
      return;
    }
    for (const auto& values : array.entries) {
      ConfigSchema entry;
      known->add(entry);
      for (const FileValue& value : values)
        apply(*entry.impl_, value);
      known->printed.push_back(entry.print());
    }
  }

  static std::vector<std::string> keys(const Parts& parts) {
    std::vector<std::string> names;
    for (const ConfigField& field : parts.fields)
      names.push_back(field.key);
    for (const ConfigTable& table : parts.tables)
      names.push_back(table.key);
    for (const ConfigArray& array : parts.arrays)
      names.push_back(array.key);
    return names;
  }

  // --- the environment

  void apply_environment() {
    for (char** entry = environ; entry && *entry; ++entry) {
      const std::string_view variable(*entry);
      const auto equals = variable.find('=');
      if (!variable.starts_with("PEAL_") || equals == std::string_view::npos) continue;
      apply_variable(std::string(variable.substr(0, equals)), variable.substr(equals + 1));
    }
  }

  void apply_variable(const std::string& name, std::string_view text) {
    if (name == kFileVariable) return;
    std::vector<std::string> names = {kFileVariable};
    names.reserve(parts_.fields.size() + 1);
    for (const ConfigField& field : parts_.fields) {
      names.push_back(variable_name(field.key));
      if (names.back() != name) continue;
      if (text.empty() && field.kind != Kind::text && field.kind != Kind::list) return;
      set(field, field.kind == Kind::list ? split(text) : std::vector{std::string(text)}, name);
      return;
    }
    for (const ConfigTable& table : parts_.tables) {
      const std::string prefix = variable_name(table.key) + "_";
      if (!name.starts_with(prefix) || name.size() == prefix.size()) continue;
      (*table.target)[lower(std::string_view(name).substr(prefix.size()))] = text;
      return;
    }
    // Others may set variables of this form too (Kubernetes does, for a service named peal), so
    // that only an obvious slip of the pen stops the process.
    const std::string near = nearest(name, names);
    if (!near.empty() && edit_distance(name, near) <= 2) {
      errors_.push_back(name + " is no variable; did you mean " + near + "?");
    } else {
      warnings_.push_back(name + " is in the environment but is no variable of " + program_);
    }
  }

  // --- --help

  std::string help() const {
    std::string text = program_ + " " + std::string(version()) + ": " + about_ +
                       "\n\nUsage: " + program_ + " [FLAG VALUE]...\n\n";
    const auto row = [&](std::string left, const std::string& right) {
      if (left.size() < 34) left.resize(34, ' ');
      text += "  " + left + " " + right + "\n";
    };
    row("--config FILE", "a TOML file; each flag below --a-b is a key there and PEAL_A_B");
    row("--check-config", "say whether the configuration is valid, and leave");
    row("--print-config", "print the configuration as it would be used, secrets masked, and leave");
    row("--version", "print the version, and leave");
    row("--help", "print this, and leave");
    text += "\n";
    for (const ConfigFlag& flag : parts_.flags)
      row(flag.name + " TEXT...", flag.help);
    for (const ConfigField& field : parts_.fields) {
      row(flag_name(field.key) + std::string(placeholder(field.kind)),
          field.help + " [" + field.show() + "]");
    }
    if (!parts_.tables.empty() || !parts_.arrays.empty()) text += "\nOnly in the file:\n";
    for (const ConfigTable& table : parts_.tables)
      row("[" + table.key + "]", table.help);
    for (const ConfigArray& array : parts_.arrays)
      row("[[" + array.key + "]]", array.help);
    return text;
  }

  ConfigSchema& schema_;
  Parts& parts_;
  std::string program_;
  std::string about_;
  std::string file_;
  std::vector<Given> given_;
  std::vector<std::string> errors_;
  std::vector<std::string> warnings_;
  bool help_ = false;
  bool version_ = false;
  bool print_ = false;
  bool check_ = false;
};

LoadedConfig load_config(ConfigSchema& schema, std::string_view program, std::string_view about,
                         const std::vector<std::string>& arguments,
                         const std::function<Result<void>()>& validate) {
  return ConfigLoader(schema, program, about).load(arguments, validate);
}

}  // namespace peal::runtime
