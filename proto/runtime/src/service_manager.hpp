#pragma once
// Tells the service manager that started this process how it is (systemd's Type=notify): a datagram
// to the socket that NOTIFY_SOCKET names. Without one it says nothing. The variable is read once
// and kept from children.

#include <string>
#include <string_view>

namespace peal::runtime {

class ServiceManager {
 public:
  ServiceManager();
  /// It runs: everything is bound. Whether it may take traffic is /readyz's to say.
  void started() const { say("READY=1"); }
  void stopping() const { say("STOPPING=1"); }
  /// One line for `systemctl status`.
  void status(std::string_view text) const { say("STATUS=" + std::string(text)); }

 private:
  void say(const std::string& state) const;
  std::string socket_;  ///< empty: nobody asks
};

}  // namespace peal::runtime
