#pragma once
// What several gateways have answered to one question, put together as it comes, in bounded memory.
// Pure. Numbers add up. Of the channels the first `limit` by name are kept: a gateway that has more
// than it lists says so, and nothing behind its last name counts, so what is kept is whole.

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "peal/proto/cluster_query.hpp"

namespace peal::broker {

class ClusterAnswers {
 public:
  ClusterAnswers(std::size_t channels_max, std::size_t bytes_max)
      : channels_max_(channels_max), bytes_max_(bytes_max) {}

  void asked(std::size_t gateways) { sum_.asked += gateways; }
  /// `answer` may say that it can't: then the gateway is missing.
  void add(const std::string& node, const bus::ClusterAnswer& answer);
  void miss(std::string node, std::string why);
  /// It has not answered in the time there was.
  void late(std::string node, std::chrono::milliseconds within);
  bus::ClusterAnswer take();

 private:
  void cut_behind(const std::string& last);

  const std::size_t channels_max_;
  const std::size_t bytes_max_;
  std::size_t bytes_ = 0;          ///< of the channels' names
  std::size_t missing_bytes_ = 0;  ///< of those who are named as missing
  bus::ClusterAnswer sum_;         ///< without channels
  std::map<std::string, std::uint64_t> channels_;
  std::optional<std::string> last_;  ///< nothing behind it is known of all
};

}  // namespace peal::broker
