#pragma once
// A connection to Redis that waits for each answer, and one that listens: for tests that look at
// the script itself, without the store's client.

#include <gtest/gtest.h>
#include <hiredis/hiredis.h>
#include <sys/time.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "peal/redis/reply.hpp"
#include "redis_server.hpp"

namespace peal::test {

class PlainRedis {
 public:
  explicit PlainRedis(const RedisServer& server)
      : context_(redisConnectUnix((server.folder() + "/redis.sock").c_str())) {
    if (!context_ || context_->err != 0) throw std::runtime_error("no connection to Redis");
    redisSetTimeout(context_.get(), timeval{10, 0});
  }

  redis::Reply ask(const std::vector<std::string>& args) {
    std::vector<const char*> texts;
    std::vector<std::size_t> sizes;
    for (const std::string& arg : args) {
      texts.push_back(arg.data());
      sizes.push_back(arg.size());
    }
    void* const reply =
        redisCommandArgv(context_.get(), static_cast<int>(args.size()), texts.data(), sizes.data());
    return take(static_cast<redisReply*>(reply));
  }

  /// What is published on a channel that was asked for by SUBSCRIBE, in order.
  std::string hear() {
    void* reply = nullptr;
    if (redisGetReply(context_.get(), &reply) != REDIS_OK) return "nothing came";
    return take(static_cast<redisReply*>(reply)).elements.at(2).text;
  }

 private:
  struct Free {
    void operator()(redisContext* context) const { redisFree(context); }
  };

  static redis::Reply take(redisReply* from) {
    if (from == nullptr) throw std::runtime_error("Redis doesn't answer");
    redis::Reply reply = copy(*from);
    freeReplyObject(from);
    return reply;
  }
  static redis::Reply copy(const redisReply& from) {
    using Type = redis::Reply::Type;
    redis::Reply reply;
    switch (from.type) {
      case REDIS_REPLY_INTEGER:
        reply.type = Type::integer;
        reply.integer = from.integer;
        break;
      case REDIS_REPLY_ARRAY:
        reply.type = Type::array;
        for (std::size_t i = 0; i < from.elements; ++i)
          reply.elements.push_back(copy(*from.element[i]));
        break;
      case REDIS_REPLY_NIL:
        break;
      default:
        reply.type = from.type == REDIS_REPLY_ERROR    ? Type::error
                     : from.type == REDIS_REPLY_STATUS ? Type::status
                                                       : Type::text;
        reply.text.assign(from.str, static_cast<std::size_t>(from.len));
    }
    return reply;
  }

  std::unique_ptr<redisContext, Free> context_;
};

}  // namespace peal::test
