#pragma once
// One request about a channel's value to a gateway's resource face, as the verbs get, put and
// delete send it. What the gateway refuses becomes a Failure with the error's code; on a 412 the
// sentence says where the value is now.

#include <chrono>
#include <string>
#include <string_view>

#include "arguments.hpp"
#include "http_client.hpp"

namespace peal::cli {

struct ResourceOptions {
  std::string channel;
  std::string url = "http://127.0.0.1:8420";
  std::string key;  ///< bearer key
  std::string ca;   ///< PEM file with the authority to trust, for https
  std::chrono::milliseconds timeout{5000};
};
void describe(Arguments& arguments, ResourceOptions& options);

/// Fills in target and key; gives answers of 2xx and 304.
Outcome<HttpResponse> ask(const ResourceOptions& options, HttpRequest request);

/// What a person types as a tag ("AAAAAAAA-7", quoted or not, or "*") as a header has it.
Outcome<std::string> entity_tag(std::string_view typed);
/// "AAAAAAAA-7" of a tag's header; empty when it is none of ours.
std::string position_of(std::string_view tag);

}  // namespace peal::cli
