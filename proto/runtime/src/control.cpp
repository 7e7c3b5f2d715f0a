#include "peal/runtime/control.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <exception>
#include <thread>
#include <zmq.hpp>

#include "bound_socket.hpp"
#include "control_message.hpp"
#include "control_probe.hpp"
#include "control_reply.hpp"
#include "peal/proto/channel_name.hpp"
#include "peal/runtime/config.hpp"
#include "peal/runtime/version.hpp"

namespace peal::runtime {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kCommandsPerTurn = 256;
constexpr std::size_t kUnansweredMax = 10'000;  ///< above, commands wait in their sockets
constexpr int kIngestPerTurn = 1024;
constexpr std::chrono::milliseconds kGatePoll{1};
constexpr std::chrono::seconds kLogPause{1};
constexpr std::size_t kFramesKept = 4;

struct Frames {
  std::array<zmq::message_t, kFramesKept> kept;
  std::size_t count = 0;  ///< of all; beyond kFramesKept they are dropped as they come
};

/// The next whole message, if there is one now.
bool receive(zmq::socket_t& socket, Frames& frames) {
  frames.count = 0;
  for (;;) {
    zmq::message_t frame;
    if (!socket.recv(frame, zmq::recv_flags::dontwait)) return false;
    const bool more = frame.more();
    if (frames.count < kFramesKept) frames.kept[frames.count] = std::move(frame);
    ++frames.count;
    if (!more) return true;
  }
}

/// Far above the limit of the protocol, so that what is only somewhat too large gets an answer that
/// names the limit; what is beyond this loses its connection before it is in memory.
std::size_t frame_bytes_max(std::size_t limit) {
  constexpr std::size_t kSane = std::size_t{1} << 40U;
  return 4 * std::min(limit, kSane) + 1024 * 1024;
}

}  // namespace

struct ControlServer::Impl {
  Impl(ControlConfig with, std::string node, const Limits& bounds, Logger say, ProbeRegistry& all)
      : config(std::move(with)),
        name(std::move(node)),
        limits(bounds),
        logger(std::move(say)),
        probes(all),
        probe_handle(all.add(probe)) {
    context.set(zmq::ctxopt::io_threads, 1);
    context.set(zmq::ctxopt::max_sockets, 64);
  }

  Result<void> bind(BoundSocket& bound, const BoundSocketOptions& options);
  Result<void> start_allow_list();
  Result<std::string> endpoint_of(const std::string& configured, const char* suffix) const;
  void add_own_handlers(std::shared_ptr<LogBackend> backend);
  std::string stats() const;

  void run();
  void read_commands();
  void read_ingest();
  void on_command(Frames& frames);
  void dispatch(const ControlCommand& command, const ControlReply& reply);
  void on_publication(Frames& frames);
  void refuse_publication(const Error& error);
  void flush_replies();

  ControlConfig config;
  std::string name;
  Limits limits;
  Logger logger;
  ProbeRegistry& probes;
  ControlProbe probe;
  std::shared_ptr<void> probe_handle;
  std::map<std::string, ControlHandler, std::less<>> handlers;
  IngestHandler ingest;
  IngestGate gate;
  std::function<std::string()> stats_members;
  Clock::time_point started = Clock::now();
  Clock::time_point quiet_until;
  JsonReader reader;

  // In this order: sockets close before the allow-list, it before the context.
  zmq::context_t context;
  std::unique_ptr<ZapAllowList> allow_list;
  BoundSocket control;
  BoundSocket ingestion;
  std::shared_ptr<ReplyQueue> replies = std::make_shared<ReplyQueue>();
  std::atomic<bool> stopping{false};
  std::thread thread;
};

// --- starting

Result<std::string> ControlServer::Impl::endpoint_of(const std::string& configured,
                                                     const char* suffix) const {
  if (configured == "off") return std::string();
  if (!configured.empty()) return configured;
  const std::string folder = runtime_folder();
  if (const auto safe = check_runtime_folder(folder); !safe) return safe.error();
  return "ipc://" + folder + "/" + name + suffix;
}

Result<void> ControlServer::Impl::start_allow_list() {
  const bool wanted = config.curve.configured() && (config.endpoint.starts_with("tcp://") ||
                                                    config.ingest_endpoint.starts_with("tcp://"));
  if (!wanted) return {};
  allow_list =
      std::make_unique<ZapAllowList>(context.handle(), config.curve.allowed_keys, logger, probes);
  return allow_list->start();
}

Result<void> ControlServer::Impl::bind(BoundSocket& bound, const BoundSocketOptions& options) {
  if (options.endpoint.empty()) return {};
  if (auto safe = require_curve(options.endpoint, config.curve, config.insecure, options.key);
      !safe) {
    return safe;
  }
  auto result = bind_socket(context, options, config.curve);
  if (!result) return result.error();
  bound = std::move(*result);
  logger.info("listening", {{options.key, bound.endpoint}});
  return {};
}

