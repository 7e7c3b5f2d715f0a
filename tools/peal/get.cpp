#include <algorithm>

#include "json_text.hpp"
#include "resource_client.hpp"
#include "verbs.hpp"

namespace peal::cli {
namespace {

class Get final : public Verb {
 public:
  std::string_view name() const override { return "get"; }
  std::string_view summary() const override { return "Print a channel's value."; }

  void describe(Arguments& arguments) override {
    cli::describe(arguments, options_);
    arguments.option("--if-none-match", "POSITION", if_none_match_,
                     "only when it is another one by now; prints nothing otherwise");
    arguments.example("peal get settings:theme", "the value's bytes as they are");
    arguments.example("peal get settings:theme --json", "with its position and type");
  }

  Outcome<void> run(Console& console) override {
    HttpRequest request;
    request.headers.emplace_back("Accept", "*/*");
    if (!if_none_match_.empty()) {
      auto tag = entity_tag(if_none_match_);
      if (!tag) return tag.error();
      request.headers.emplace_back("If-None-Match", *tag);
    }
    auto response = ask(options_, std::move(request));
    if (!response) return response.error();
    if (response->status == 304) {
      if (console.terminal()) console.note("still at " + position_of(response->tag));
      return {};
    }
    if (console.json) {
      console.line(described(*response));
    } else if (!console.terminal()) {
      console.raw(response->body);
    } else {
      console.line(printable_lines(response->body));
      console.note(position_of(response->tag) + "  " + response->content_type);
    }
    return {};
  }

 private:
  static std::string described(const HttpResponse& response) {
    JsonBuilder out;
    out.text("position", position_of(response.tag)).text("type", response.content_type);
    JsonReader reader;
    const bool json = response.content_type.starts_with("application/json") &&
                      static_cast<bool>(reader.validate(response.body));
    if (json)
      out.raw("value", minify(response.body));
    else
      out.text("text", response.body);
    return out.str();
  }

  /// For a terminal: lines stay lines, what it would act upon doesn't.
  static std::string printable_lines(std::string_view text) {
    std::string out;
    while (!text.empty()) {
      const auto end = std::min(text.find('\n'), text.size());
      out += printable(text.substr(0, end));
      if (end < text.size()) out += '\n';
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
  }

  ResourceOptions options_;
  std::string if_none_match_;
};

}  // namespace

std::unique_ptr<Verb> make_get() {
  return std::make_unique<Get>();
}

}  // namespace peal::cli
