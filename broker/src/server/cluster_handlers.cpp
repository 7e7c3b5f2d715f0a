#include "server/cluster_handlers.hpp"

#include <memory>

#include "peal/proto/cluster_commands.hpp"

namespace peal::broker {
namespace {

using runtime::ControlReply;

void ask(BrokerLoop& loop, const Result<ClusterCommand>& command, const ControlReply& reply) {
  if (!command) return reply.error(command.error());
  if (command->here) {
    return reply.error(fail(ErrorCode::command_invalid, "a broker has no sessions of its own"));
  }
  loop.post([query = command->query, reply](Router& router) {
    router.ask(query, [query, reply](const bus::ClusterAnswer& answer) {
      if (const auto error = error_of(query, answer)) return reply.error(*error);
      reply.result(cluster_json(query, answer));
    });
  });
}

}  // namespace

void add_cluster_handlers(runtime::ControlServer& control, BrokerLoop& loop) {
  // The handlers all run on the control thread, one after the other.
  const auto reader = std::make_shared<JsonReader>();
  control.handle("disconnect",
                 [&loop, reader](std::string_view payload, const ControlReply& reply) {
                   ask(loop, read_disconnect_command(*reader, payload), reply);
                 });
  control.handle("count", [&loop, reader](std::string_view payload, const ControlReply& reply) {
    ask(loop, read_count_command(*reader, payload), reply);
  });
}

}  // namespace peal::broker
