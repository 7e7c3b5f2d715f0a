#include "http/kept_request.hpp"

namespace peal::gateway::http {

KeptRequest::KeptRequest(const Request& request) : request_(request) {
  request_.method = keep(request.method);
  request_.target = keep(request.target);
  request_.query = keep(request.query);
  request_.body = keep(request.body);
  for (auto& [name, value] : request_.headers) {
    name = keep(name);
    value = keep(value);
  }
}

}  // namespace peal::gateway::http
