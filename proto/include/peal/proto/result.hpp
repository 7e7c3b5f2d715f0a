#pragma once
// Result<T>: a value, or an Error that the caller must look at. Expected failures (a refused
// command, a lost link, bad input) are values; exceptions are for start-up and for what cannot
// happen. Built on boost::system::result, which is the one place of proto that includes Boost.

#include <boost/system/result.hpp>
#include <string>
#include <utility>

#include "peal/proto/error_code.hpp"

namespace peal {

/// What went wrong: a code of the one table, and a sentence for the person who reads it.
struct Error {
  ErrorCode code = ErrorCode::internal_error;
  std::string message;

  bool temporary() const { return info(code).temporary; }
};

[[noreturn]] inline void throw_exception_from_error(const Error& error,
                                                    const boost::source_location&) {
  throw std::runtime_error(std::string(info(error.code).name) + ": " + error.message);
}

template <class T>
using Result = boost::system::result<T, Error>;

/// `return fail(ErrorCode::channel_name_invalid, "…");`
inline Error fail(ErrorCode code, std::string message) {
  return Error{code, std::move(message)};
}

}  // namespace peal
