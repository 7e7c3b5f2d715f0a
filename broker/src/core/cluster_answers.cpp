#include "core/cluster_answers.hpp"

#include <utility>

namespace peal::broker {
namespace {

/// What a channel, or a gateway that is missing, takes beside its texts.
constexpr std::size_t kEntryBytes = 16;

std::string shown(std::chrono::milliseconds time) {
  if (time.count() % 1000 == 0) return std::to_string(time.count() / 1000) + " s";
  return std::to_string(time.count()) + " ms";
}

}  // namespace

void ClusterAnswers::add(const std::string& node, const bus::ClusterAnswer& answer) {
  if (answer.error) return miss(node, answer.error->message);
  ++sum_.answered;
  sum_.disconnected += answer.disconnected;
  sum_.sessions += answer.sessions;
  sum_.subscriptions += answer.subscriptions;
  if (channels_max_ == 0) return;
  for (const auto& [name, subscribers] : answer.channels) {
    if (last_ && name > *last_) break;
    const auto [entry, is_new] = channels_.try_emplace(name, 0);
    entry->second += subscribers;
    if (is_new) bytes_ += name.size() + kEntryBytes;
  }
  if (answer.more && (!last_ || answer.channels.back().name < *last_)) {
    cut_behind(answer.channels.back().name);
  }
  while (channels_.size() > channels_max_ || (bytes_ > bytes_max_ && channels_.size() > 1)) {
    cut_behind(std::prev(channels_.end(), 2)->first);
  }
}

void ClusterAnswers::cut_behind(const std::string& last) {
  last_ = last;
  for (auto at = channels_.upper_bound(*last_); at != channels_.end();) {
    bytes_ -= at->first.size() + kEntryBytes;
    at = channels_.erase(at);
  }
}

void ClusterAnswers::miss(std::string node, std::string why) {
  const std::size_t bytes = node.size() + why.size() + kEntryBytes;
  if (missing_bytes_ + bytes > bytes_max_) return;
  missing_bytes_ += bytes;
  sum_.missing.push_back({std::move(node), std::move(why)});
}

void ClusterAnswers::late(std::string node, std::chrono::milliseconds within) {
  miss(std::move(node), "did not within " + shown(within));
}

bus::ClusterAnswer ClusterAnswers::take() {
  for (auto& [name, subscribers] : channels_)
    sum_.channels.push_back({name, subscribers});
  sum_.more = last_.has_value() && !channels_.empty();
  channels_.clear();
  return std::exchange(sum_, {});
}

}  // namespace peal::broker
