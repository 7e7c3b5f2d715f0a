#include "http/value_face.hpp"

#include <utility>

#include "http/accept.hpp"
#include "http/channel_page.hpp"
#include "http/conditional.hpp"
#include "http/content.hpp"
#include "http/value.hpp"
#include "session/shard.hpp"

namespace peal::gateway::http {
namespace {

constexpr std::string_view kHtml = "text/html";

enum class Form : std::uint8_t { none, own, html };

/// The form that is wanted most; the value's own when it makes no difference.
Form choose(std::string_view accept, std::string_view own_type) {
  const Wish own = wish_for(accept, own_type);
  const Wish html = wish_for(accept, kHtml);
  const bool page = html > own;
  if ((page ? html : own).quality == 0) return Form::none;
  return page ? Form::html : Form::own;
}

}  // namespace

struct ValueFace::Question {
  Call call;
  std::string channel;
  std::string accept;
  Conditions conditions;
  std::string cache_control;
};

void ValueFace::serve(const Request& request, std::string_view channel, Call call) {
  auto conditions = read_conditions(request);
  if (!conditions) return desk_.refuse(call, conditions.error());
  const ChannelRule* rule = call.exchange.shard().config().rules->find(channel);
  auto question = std::make_shared<Question>(Question{std::move(call), std::string(channel),
                                                      std::string(request.header("Accept")),
                                                      std::move(*conditions), cache_control(rule)});
  Engine& engine = question->call.exchange.engine();
  engine.read(question->call.principal, read_value(question->channel),
              [this, question](const bus::Page& page) {
                if (page.error) return desk_.refuse(question->call, *page.error);
                desk_.answer(question->call, response_to(*question, page));
              });
}

Response ValueFace::response_to(const Question& question, const bus::Page& page) const {
  const CurrentValue value = current_value(page);
  if (!value.there()) return absent_problem(value);
  const Form form = choose(question.accept, media_type(content_type_of(*value.last)));
  if (form == Form::none) {
    Response response = problem(fail(ErrorCode::not_acceptable,
                                     "the value is " + std::string(content_type_of(*value.last)) +
                                         "; text/html and text/event-stream are also "
                                         "served"));
    response.headers.emplace_back("Vary", "Accept");
    return response;
  }
  Response response = form == Form::own
                          ? value_response(value, question.cache_control)
                          : channel_page(question.channel, value, question.cache_control);
  const Verdict verdict =
      judge_read(question.conditions, value.position, form == Form::html ? kHtmlForm : "");
  if (verdict == Verdict::failed) {
    return problem(fail(ErrorCode::expectation_failed, "If-Match does not name what is there"),
                   value.position);
  }
  if (verdict == Verdict::not_modified) {
    response.status = 304;
    response.body.clear();
    std::erase_if(response.headers, [](const auto& field) {
      return field.first != "ETag" && field.first != "Cache-Control" && field.first != "Vary";
    });
  }
  return response;
}

}  // namespace peal::gateway::http
