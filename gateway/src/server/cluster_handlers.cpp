#include "server/cluster_handlers.hpp"

#include <memory>

#include "peal/proto/cluster_commands.hpp"

namespace peal::gateway {
namespace {

using runtime::ControlReply;

void ask(Gateway& gateway, const Result<ClusterCommand>& command, const ControlReply& reply) {
  if (!command) return reply.error(command.error());
  const bus::ClusterQuery& query = command->query;
  const auto done = [reply, query](const bus::ClusterAnswer& answer) {
    if (const auto error = error_of(query, answer)) return reply.error(*error);
    reply.result(cluster_json(query, answer));
  };
  command->here ? gateway.ask_here(query, done) : gateway.ask(query, done);
}

}  // namespace

void add_cluster_handlers(runtime::ControlServer& control, Gateway& gateway) {
  // The handlers all run on the control thread, one after the other.
  const auto reader = std::make_shared<JsonReader>();
  control.handle("disconnect",
                 [&gateway, reader](std::string_view payload, const ControlReply& reply) {
                   ask(gateway, read_disconnect_command(*reader, payload), reply);
                 });
  control.handle("count", [&gateway, reader](std::string_view payload, const ControlReply& reply) {
    ask(gateway, read_count_command(*reader, payload), reply);
  });
}

}  // namespace peal::gateway
