#pragma once
// How a connection begins: who we are, which database, and what this Redis is. Pure: the commands
// to send, then a judgement on their replies. A server that would lose or refuse writes is of no
// use, and the reason says so.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "peal/redis/config.hpp"
#include "peal/redis/reply.hpp"

namespace peal::redis {

class Greeting {
 public:
  enum class Kind : std::uint8_t {
    master,    ///< to be used: it has to be a master that keeps what is written
    node,      ///< of a Cluster, only to be asked who serves what
    sentinel,  ///< only to be asked who is master
  };

  Greeting(Kind kind, const Config& config);

  std::vector<std::vector<std::string>> commands() const;
  /// Empty, or why not; `replies` are those to commands().
  std::string judge(const std::vector<Reply>& replies);

  const std::string& user() const { return user_; }
  const std::string& run_id() const { return run_id_; }

 private:
  std::string judge_info(std::string_view info);

  Kind kind_;
  std::string user_, password_;
  std::size_t database_;
  bool cluster_, allow_eviction_;
  std::string run_id_{};
};

/// "name:value" of INFO's text; empty: not there.
std::string_view info_field(std::string_view info, std::string_view name);

}  // namespace peal::redis
