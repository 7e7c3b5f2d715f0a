#pragma once
// The verbs of `peal`, one file each. A Verb binds its command line in `describe` and does its work
// in `run`; everything that is alike for all of them (finding the verb, --help, --json, exit codes)
// is here.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "arguments.hpp"
#include "output.hpp"

namespace peal::cli {

class Verb {
 public:
  virtual ~Verb() = default;
  virtual std::string_view name() const = 0;
  virtual std::string_view summary() const = 0;  ///< one line
  virtual void describe(Arguments& arguments) = 0;
  virtual Outcome<void> run(Console& console) = 0;
};

std::unique_ptr<Verb> make_publish();
std::unique_ptr<Verb> make_subscribe();
std::unique_ptr<Verb> make_history();
std::unique_ptr<Verb> make_dump();
std::unique_ptr<Verb> make_load();
std::unique_ptr<Verb> make_get();
std::unique_ptr<Verb> make_put();
std::unique_ptr<Verb> make_delete();
std::unique_ptr<Verb> make_stats();
std::unique_ptr<Verb> make_channels();
std::unique_ptr<Verb> make_presence();
std::unique_ptr<Verb> make_sessions();
std::unique_ptr<Verb> make_count();
std::unique_ptr<Verb> make_disconnect();
std::unique_ptr<Verb> make_cluster();
std::unique_ptr<Verb> make_drain();
std::unique_ptr<Verb> make_rebalance();
std::unique_ptr<Verb> make_log_level();
std::unique_ptr<Verb> make_monitor();
std::unique_ptr<Verb> make_keygen();
std::unique_ptr<Verb> make_bench();

/// The words after the program's name; gives the exit code.
int run(const std::vector<std::string>& words);

}  // namespace peal::cli