std::string ControlServer::Impl::stats() const {
  std::string json = "{\"node\":";
  append_json_text(json, name);
  json += ",\"version\":";
  append_json_text(json, version());
  const auto uptime = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started);
  if (stats_members) json += "," + stats_members();
  json += ",\"pid\":" + std::to_string(getpid()) +
          ",\"uptime_ms\":" + std::to_string(uptime.count()) + ",\"metrics\":" + probes.json() +
          "}";
  return json;
}

void ControlServer::Impl::add_own_handlers(std::shared_ptr<LogBackend> backend) {
  handlers.try_emplace("ping",
                       [](std::string_view, const ControlReply& reply) { reply.result("{}"); });
  handlers.try_emplace(
      "stats", [this](std::string_view, const ControlReply& reply) { reply.result(stats()); });
  if (!backend) return;
  handlers.try_emplace("log-level", [backend = std::move(backend)](std::string_view payload,
                                                                   const ControlReply& reply) {
    JsonReader fields_reader;
    const auto fields = fields_reader.fields(payload);
    if (!fields) return reply.error(fields.error());
    for (const JsonField& field : **fields) {
      if (field.key != "level") continue;
      const auto text = JsonReader::as_string(field.raw);
      const auto level = text ? log_level_from_name(*text) : std::nullopt;
      if (!level) {
        return reply.error(fail(ErrorCode::command_invalid,
                                "\"level\" is one of trace, debug, info, warn, error, off"));
      }
      backend->set_level(*level);
    }
    reply.result("{\"level\":\"" + std::string(name_of(backend->level())) + "\"}");
  });
}

// --- the thread

void ControlServer::Impl::run() {
  std::array<zmq::pollitem_t, 3> items{{{nullptr, replies->descriptor(), ZMQ_POLLIN, 0},
                                        {control.socket.handle(), 0, ZMQ_POLLIN, 0},
                                        {ingestion.socket.handle(), 0, ZMQ_POLLIN, 0}}};
  // libzmq takes an item without a socket as a file descriptor: leave out what is off.
  std::array<zmq::pollitem_t, 3> polled{};
  while (!stopping.load()) {
    const bool open = ingestion.socket && (!gate || gate());
    std::size_t count = 0;
    polled[count++] = items[0];
    const bool takes_commands = control.socket && replies->outstanding.load() < kUnansweredMax;
    if (takes_commands) polled[count++] = items[1];
    if (open) polled[count++] = items[2];
    const bool waiting_for_gate = ingestion.socket && !open;
    try {
      zmq::poll(polled.data(), count, waiting_for_gate ? kGatePoll : std::chrono::milliseconds(-1));
      replies->rest();
      if (takes_commands) read_commands();
      if (open) read_ingest();
      flush_replies();
    } catch (const zmq::error_t& error) {
      // EINTR; anything else is a defect, said aloud and survived.
      if (error.num() != EINTR) logger.error("control socket", {{"error", error.what()}});
    }
  }
  flush_replies();
  for (BoundSocket* bound : {&control, &ingestion}) {
    bound->socket.close();
    bound->file.remove();
  }
}

void ControlServer::Impl::read_commands() {
  Frames frames;
  for (int n = 0; n < kCommandsPerTurn && receive(control.socket, frames); ++n)
    on_command(frames);
}

void ControlServer::Impl::on_command(Frames& frames) {
  probe.command_received();
  const bool delimiter = frames.count >= 2 && frames.kept[1].size() == 0 && frames.count != 2;
  const auto reply_to = [&](const std::string& id) {
    return ControlReply(
        std::make_shared<ControlReply::Impl>(replies, frames.kept[0].to_string(), delimiter, id));
  };
  const std::size_t body = delimiter ? 2 : 1;
  if (frames.count != body + 1) {
    return reply_to({}).error(
        fail(ErrorCode::command_invalid,
             "a command is one frame, not " + std::to_string(frames.count - body)));
  }
  std::string id;
  const auto command =
      parse_control_command(reader, frames.kept[body].to_string_view(), limits, id);
  if (!command) return reply_to(id).error(command.error());
  dispatch(*command, reply_to(id));
}

void ControlServer::Impl::dispatch(const ControlCommand& command, const ControlReply& reply) {
  const auto handler = handlers.find(command.action);
  if (handler == handlers.end()) {
    return reply.error(fail(ErrorCode::action_unknown, "no action \"" + command.action + "\""));
  }
  try {
    handler->second(command.payload, reply);
  } catch (const std::exception& error) {
    logger.error("a control command failed", {{"action", command.action}, {"error", error.what()}});
    reply.error(fail(ErrorCode::internal_error, "the command failed; see the log"));
  }
}

