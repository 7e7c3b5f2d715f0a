#pragma once
// A file that is there from when its process is first ready until it drains: a JSON object, written
// aside and renamed into place, so that whoever waits for it never reads half of it.

#include <string>
#include <string_view>

#include "peal/proto/result.hpp"

namespace peal::runtime {

class ReadyFile {
 public:
  explicit ReadyFile(std::string path) : path_(std::move(path)) {}
  ~ReadyFile() { remove(); }
  ReadyFile(const ReadyFile&) = delete;
  ReadyFile& operator=(const ReadyFile&) = delete;

  /// Removes what an earlier process left; refuses a path that cannot be written.
  Result<void> prepare();
  Result<void> write(std::string_view json);
  void remove();

 private:
  std::string path_;  ///< empty: none is wanted
  bool written_ = false;
};

}  // namespace peal::runtime
