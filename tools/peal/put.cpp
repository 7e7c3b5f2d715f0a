#include <unistd.h>

#include "json_text.hpp"
#include "line_reader.hpp"
#include "resource_client.hpp"
#include "verbs.hpp"

namespace peal::cli {
namespace {

class Put final : public Verb {
 public:
  std::string_view name() const override { return "put"; }
  std::string_view summary() const override { return "Set a channel's value."; }

  void describe(Arguments& arguments) override {
    cli::describe(arguments, options_);
    arguments.word("VALUE", value_,
                   "JSON as it is, anything else as a JSON string; - or nothing: standard input",
                   false);
    arguments.option("--if-match", "POSITION", if_match_,
                     "only if that is the value now; *: only if there is one");
    arguments.flag("--if-none-match", create_, "only if there is none");
    arguments.option("--type", "TYPE", type_, "the bytes as they are, of this content type");
    arguments.option("--idempotency-key", "KEY", idempotency_key_, "set once under this key");
    arguments.example("peal put settings:theme '\"dark\"'", "set it, whatever it was");
    arguments.example("peal put settings:theme '\"dark\"' --if-match AAAAAAAA-7",
                      "only if nobody was faster");
    arguments.example("peal put logo - --type image/png < logo.png", "bytes with a type");
  }

  Outcome<void> run(Console& console) override {
    if (create_ && !if_match_.empty())
      return usage("--if-match and --if-none-match exclude each other");
    HttpRequest request;
    request.method = "PUT";
    if (auto conditions = add_conditions(request); !conditions) return conditions;
    if (auto body = add_body(request); !body) return body;
    auto response = ask(options_, std::move(request));
    if (!response) return response.error();
    if (console.json)
      console.line(minify(response->body));
    else
      console.line((response->status == 201 ? "created " : "ok ") + position_of(response->tag));
    return {};
  }

 private:
  Outcome<void> add_conditions(HttpRequest& request) {
    if (create_) request.headers.emplace_back("If-None-Match", "*");
    if (!if_match_.empty()) {
      auto tag = entity_tag(if_match_);
      if (!tag) return tag.error();
      request.headers.emplace_back("If-Match", *tag);
    }
    if (!idempotency_key_.empty())
      request.headers.emplace_back("Idempotency-Key", idempotency_key_);
    return {};
  }

  Outcome<void> add_body(HttpRequest& request) {
    const bool piped = value_.empty() || value_ == "-";
    if (piped) {
      auto all = read_all(STDIN_FILENO);
      if (!all) return all.error();
      value_ = std::move(*all);
    }
    if (!type_.empty()) {
      request.headers.emplace_back("Content-Type", type_);
      request.body = std::move(value_);
      return {};
    }
    // What `echo` adds is not part of the value.
    if (piped && value_.ends_with('\n')) value_.pop_back();
    request.headers.emplace_back("Content-Type", "application/json");
    JsonReader reader;
    request.body = message_json(reader, value_);
    return {};
  }

  ResourceOptions options_;
  std::string value_;
  std::string if_match_;
  std::string type_;
  std::string idempotency_key_;
  bool create_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_put() {
  return std::make_unique<Put>();
}

}  // namespace peal::cli