void ControlServer::Impl::flush_replies() {
  for (OutgoingReply& reply : replies->take()) {
    if (reply.error) probe.command_refused(*reply.error);
    try {
      // A multipart message is queued whole or not at all: only its first frame can be refused.
      const auto flags = zmq::send_flags::dontwait | zmq::send_flags::sndmore;
      if (!control.socket.send(zmq::buffer(reply.client), flags)) {
        probe.reply_dropped();
        continue;
      }
      if (reply.delimiter) control.socket.send(zmq::message_t(), flags);
      control.socket.send(zmq::buffer(reply.text), zmq::send_flags::dontwait);
    } catch (const zmq::error_t&) {
      probe.reply_dropped();  // EHOSTUNREACH: the client has gone
    }
  }
}

// --- ingest

void ControlServer::Impl::read_ingest() {
  Frames frames;
  for (int n = 0; n < kIngestPerTurn && (!gate || gate()) && receive(ingestion.socket, frames);
       ++n) {
    on_publication(frames);
  }
}

void ControlServer::Impl::on_publication(Frames& frames) {
  // A third frame is for later versions.
  if (frames.count != 2 && frames.count != 3) {
    return refuse_publication(fail(
        ErrorCode::command_invalid,
        "a publication is two frames, channel and payload, not " + std::to_string(frames.count)));
  }
  const std::string_view channel = frames.kept[0].to_string_view();
  const std::string_view payload = frames.kept[1].to_string_view();
  if (!ChannelName::valid(channel)) {
    return refuse_publication(ChannelName::parse(channel).error());
  }
  if (payload.size() > limits.message_bytes_max) {
    return refuse_publication(
        fail(ErrorCode::message_too_large, "the message has " + std::to_string(payload.size()) +
                                               " bytes; limits.message_bytes_max is " +
                                               std::to_string(limits.message_bytes_max)));
  }
  if (const auto valid = reader.validate(payload, limits.json_depth_max); !valid) {
    return refuse_publication(valid.error());
  }
  probe.publication_ingested();
  ingest(channel, payload);
}

/// Nobody waits for an answer, so it goes to the metrics, and once a second to the log.
void ControlServer::Impl::refuse_publication(const Error& error) {
  probe.publication_refused(error.code);
  const auto now = Clock::now();
  if (now < quiet_until) return;
  quiet_until = now + kLogPause;
  logger.warn("refused a message on the ingest socket",
              {{"code", info(error.code).name}, {"reason", error.message}});
}

// --- the public face

void describe(ConfigSchema& schema, ControlConfig& config) {
  schema.field("control", config.endpoint,
               "the control socket: ipc://… or tcp://…, \"off\"; empty: ipc in the runtime folder");
  schema.field("ingest", config.ingest_endpoint, "the ingest socket, likewise");
  schema.field("insecure", config.insecure,
               "let others reach ZeroMQ sockets over tcp:// without CURVE keys");
  describe(schema, config.curve);
}

ControlServer::ControlServer(ControlConfig config, std::string node_name, const Limits& limits,
                             Logger logger, ProbeRegistry& probes)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(node_name), limits,
                                   std::move(logger), probes)) {}
ControlServer::~ControlServer() {
  stop();
}

void ControlServer::handle(std::string action, ControlHandler handler) {
  impl_->handlers[std::move(action)] = std::move(handler);
}

void ControlServer::on_stats(std::function<std::string()> members) {
  impl_->stats_members = std::move(members);
}

void ControlServer::on_ingest(IngestHandler handler, IngestGate gate) {
  impl_->ingest = std::move(handler);
  impl_->gate = std::move(gate);
}

Result<void> ControlServer::start(std::shared_ptr<LogBackend> backend) {
  Impl& self = *impl_;
  if (auto done = complete(self.config.curve); !done) return done;
  if (auto done = self.start_allow_list(); !done) return done;
  const auto place = self.endpoint_of(self.config.endpoint, ".control");
  if (!place) return place.error();
  const std::size_t command_max = frame_bytes_max(self.limits.command_bytes_max);
  if (auto done =
          self.bind(self.control, {"control", *place, zmq::socket_type::router, command_max});
      !done) {
    return done;
  }
  if (self.ingest) {
    const auto ingest_place = self.endpoint_of(self.config.ingest_endpoint, ".ingest");
    if (!ingest_place) return ingest_place.error();
    const std::size_t message_max = frame_bytes_max(self.limits.message_bytes_max);
    if (auto done = self.bind(self.ingestion,
                              {"ingest", *ingest_place, zmq::socket_type::pull, message_max});
        !done) {
      return done;
    }
  }
  self.add_own_handlers(std::move(backend));
  self.thread = std::thread([&self] { self.run(); });
  return {};
}

void ControlServer::stop() {
  if (!impl_->thread.joinable()) return;
  impl_->stopping.store(true);
  impl_->replies->wake();
  impl_->thread.join();
}

std::string ControlServer::endpoint() const {
  return impl_->control.endpoint;
}
std::string ControlServer::ingest_endpoint() const {
  return impl_->ingestion.endpoint;
}

}  // namespace peal::runtime
