#include "json_text.hpp"
#include "resource_client.hpp"
#include "verbs.hpp"

namespace peal::cli {
namespace {

class Delete final : public Verb {
 public:
  std::string_view name() const override { return "delete"; }
  std::string_view summary() const override { return "Delete a channel's value."; }

  void describe(Arguments& arguments) override {
    cli::describe(arguments, options_);
    arguments.option("--if-match", "POSITION", if_match_, "only if that is the value now");
    arguments.example("peal delete settings:theme", "watchers are told");
  }

  Outcome<void> run(Console& console) override {
    HttpRequest request;
    request.method = "DELETE";
    if (!if_match_.empty()) {
      auto tag = entity_tag(if_match_);
      if (!tag) return tag.error();
      request.headers.emplace_back("If-Match", *tag);
    }
    auto response = ask(options_, std::move(request));
    if (!response) return response.error();
    const std::string position = position_of(response->tag);
    console.line(console.json ? JsonBuilder().text("position", position).str()
                              : "deleted " + position);
    return {};
  }

 private:
  ResourceOptions options_;
  std::string if_match_;
};

}  // namespace

std::unique_ptr<Verb> make_delete() {
  return std::make_unique<Delete>();
}

}  // namespace peal::cli
