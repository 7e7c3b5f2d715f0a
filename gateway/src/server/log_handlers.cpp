#include "server/log_handlers.hpp"

#include <memory>
#include <mutex>

#include "peal/proto/log_commands.hpp"

namespace peal::gateway {
namespace {

using runtime::ControlReply;

void history(Gateway& gateway, JsonReader& reader, std::string_view payload,
             const ControlReply& reply) {
  const auto command = read_history_command(reader, payload, gateway.limits());
  if (!command) return reply.error(command.error());
  bus::ReadRequest read = command->read;
  read.channel = command->channel;
  gateway.read(read, [reply, form = command->form](const bus::Page& page) {
    if (page.error) return reply.error(*page.error);
    JsonReader own;  // the callback is on another thread
    reply.result(history_json(page, form, own));
  });
}

/// A refusal may come at once, on the control thread; all else comes on one shard's.
struct Loading {
  std::mutex mutex;
  LoadTally tally;
  ControlReply reply;

  void took(const bus::Published& outcome) {
    const std::lock_guard lock(mutex);
    if (!tally.took(outcome)) return;
    if (tally.error()) return reply.error(*tally.error());
    reply.result(tally.json());
  }
};

/// The gateway hands a channel's publishes to one shard, so they arrive in order.
void load(Gateway& gateway, JsonReader& reader, std::string_view payload,
          const ControlReply& reply) {
  auto command = read_load_command(reader, payload);
  if (!command) return reply.error(command.error());
  const std::shared_ptr<Loading> loading(new Loading{{}, LoadTally(command->size()), reply});
  for (std::size_t i = 0; i < command->size(); ++i) {
    const bus::PublishRequest request = command->request(i);
    PublishOrder order;
    order.channel = command->channel;
    order.publication = copy_of(request.publication);
    order.expect = request.expect;
    order.expect_end = request.expect_end;
    order.place = request.place;
    order.place_floor = request.place_floor;
    gateway.publish(std::move(order),
                    [loading](const bus::Published& outcome) { loading->took(outcome); });
  }
}

}  // namespace

void add_log_handlers(runtime::ControlServer& control, Gateway& gateway) {
  // The handlers all run on the control thread, one after the other.
  const auto reader = std::make_shared<JsonReader>();
  control.handle("history",
                 [&gateway, reader](std::string_view payload, const ControlReply& reply) {
                   history(gateway, *reader, payload, reply);
                 });
  control.handle("load", [&gateway, reader](std::string_view payload, const ControlReply& reply) {
    load(gateway, *reader, payload, reply);
  });
}

}  // namespace peal::gateway
