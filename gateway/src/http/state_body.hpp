#pragma once
// A channel's state as a response's body: {"epoch","publications":[…],"offset"}, the last
// publication of each key, a page at a time. A key that changes meanwhile comes again, newer;
// `offset` is what the whole is true up to. When the log has another epoch meanwhile the body
// fails.

#include <memory>
#include <string>

#include "peal/proto/position.hpp"
#include "session/body_source.hpp"
#include "session/engine.hpp"

namespace peal::gateway::http {

class StateBody final : public BodySource {
 public:
  /// Who asks has been let in.
  StateBody(Engine& engine, std::string channel, const Epoch& epoch);
  void pull(Taker taker) override;

 private:
  struct Reading;
  Engine& engine_;
  std::shared_ptr<Reading> reading_;
};

}  // namespace peal::gateway::http
