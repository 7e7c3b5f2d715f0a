#include "redis/codec.hpp"

#include <hiredis/hiredis.h>
#include <hiredis/read.h>

#include <cstdlib>
#include <new>
#include <stdexcept>

namespace peal::redis {
namespace {

/// hiredis fills elements one after another, so that growing the vector never moves one that it
/// still writes to.
Reply* place(const redisReadTask* task) {
  if (task->parent == nullptr) return new Reply;
  return &static_cast<Reply*>(task->parent->obj)->elements.emplace_back();
}

Reply::Type type_of(int type) {
  switch (type) {
    case REDIS_REPLY_STATUS:
      return Reply::Type::status;
    case REDIS_REPLY_ERROR:
      return Reply::Type::error;
    default:
      return Reply::Type::text;
  }
}

redisReplyObjectFunctions make_functions() {
  redisReplyObjectFunctions functions{};
  functions.createString = [](const redisReadTask* task, char* data, std::size_t size) -> void* {
    Reply* reply = place(task);
    reply->type = type_of(task->type);
    reply->text.assign(data, size);
    return reply;
  };
  // The count is an int or a size_t, by hiredis's version; what it claims is not believed.
  functions.createArray = [](const redisReadTask* task, auto) -> void* {
    Reply* reply = place(task);
    reply->type = Reply::Type::array;
    return reply;
  };
  functions.createInteger = [](const redisReadTask* task, long long value) -> void* {
    Reply* reply = place(task);
    reply->type = Reply::Type::integer;
    reply->integer = value;
    return reply;
  };
  functions.createNil = [](const redisReadTask* task) -> void* { return place(task); };
  functions.freeObject = [](void* root) { delete static_cast<Reply*>(root); };
  return functions;
}

}  // namespace

void encode(const std::vector<std::string>& args, std::string& out) {
  std::vector<const char*> pointers;
  std::vector<std::size_t> sizes;
  pointers.reserve(args.size());
  sizes.reserve(args.size());
  for (const std::string& arg : args) {
    pointers.push_back(arg.data());
    sizes.push_back(arg.size());
  }
  char* bytes = nullptr;
  const auto size =
      redisFormatCommandArgv(&bytes, static_cast<int>(args.size()), pointers.data(), sizes.data());
  if (size < 0) throw std::bad_alloc();
  out.append(bytes, static_cast<std::size_t>(size));
  redisFreeCommand(bytes);
}

struct ReplyReader::Impl {
  redisReplyObjectFunctions functions = make_functions();
  std::unique_ptr<redisReader, void (*)(redisReader*)> reader{
      redisReaderCreateWithFunctions(&functions), redisReaderFree};
};

ReplyReader::ReplyReader(std::size_t reply_bytes_max)
    : impl_(std::make_unique<Impl>()), reply_bytes_max_(reply_bytes_max) {
  if (!impl_->reader) throw std::bad_alloc();
}

ReplyReader::~ReplyReader() = default;

void ReplyReader::feed(std::string_view bytes) {
  unread_bytes_ += bytes.size();
  if (error_.empty() &&
      redisReaderFeed(impl_->reader.get(), bytes.data(), bytes.size()) != REDIS_OK) {
    error_ = impl_->reader->errstr;
  }
}

bool ReplyReader::next(Reply& reply) {
  if (!error_.empty()) return false;
  void* root = nullptr;
  if (redisReaderGetReply(impl_->reader.get(), &root) != REDIS_OK) {
    error_ = impl_->reader->errstr;
    return false;
  }
  if (root == nullptr) {
    if (unread_bytes_ > reply_bytes_max_) {
      error_ = "a reply above redis.reply_bytes_max (" + std::to_string(reply_bytes_max_) + ")";
    }
    return false;
  }
  const std::unique_ptr<Reply> owned(static_cast<Reply*>(root));
  reply = std::move(*owned);
  unread_bytes_ = impl_->reader->len - impl_->reader->pos;
  return true;
}

}  // namespace peal::redis
