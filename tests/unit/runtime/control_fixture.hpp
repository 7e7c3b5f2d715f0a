#pragma once
// A control and an ingest socket in a folder of the test's own, with a handler that echoes and a
// list of what was ingested; and clients of both.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>
#include <zmq.hpp>
#include <zmq_addon.hpp>

#include "log_capture.hpp"
#include "peal/runtime/control.hpp"

namespace peal::runtime {

class ControlTest : public testing::Test {
 protected:
  ControlTest() {
    folder_ = std::filesystem::temp_directory_path() / ("peal-control-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    config_.endpoint = "ipc://" + (folder_ / "c").string();
    config_.ingest_endpoint = "ipc://" + (folder_ / "i").string();
    limits_.command_bytes_max = 4096;
    limits_.message_bytes_max = 1024;
    limits_.json_depth_max = 16;
  }
  ~ControlTest() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  void make() {
    server_ =
        std::make_unique<ControlServer>(config_, "node-1", limits_, Logger(capture_), probes_);
    server_->handle("echo", [](std::string_view payload, const ControlReply& reply) {
      reply.result(std::string(payload));
    });
    server_->on_ingest(
        [this](std::string_view channel, std::string_view payload) {
          const std::lock_guard lock(mutex_);
          ingested_.push_back(std::string(channel) + " " + std::string(payload));
        },
        [this] { return gate_.load(); });
  }
  void start() {
    if (!server_) make();
    const auto started = server_->start(capture_);
    ASSERT_TRUE(started) << started.error().message;
  }
  std::string start_problem() {
    make();
    const auto started = server_->start(capture_);
    return started ? "" : started.error().message;
  }

  zmq::socket_t client(zmq::socket_type type) {
    zmq::socket_t socket(context_, type);
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::rcvtimeo, 60'000);
    return socket;
  }
  zmq::socket_t connected(zmq::socket_type type) {
    zmq::socket_t socket = client(type);
    socket.connect(type == zmq::socket_type::push ? server_->ingest_endpoint()
                                                  : server_->endpoint());
    return socket;
  }
  static std::string hear(zmq::socket_t& socket) {
    std::vector<zmq::message_t> frames;
    if (!zmq::recv_multipart(socket, std::back_inserter(frames))) return "nothing";
    std::string text;
    for (const auto& frame : frames)
      text += (&frame == &frames[0] ? "" : "|") + frame.to_string();
    return text;
  }
  static std::string ask(zmq::socket_t& socket, std::string_view command) {
    socket.send(zmq::buffer(command));
    return hear(socket);
  }
  static void send_frames(zmq::socket_t& socket, const std::vector<std::string>& frames) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      socket.send(zmq::buffer(frames[i]),
                  i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    }
  }
  std::size_t ingested() {
    const std::lock_guard lock(mutex_);
    return ingested_.size();
  }

  std::filesystem::path folder_;
  ControlConfig config_;
  Limits limits_;
  ProbeRegistry probes_;
  std::shared_ptr<test::LogCapture> capture_ = std::make_shared<test::LogCapture>();
  std::mutex mutex_;
  std::vector<std::string> ingested_;
  std::atomic<bool> gate_{true};
  std::unique_ptr<ControlServer> server_;
  zmq::context_t context_;
};

}  // namespace peal::runtime
