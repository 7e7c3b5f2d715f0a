#include "disk.hpp"

#include <deque>
#include <unordered_map>

namespace peal::simulation {
namespace {

using namespace std::chrono_literals;
using broker::LogId;
using broker::PeerId;
using broker::TimePoint;

class DiskStore final : public broker::LogStore {
 public:
  DiskStore(broker::StoreSeat seat, Disk& disk, Machine& machine, Truth& truth,
            std::function<void(Duration)> turn_due, DiskMistakes mistakes)
      : seat_(std::move(seat)),
        disk_(disk),
        machine_(machine),
        truth_(truth),
        turn_due_(std::move(turn_due)),
        mistakes_(mistakes) {
    for (auto& [name, file] : disk_.files)
      file.log->crash();  // what was in memory is not there any more
  }

  void watch(LogId log, std::string_view channel, TimePoint now) override {
    watched_[std::string(channel)] = log;
    names_[log] = channel;
    seat_.sink.on_head(log, file(channel).log->log().head(now));
  }
  void unwatch(LogId log, TimePoint) override {
    const auto found = names_.find(log);
    if (found == names_.end()) return;
    watched_.erase(found->second);
    names_.erase(found);
  }
  void append(PeerId peer, const bus::PublishRequest& request, TimePoint now) override {
    if (queue_.empty()) {
      commit_due_ = now + machine_.world.between(500us, 8ms);
      turn_due_(commit_due_ - now);
    }
    queue_.emplace_back(peer, request);
    if (!mistakes_.acknowledges_before_commit) return;
    bus::Published outcome;
    outcome.id = request.id;
    outcome.position =
        Position{file(request.channel).log->log().epoch(),
                 {file(request.channel).log->log().head().top.value + queue_.size()}};
    seat_.sink.on_outcome(peer, outcome);
  }
  void read(PeerId peer, const bus::ReadRequest& request, TimePoint now) override {
    seat_.sink.on_page(peer, file(request.channel).log->read(request, page_, now));
  }
  void tick(TimePoint now) override {
    for (auto& [name, file] : disk_.files)
      file.log->log().expire(now);
  }
  void turn(TimePoint now) override {
    if (queue_.empty() || now < commit_due_) return;
    const std::deque<Asked> committed = std::exchange(queue_, {});
    std::vector<bus::Published> outcomes;
    for (const Asked& asked : committed)
      outcomes.push_back(commit(asked, now));
    if (mistakes_.acknowledges_before_commit) return;
    for (std::size_t i = 0; i < committed.size(); ++i)
      seat_.sink.on_outcome(committed[i].peer, outcomes[i]);
  }
  void drop_peer(PeerId peer) override {
    for (Asked& asked : queue_)
      if (asked.peer == peer) asked.peer = kNobody;
  }
  void stop() override {}
  void each(const std::function<void(std::string_view, const Head&)>& visit) const override {
    for (const auto& [name, file] : disk_.files)
      visit(name, file.log->log().head());
  }
  broker::LogStoreStats stats() const override { return {disk_.files.size(), 0, 0}; }

 private:
  static constexpr PeerId kNobody = ~PeerId{0};

  struct Asked {
    Asked(PeerId its_peer, const bus::PublishRequest& asked)
        : peer(its_peer),
          channel(asked.channel),
          publication(copy_of(asked.publication)),
          id(asked.id),
          expect(asked.expect),
          previous(asked.previous) {}
    PeerId peer;
    std::string channel;
    Publication publication;
    bus::RequestId id;
    std::optional<Position> expect;
    std::optional<Sequence> previous;
    bus::PublishRequest request() const {
      bus::PublishRequest made;
      made.id = id;
      made.channel = channel;
      made.publication = view_of(publication);
      made.expect = expect;
      made.previous = previous;
      return made;
    }
  };

  Disk::File& file(std::string_view channel) {
    const auto found = disk_.files.find(channel);
    if (found != disk_.files.end()) return found->second;
    Disk::File& made = disk_.files[std::string(channel)];
    made.options = seat_.options_of(channel);
    made.log =
        std::make_unique<broker::test::SavedLog>(seat_.epochs.next(), made.options, disk_.limits);
    return made;
  }
  bus::Published commit(const Asked& asked, TimePoint now) {
    const bus::PublishRequest request = asked.request();
    const bus::Published outcome = file(asked.channel).log->log().append(request, now);
    if (outcome.status != bus::Published::Status::ok || outcome.duplicate) return outcome;
    truth_.took(asked.channel, *outcome.position, asked.publication.payload, machine_);
    const auto watched = watched_.find(asked.channel);
    if (watched == watched_.end()) return outcome;
    PublicationView publication = request.publication;
    publication.offset = outcome.position->offset;
    seat_.sink.on_appended(watched->second, outcome.position->epoch, publication);
    return outcome;
  }

  broker::StoreSeat seat_;
  Disk& disk_;
  Machine& machine_;
  Truth& truth_;
  const std::function<void(Duration)> turn_due_;
  const DiskMistakes mistakes_;
  std::deque<Asked> queue_;
  TimePoint commit_due_{};
  std::unordered_map<std::string, LogId> watched_;
  std::unordered_map<LogId, std::string> names_;
  std::vector<PublicationView> page_;
};

}  // namespace

broker::MakeLogStore make_disk_store(Disk& disk, Machine& machine, Truth& truth,
                                     std::function<void(Duration)> turn_due,
                                     DiskMistakes mistakes) {
  return [&disk, &machine, &truth, turn_due = std::move(turn_due),
          mistakes](broker::StoreSeat seat) {
    return std::make_unique<DiskStore>(std::move(seat), disk, machine, truth, turn_due, mistakes);
  };
}

}  // namespace peal::simulation
