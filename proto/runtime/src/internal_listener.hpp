#pragma once
// The internal HTTP listener: a few GET paths for operators, on one thread of its own. Whoever is
// slow or silent for 5 s is closed, at most 64 clients at once, so that it holds nothing for long
// and takes nothing from the hot path. The handler runs on the listener's thread and must not
// block.

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "peal/proto/result.hpp"
#include "peal/runtime/address.hpp"

namespace peal::runtime {

struct InternalAnswer {
  unsigned status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
};
/// `path` is the request's target without its query.
using InternalHandler = std::function<InternalAnswer(std::string_view path)>;

class InternalListener {
 public:
  InternalListener();
  ~InternalListener();  ///< stops and joins

  /// Binds and starts; gives the address as bound.
  Result<Address> start(const Address& address, InternalHandler handler);
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peal::runtime
