#include "redis_store/store_probe.hpp"

namespace peal::redis_store {

void StoreProbe::collect(runtime::MetricSink& sink) const {
  sink.counter("peal_redis_store_append_calls_total", "Calls that append to logs in Redis", calls_);
  sink.counter("peal_redis_store_publishes_total", "Publishes that went to Redis", publishes_);
  sink.counter("peal_redis_store_questions_total",
               "Times that Redis was asked where a watched log stands", questions_);
  sink.counter("peal_redis_store_broken_total", "Subscriptions of watched logs that were broken",
               broken_);
  sink.counter("peal_redis_store_repairs_total",
               "Pages read because what is published hadn't all arrived", repairs_);
  sink.counter("peal_redis_store_resets_total", "Resets told to who watches a log", resets_);
  sink.counter("peal_redis_store_unknown_total", "Publishes whose outcome is unknown", unknown_);
}

}  // namespace peal::redis_store
