#include "redis/topology.hpp"

#include <algorithm>
#include <charconv>

namespace peal::redis {
namespace {

Error not_understood(std::string_view line) {
  return fail(ErrorCode::storage_unavailable,
              "CLUSTER NODES is not understood: " + std::string(line.substr(0, 200)));
}

std::vector<std::string_view> split(std::string_view text, char mark) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(mark), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

template <class T>
bool number(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

/// "0-5460" or "7"; "[93-<-id]" is a slot on its way and belongs to nobody new yet.
bool take_slots(std::string_view text, std::uint16_t master, std::vector<std::uint16_t>& owners) {
  if (text.starts_with('[')) return true;
  const std::size_t dash = text.find('-');
  std::size_t first = 0;
  if (!number(text.substr(0, dash), first)) return false;
  std::size_t last = first;
  if (dash != std::string_view::npos && !number(text.substr(dash + 1), last)) return false;
  if (last < first || last >= owners.size()) return false;
  std::fill(owners.begin() + static_cast<std::ptrdiff_t>(first),
            owners.begin() + static_cast<std::ptrdiff_t>(last) + 1, master);
  return true;
}

/// "127.0.0.1:7000@17000,name": the address without the bus port, in brackets where it is IPv6.
Result<Endpoint> endpoint_of(std::string_view text, std::string_view asked_host) {
  text = text.substr(0, text.find('@'));
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return not_understood(text);
  std::string host(text.substr(0, colon));
  if (host.empty()) host = asked_host;
  if (host.find(':') != std::string::npos && !host.starts_with('[')) host = "[" + host + "]";
  return Endpoint::parse(host + std::string(text.substr(colon)));
}

bool has_flag(std::string_view flags, std::string_view wanted) {
  const auto all = split(flags, ',');
  return std::ranges::find(all, wanted) != all.end();
}

}  // namespace

Topology Topology::of_one(Endpoint endpoint, std::uint64_t config_epoch) {
  Topology topology;
  topology.masters.push_back({.endpoint = std::move(endpoint), .config_epoch = config_epoch});
  std::ranges::fill(topology.owners, std::uint16_t{0});
  return topology;
}

Result<Topology> Topology::from_cluster_nodes(std::string_view text, std::string_view asked_host) {
  Topology topology;
  for (std::string_view line : split(text, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto words = split(line, ' ');
    if (words.size() < 8) return not_understood(line);
    if (!has_flag(words[2], "master") || has_flag(words[2], "noaddr")) continue;
    auto endpoint = endpoint_of(words[1], asked_host);
    if (endpoint.has_error()) return endpoint.error();
    Master master{.id = std::string(words[0]), .endpoint = std::move(*endpoint)};
    if (!number(words[6], master.config_epoch)) return not_understood(line);
    const auto index = static_cast<std::uint16_t>(topology.masters.size());
    const bool dead = has_flag(words[2], "fail");
    for (std::size_t i = 8; i < words.size(); ++i) {
      if (!take_slots(words[i], index, topology.owners)) return not_understood(line);
    }
    // One that failed keeps its slots until a replica has taken them; without any it is no master.
    if (words.size() == 8 && dead) continue;
    topology.masters.push_back(std::move(master));
  }
  if (topology.masters.empty()) return not_understood(text);
  return topology;
}

Result<Topology> Topology::from_sentinel(const Reply& master, const Reply& address) {
  std::uint64_t epoch = 0;
  bool epoch_known = false;
  for (std::size_t i = 0; i + 1 < master.elements.size(); i += 2) {
    if (master.elements[i].text == "config-epoch")
      epoch_known = number(master.elements[i + 1].text, epoch);
  }
  if (!epoch_known || address.elements.size() != 2) {
    return fail(ErrorCode::storage_unavailable, "what it says of the master is not understood");
  }
  std::string host = address.elements[0].text;
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  auto endpoint = Endpoint::parse(host + ":" + address.elements[1].text);
  if (endpoint.has_error()) return endpoint.error();
  return of_one(std::move(*endpoint), epoch);
}

std::uint64_t Topology::epoch() const {
  std::uint64_t highest = 0;
  for (const Master& master : masters)
    highest = std::max(highest, master.config_epoch);
  return highest;
}

std::size_t Topology::slots_without_master() const {
  return static_cast<std::size_t>(std::ranges::count(owners, kNobody));
}

}  // namespace peal::redis
