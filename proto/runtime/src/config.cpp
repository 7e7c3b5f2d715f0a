#include "peal/runtime/config.hpp"

#include <algorithm>
#include <cctype>
#include <stdexcept>

#include "config_schema.hpp"
#include "config_value.hpp"

namespace peal::runtime {
namespace {

using Kind = ConfigField::Kind;
using Texts = std::vector<std::string>;

Error wrong(const std::string& text, std::string_view what) {
  return fail(ErrorCode::config_invalid, "\"" + text + "\" is not " + std::string(what));
}

std::string masked(const std::string& text) {
  return text.empty() ? "\"\"" : "\"********\"";
}

std::string toml_list(const Texts& texts, bool mask) {
  std::string out = "[";
  for (const std::string& text : texts) {
    if (out.size() > 1) out += ", ";
    out += mask ? masked(text) : toml_string(text);
  }
  return out + "]";
}

/// The section of `limits.json_depth_max` is `limits`; of `listen` it is empty.
std::string_view section_of(std::string_view key) {
  const auto dot = key.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : key.substr(0, dot);
}

void put_field(std::string& out, const ConfigField& field) {
  const std::string_view section = section_of(field.key);
  out += "# " + field.help + "\n";
  out += field.key.substr(section.empty() ? 0 : section.size() + 1) + " = " + field.show() + "\n";
}

}  // namespace

std::string flag_name(std::string_view key) {
  std::string name = "--";
  for (const char c : key)
    name += c == '.' || c == '_' ? '-' : c;
  return name;
}

std::string variable_name(std::string_view key) {
  std::string name = "PEAL_";
  for (const char c : key) {
    name +=
        c == '.' || c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

void ConfigSchema::Impl::add(ConfigField field) {
  const bool taken = std::ranges::find(fields, field.key, &ConfigField::key) != fields.end();
  if (taken) throw std::logic_error("two components describe the config key " + field.key);
  fields.push_back(std::move(field));
}

ConfigSchema::ConfigSchema() : impl_(std::make_unique<Impl>()) {}
ConfigSchema::~ConfigSchema() = default;
ConfigSchema::ConfigSchema(ConfigSchema&&) noexcept = default;

void ConfigSchema::field(std::string_view key, std::string& target, std::string_view help,
                         Visibility visibility) {
  impl_->add({std::string(key), std::string(help), Kind::text, visibility == Visibility::secret,
              [&target](const Texts& texts) -> Result<void> {
                target = texts.back();
                return {};
              },
              [&target](bool mask) { return mask ? masked(target) : toml_string(target); }});
}

void ConfigSchema::field(std::string_view key, bool& target, std::string_view help) {
  impl_->add({std::string(key), std::string(help), Kind::boolean, false,
              [&target](const Texts& texts) -> Result<void> {
                const auto value = parse_boolean(texts.back());
                if (!value) return wrong(texts.back(), "true or false");
                target = *value;
                return {};
              },
              [&target](bool) { return target ? "true" : "false"; }});
}

void ConfigSchema::field(std::string_view key, std::size_t& target, std::string_view help) {
  const bool bytes = key.find("bytes") != std::string_view::npos;
  impl_->add({std::string(key), std::string(help), Kind::size, false,
              [&target](const Texts& texts) -> Result<void> {
                const auto value = parse_size(texts.back());
                if (!value) return wrong(texts.back(), "a number or size, like 64 or 512KiB");
                target = *value;
                return {};
              },
              [&target, bytes](bool) { return format_size(target, bytes); }});
}

void ConfigSchema::field(std::string_view key, std::chrono::milliseconds& target,
                         std::string_view help) {
  impl_->add({std::string(key), std::string(help), Kind::duration, false,
              [&target](const Texts& texts) -> Result<void> {
                const auto value = parse_duration(texts.back());
                if (!value) return wrong(texts.back(), "a duration, like 250ms, 10s or 5m");
                target = *value;
                return {};
              },
              [&target](bool) { return format_duration(target); }});
}

void ConfigSchema::field(std::string_view key, std::chrono::seconds& target,
                         std::string_view help) {
  using std::chrono::seconds;
  impl_->add({std::string(key), std::string(help), Kind::duration, false,
              [&target](const Texts& texts) -> Result<void> {
                const auto value = parse_duration(texts.back());
                if (!value || *value % seconds(1) != seconds(0)) {
                  return wrong(texts.back(), "a duration of whole seconds, like 10s or 5m");
                }
                target = std::chrono::duration_cast<seconds>(*value);
                return {};
              },
              [&target](bool) { return format_duration(target); }});
}

void ConfigSchema::field(std::string_view key, std::vector<std::string>& target,
                         std::string_view help, Visibility visibility) {
  impl_->add({std::string(key), std::string(help), Kind::list, visibility == Visibility::secret,
              [&target](const Texts& texts) -> Result<void> {
                target = texts;
                return {};
              },
              [&target](bool mask) { return toml_list(target, mask); }});
}

void ConfigSchema::table(std::string_view key, std::map<std::string, std::string>& target,
                         std::string_view help, Visibility visibility) {
  impl_->tables.push_back(
      {std::string(key), std::string(help), visibility == Visibility::secret, &target});
}

void ConfigSchema::array(std::string_view key, std::function<void(ConfigSchema& entry)> add,
                         std::string_view help) {
  impl_->arrays.push_back({std::string(key), std::string(help), std::move(add), {}});
}

void ConfigSchema::flag(std::string_view name, std::vector<std::string>& target,
                        std::string_view help) {
  std::string flag(name);
  if (!flag.starts_with("--")) flag = "--" + flag;
  impl_->flags.push_back({std::move(flag), std::string(help), &target});
}

std::string ConfigSchema::print() const {
  std::string out;
  std::vector<std::string_view> sections;
  for (const ConfigField& field : impl_->fields) {
    const std::string_view section = section_of(field.key);
    if (section.empty()) {
      put_field(out, field);
    } else if (std::find(sections.begin(), sections.end(), section) == sections.end()) {
      sections.push_back(section);
    }
  }
  for (const std::string_view section : sections) {
    out += "\n[" + std::string(section) + "]\n";
    for (const ConfigField& field : impl_->fields) {
      if (section_of(field.key) == section) put_field(out, field);
    }
  }
  for (const ConfigTable& table : impl_->tables) {
    out += "\n# " + table.help + "\n[" + table.key + "]\n";
    for (const auto& [name, value] : *table.target) {
      out += toml_string(name) + " = " + (table.secret ? masked(value) : toml_string(value)) + "\n";
    }
  }
  for (const ConfigArray& array : impl_->arrays) {
    out += "\n# " + array.help + "\n";
    for (const std::string& entry : array.printed)
      out += "[[" + array.key + "]]\n" + entry;
  }
  return out;
}

std::map<std::string, std::string> ConfigSchema::values() const {
  std::map<std::string, std::string> found;
  for (const ConfigField& field : impl_->fields)
    found.emplace(field.key, field.write(false));
  return found;
}

std::string ConfigSchema::markdown() const {
  std::string out;
  const auto row = [&](const std::string& key, const std::string& value, const std::string& help) {
    out += "| `" + key + "` | " + (value.empty() ? "" : "`" + value + "`") + " | " + help + " |\n";
  };
  for (const ConfigField& field : impl_->fields)
    row(field.key, field.show(), field.help);
  for (const ConfigTable& table : impl_->tables)
    row("[" + table.key + "]", "", table.help);
  for (const ConfigArray& array : impl_->arrays) {
    row("[[" + array.key + "]]", "", array.help);
    ConfigSchema entry;
    array.add(entry);
    for (const ConfigField& field : entry.impl_->fields) {
      row(array.key + "." + field.key, field.show(), field.help);
    }
  }
  for (const ConfigFlag& flag : impl_->flags)
    row(flag.name, "", flag.help);
  return out;
}

}  // namespace peal::runtime
