#include "redis/inquiry.hpp"

#include <algorithm>
#include <utility>

#include "redis/verdict.hpp"

namespace peal::redis {
namespace {

constexpr std::size_t kAtATime = 3;

}  // namespace

Inquiry::Inquiry(boost::asio::io_context& context, const Config& config,
                 std::shared_ptr<TlsContext> tls, Plan plan)
    : context_(context), config_(config), tls_(std::move(tls)), plan_(std::move(plan)) {}

void Inquiry::start() {
  self_ = shared_from_this();
  for (std::size_t i = 0; i < kAtATime; ++i)
    ask_next();
}

void Inquiry::ask_next() {
  if (next_ == plan_.endpoints.size()) return;
  asked_.push_back(std::make_shared<Connection>(context_, config_, tls_, plan_.endpoints[next_++],
                                                plan_.kind, *this));
  asked_.back()->open();
}

std::vector<std::vector<std::string>> Inquiry::setup(Connection&) {
  return plan_.questions;
}

std::string Inquiry::judge_setup(Connection& connection, const std::vector<Reply>& replies) {
  for (const Reply& answer : replies) {
    if (answer.is_error()) return explain(answer, connection.greeting().user());
  }
  return plan_.judge(replies, connection.endpoint());
}

void Inquiry::on_ready(Connection&) {
  end({});
}

void Inquiry::on_push(Connection& connection, Reply) {
  connection.close("it said something unasked");
}

void Inquiry::on_closed(Connection& connection, const std::string& reason) {
  const auto keep = shared_from_this();
  if (!errors_.empty()) errors_ += "; ";
  errors_ += connection.endpoint().to_string() + ": " + reason;
  std::erase_if(asked_, [&](const auto& each) { return each.get() == &connection; });
  ask_next();
  if (asked_.empty()) end(errors_);
}

void Inquiry::end(std::string error) {
  const auto done = std::exchange(plan_.done, nullptr);
  const auto keep = std::exchange(self_, nullptr);
  cancel();
  if (done) done(std::move(error));
}

void Inquiry::cancel() {
  plan_.done = nullptr;
  for (const auto& each : std::exchange(asked_, {}))
    each->abandon("no longer needed");
  self_ = nullptr;
}

}  // namespace peal::redis
