#pragma once
// A request that outlives the call it came with, while the application's hook thinks about it.

#include <deque>
#include <string>

#include "http/http_machine.hpp"

namespace peal::gateway::http {

class KeptRequest {
 public:
  explicit KeptRequest(const Request& request);
  KeptRequest(const KeptRequest&) = delete;
  KeptRequest& operator=(const KeptRequest&) = delete;

  const Request& request() const { return request_; }

 private:
  std::string_view keep(std::string_view text) { return texts_.emplace_back(text); }

  std::deque<std::string> texts_;  ///< what request_ shows; a deque moves none of them
  Request request_;
};

}  // namespace peal::gateway::http
