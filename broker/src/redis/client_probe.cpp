#include "redis/client_probe.hpp"

namespace peal::redis {

void ClientProbe::collect(runtime::MetricSink& sink) const {
  sink.counter("peal_redis_commands_total", "Commands given to the Redis client", commands_);
  for (const Outcome outcome :
       {Outcome::replied, Outcome::failed, Outcome::refused, Outcome::unknown}) {
    sink.counter("peal_redis_answers_total", "What became of them",
                 outcomes_[static_cast<std::size_t>(outcome)], {{"outcome", name_of(outcome)}});
  }
  sink.gauge("peal_redis_unanswered_bytes", "Bytes of commands that wait for an answer",
             unanswered_bytes_);
  sink.counter("peal_redis_redirects_total", "Commands that a Cluster sent elsewhere or back",
               redirects_);
  sink.counter("peal_redis_connects_total", "Masters that the client got connected to", connects_);
  sink.counter("peal_redis_disconnects_total", "Masters that it lost", disconnects_);
  sink.counter("peal_redis_deaf_total", "Listening connections lost", deaf_);
  sink.counter("peal_redis_messages_total", "Messages heard", messages_);
  sink.counter("peal_redis_message_bytes_total", "Bytes of these", message_bytes_);
}

}  // namespace peal::redis
