#pragma once
// How a verb ends: the exit code that scripts test, and what standard error says. A Failure carries
// both, so that a piece deep down decides once between "refused", "you called it wrong" and "nobody
// is there".

#include <boost/system/result.hpp>
#include <stdexcept>
#include <string>
#include <utility>

#include "peal/proto/result.hpp"

namespace peal::cli {

enum class Exit : int {
  done = 0,
  refused = 1,      ///< the other side answered with an error; its code is on standard error
  usage = 2,        ///< the command line makes no sense
  unreachable = 3,  ///< nobody answered
  partly = 4,       ///< done where it could be: not every gateway has answered
};

struct Failure {
  Exit exit = Exit::refused;
  std::string code;     ///< of the error table, with Exit::refused
  std::string message;  ///< a sentence for a person
};

inline Failure refused(const Error& error) {
  return {Exit::refused, std::string(info(error.code).name), error.message};
}
inline Failure usage(std::string message) {
  return {Exit::usage, {}, std::move(message)};
}
inline Failure unreachable(std::string message) {
  return {Exit::unreachable, {}, std::move(message)};
}

[[noreturn]] inline void throw_exception_from_error(const Failure& failure,
                                                    const boost::source_location&) {
  throw std::logic_error("unchecked failure: " + failure.message);
}

template <class T>
using Outcome = boost::system::result<T, Failure>;

}  // namespace peal::cli
