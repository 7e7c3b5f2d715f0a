#include "redis/greeting.hpp"

#include <algorithm>

#include "redis/verdict.hpp"

namespace peal::redis {

Greeting::Greeting(Kind kind, const Config& config)
    : kind_(kind),
      user_(kind == Kind::sentinel ? config.sentinel_user : config.user),
      password_(kind == Kind::sentinel ? config.sentinel_password : config.password),
      database_(kind == Kind::master ? config.database : 0),
      cluster_(config.mode == "cluster"),
      allow_eviction_(config.allow_eviction) {}

std::vector<std::vector<std::string>> Greeting::commands() const {
  std::vector<std::vector<std::string>> all;
  if (!user_.empty()) {
    all.push_back({"AUTH", user_, password_});
  } else if (!password_.empty()) {
    all.push_back({"AUTH", password_});
  }
  if (database_ != 0) all.push_back({"SELECT", std::to_string(database_)});
  if (kind_ == Kind::master) all.push_back({"INFO"});
  return all;
}

std::string Greeting::judge(const std::vector<Reply>& replies) {
  for (const Reply& reply : replies) {
    if (reply.is_error()) return explain(reply, user_);
  }
  return kind_ == Kind::master ? judge_info(replies.back().text) : std::string();
}

std::string Greeting::judge_info(std::string_view info) {
  run_id_ = info_field(info, "run_id");
  if (run_id_.empty()) return "INFO names no run_id: is it a Redis?";
  if (info_field(info, "redis_mode") == "sentinel") {
    return "it is a Sentinel (set redis.mode = \"sentinel\")";
  }
  if (info_field(info, "loading") == "1") return "it is loading its data";
  const bool in_cluster = info_field(info, "cluster_enabled") == "1";
  if (in_cluster != cluster_) {
    return in_cluster ? "it is a Cluster's node (set redis.mode = \"cluster\")"
                      : "it is no Cluster's node, and redis.mode is \"cluster\"";
  }
  if (info_field(info, "role") != "master") {
    return "it is a replica of " + std::string(info_field(info, "master_host")) + ":" +
           std::string(info_field(info, "master_port")) + ", and takes no writes";
  }
  const std::string_view policy = info_field(info, "maxmemory_policy");
  if (!policy.empty() && policy != "noeviction" && !allow_eviction_) {
    return "its maxmemory-policy is " + std::string(policy) +
           ": it may throw away logs (set it to noeviction, or redis.allow_eviction = true)";
  }
  return {};
}

std::string_view info_field(std::string_view info, std::string_view name) {
  for (std::size_t at = 0; at < info.size();) {
    const std::size_t end = std::min(info.find('\n', at), info.size());
    std::string_view line = info.substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ':') {
      return line.substr(name.size() + 1);
    }
    at = end + 1;
  }
  return {};
}

}  // namespace peal::redis
