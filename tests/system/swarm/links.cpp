#include "links.hpp"

#include <algorithm>
#include <iostream>

namespace peal::swarm {
namespace {

void owns(std::vector<std::size_t>& owners, std::uint32_t id, std::size_t client) {
  if (id >= owners.size()) {
    owners.resize(id + 1);
  }
  owners[id] = client;
}

/// {"channel":…,"since"?:…}
std::string json(const Wish& wish) {
  cli::JsonBuilder out;
  out.text("channel", wish.channel);
  if (!wish.epoch.empty()) {
    out.raw("since",
            cli::JsonBuilder().text("epoch", wish.epoch).number("offset", wish.offset).str());
  }
  return out.str();
}

/// A subscribe's result, as the streams push it.
cli::JsonObject subscribed(const std::string& channel, const cli::JsonObject& result) {
  cli::JsonBuilder event;
  event.text("event", "subscribed").text("channel", channel);
  for (const char* name : {"epoch", "offset", "recovered", "publications"}) {
    if (result.has(name)) {
      const std::string text = std::string(name) == "epoch" ? cli::json_string(result.text(name))
                                                            : std::string(result.raw(name));
      event.raw(name, text);
    }
  }
  return cli::JsonObject(event.str());
}

}  // namespace

Links::Links(LinkEvents& events, std::vector<bench::Target> targets,
             std::vector<std::string> authorities, std::size_t clients)
    : events_(events),
      targets_(std::move(targets)),
      authorities_(std::move(authorities)),
      sockets_(*this),
      requests_(*this),
      links_(clients) {}

void Links::turn() {
  sockets_.turn(std::chrono::milliseconds(5), requests_.descriptor());
  requests_.turn();
}

std::string Links::come(std::size_t client, Transport transport, std::size_t gateway) {
  Link& link = links_[client];
  if (link.transport != transport) {
    link.event_id.clear();  // of a stream that lies too far back
  }
  link.transport = transport;
  link.gateway = gateway;
  link.here = true;
  if (transport != Transport::websocket) {
    return request(client);
  }
  auto id = sockets_.connect(targets_[gateway]);
  if (!id) {
    return id.error().message;
  }
  owns(socket_owners_, *id, client);
  link.connection = *id;
  return {};
}

void Links::go(std::size_t client) {
  Link& link = links_[client];
  if (!link.here) {
    return;
  }
  if (link.transport == Transport::websocket) {
    sockets_.drop(link.connection);
  } else {
    requests_.drop(link.connection);
  }
  ended(client);
}

void Links::ended(std::size_t client) {
  Link& link = links_[client];
  link.here = false;
  link.asked.clear();
  link.in.clear();
}

std::string Links::request(std::size_t client) {
  Link& link = links_[client];
  link.in.clear();
  link.status = 0;
  auto id = requests_.start(targets_[link.gateway], request_text(link, client));
  if (!id) {
    return id.error().message;
  }
  owns(request_owners_, *id, client);
  link.connection = *id;
  return {};
}

std::string Links::request_text(Link& link, std::size_t client) {
  const std::vector<Wish> wishes = events_.wishes(client);
  const std::string ending =
      " HTTP/1.1\r\nConnection: close\r\nHost: " + authorities_[link.gateway] + "\r\n";
  if (link.transport == Transport::eventsource && !link.event_id.empty()) {
    std::string query;
    for (const Wish& wish : wishes) {
      query += (query.empty() ? "?channel=" : "&channel=") + wish.channel;
    }
    return "GET /stream" + query + ending +
           "Accept: text/event-stream\r\nLast-Event-ID: " + link.event_id + "\r\n\r\n";
  }
  std::string list;
  for (const Wish& wish : wishes) {
    list += (list.empty() ? "" : ",") + json(wish);
  }
  const std::string body = "{\"channels\":[" + list + "]}";
  const bool poll = link.transport == Transport::poll;
  polls_ += poll ? 1 : 0;
  return std::string("POST /stream") + (poll ? "?wait=10" : "") + ending +
         "Accept: " + (poll ? "application/json" : "text/event-stream") +
         "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

void Links::on_open(bench::ClientId id) {
  const std::size_t client = socket_owners_[id];
  Link& link = links_[client];
  for (const Wish& wish : events_.wishes(client)) {
    const std::uint64_t number = link.next_id++;
    link.asked[number] = wish.channel;
    sockets_.send(id, cli::JsonBuilder()
                          .number("id", number)
                          .text("action", "subscribe")
                          .raw("payload", json(wish))
                          .str());
  }
}

void Links::on_text(bench::ClientId id, std::string_view text) {
  const std::size_t client = socket_owners_[id];
  const cli::JsonObject said(text);
  if (!said.has("id")) {
    return events_.on_event(client, said);
  }
  Link& link = links_[client];
  const auto asked = link.asked.find(said.number("id"));
  if (asked == link.asked.end()) {
    return;
  }
  const std::string channel = asked->second;
  link.asked.erase(asked);
  if (said.has("error")) {
    return events_.on_refused(client, said.object("error"));
  }
  events_.on_event(client, subscribed(channel, said.object("result")));
}

void Links::on_closed(bench::ClientId id, int code, std::string_view why) {
  const std::size_t client = socket_owners_[id];
  std::cerr << "wanderers: client " << client << " was cut off: " << code << " " << why << "\n";
  ended(client);
  events_.on_cut(client);
}

void Links::on_status(RequestId id, int status) {
  links_[request_owners_[id]].status = status;
}

void Links::on_body(RequestId id, std::string_view bytes) {
  const std::size_t client = request_owners_[id];
  Link& link = links_[client];
  link.in.append(bytes);
  if (link.status != 200 || link.transport == Transport::poll) {
    return;
  }
  // What is told may end this link, and `in` with it.
  while (at(client, id)) {
    const auto end = link.in.find("\n\n");
    if (end == std::string::npos) {
      return;
    }
    const std::string block = link.in.substr(0, end);
    link.in.erase(0, end + 2);
    take_block(client, block);
  }
}

void Links::take_block(std::size_t client, std::string_view block) {
  std::string data;
  std::string id;
  while (!block.empty()) {
    const auto line = block.substr(0, block.find('\n'));
    block.remove_prefix(std::min(block.size(), line.size() + 1));
    if (line.starts_with("data:")) {
      data += line.substr(line.starts_with("data: ") ? 6 : 5);
    } else if (line.starts_with("id:")) {
      id = line.substr(line.starts_with("id: ") ? 4 : 3);
    }
  }
  if (!id.empty()) {
    links_[client].event_id = id;
  }
  if (!data.empty()) {
    events_.on_event(client, cli::JsonObject(data));
  }
}

void Links::on_end(RequestId id, bool whole) {
  const std::size_t client = request_owners_[id];
  Link& link = links_[client];
  const std::string body = std::exchange(link.in, {});
  if (link.status != 200 && link.status != 0) {
    ended(client);
    // A proxy whose gateway has gone speaks for itself, and not in JSON.
    if (body.starts_with('{')) events_.on_refused(client, cli::JsonObject(body));
    return events_.on_cut(client);
  }
  if (link.transport != Transport::poll || !whole || link.status == 0) {
    ended(client);
    return events_.on_cut(client);
  }
  for (const cli::JsonObject& event : cli::JsonObject(body).objects("events")) {
    events_.on_event(client, event);
  }
  if (at(client, id) && !request(client).empty()) {
    ended(client);
    events_.on_cut(client);
  }
}

}  // namespace peal::swarm
