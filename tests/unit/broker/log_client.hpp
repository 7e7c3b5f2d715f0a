#pragma once
// A client that follows a log and comes back to it now and then with the position it has. What it
// is promised is judged by the model: after it has caught up it has everything without a key since
// it first knew the log, once each, and the last of each key - or it was told to begin anew.

#include <map>
#include <optional>
#include <set>
#include <string>

#include "log_model.hpp"
#include "peal/bus/bus_port.hpp"

namespace peal::broker::test {

class LogClient {
 public:
  /// Its next page: forwards from its position, or, when it has none, from what is kept.
  bus::ReadRequest next(std::size_t limit) const {
    bus::ReadRequest request;
    request.limit = limit;
    if (at_) {
      request.epoch = at_->epoch;
      request.after = at_->offset;
    }
    return request;
  }

  /// Takes a page; gives what is wrong with it, or nothing.
  std::string take(const bus::Page& page) {
    if (page.error) {
      ++resets;
      at_.reset();
      return page.error->code == ErrorCode::position_lost ? "" : "refused otherwise";
    }
    if (!at_) {
      known_since_ = page.head.floor.value;
      unkeyed_.clear();
      last_of_.clear();
    } else if (page.after != at_->offset) {
      return "the page does not begin where it was asked to";
    }
    std::uint64_t before = page.after.value;
    for (const PublicationView& publication : page.publications) {
      if (publication.offset.value <= before) return "out of order";
      before = publication.offset.value;
      if (publication.key.empty()) {
        unkeyed_.insert(before);
      } else {
        last_of_[std::string(publication.key)] = before;
      }
    }
    if (before > page.to.value || page.to > page.head.top) return "beyond its range";
    at_ = Position{page.head.epoch, page.to};
    caught_up_ = page.to == page.head.top;
    if (caught_up_) ++recoveries;
    return "";
  }
  bool caught_up() const { return caught_up_; }

  /// Only when it has just caught up.
  std::string judge(const LogModel& model) const {
    std::set<std::uint64_t> unkeyed;
    std::map<std::string, std::uint64_t> last_of;
    for (const LogModel::Entry& entry : model.all()) {
      if (entry.offset() <= known_since_) continue;
      if (entry.publication.key.empty()) {
        unkeyed.insert(entry.offset());
      } else {
        last_of[entry.publication.key] = entry.offset();
      }
    }
    if (at_->epoch != model.epoch()) return "it believes in another epoch";
    if (unkeyed != unkeyed_) return "publications without a key are missing, or too many";
    if (last_of != last_of_) return "a key's last publication is not the one it has";
    return "";
  }

  std::size_t resets = 0, recoveries = 0;

 private:
  std::optional<Position> at_;
  std::uint64_t known_since_ = 0;
  bool caught_up_ = false;
  std::set<std::uint64_t> unkeyed_;
  std::map<std::string, std::uint64_t> last_of_;
};

}  // namespace peal::broker::test
