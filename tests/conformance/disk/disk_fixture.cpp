#include "disk_fixture.hpp"

#include <algorithm>

#include "disk/folder.hpp"

namespace peal::broker::test {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::seconds kPatience{60};

}  // namespace

DiskTest::~DiskTest() {
  disk.hang(false);
  close();
}

Result<void> DiskTest::try_open(bool verify) {
  if (folders_.empty()) folders_.push_back(std::make_unique<peal::test::TempFolder>());
  const auto path = disk::prepare_folder(folder());
  if (!path) return path.error();
  auto database = disk::Database::open(
      {.folder = *path, .cache_bytes = 1 << 20, .verify = verify, .env = disk.env()});
  if (!database) return database.error();
  database_ = std::move(*database);
  guard_ = disk::CommitGuard::open(folder() / "commits").value();
  const auto state = disk::check_state(*database_, *guard_);
  if (!state) return state.error();
  clock_ = std::make_unique<disk::StoreClock>(
      state->commits > 0 ? std::optional(state->clock) : std::nullopt, disk::read_clocks(),
      std::chrono::steady_clock::now());
  disk::CommitOptions wanted{.folder = folder(), .free_min = limits.disk_free_min, .state = *state};
  wanted.free_space = [this] { return free_space.load(); };
  commits = std::make_unique<disk::CommitThread>(*database_, *guard_, *clock_, wanted, probe,
                                                 runtime::Logger(said));
  StoreSeat seat{*this,
                 [this](std::string_view) { return options; },
                 limits,
                 [this] { return ++random_ * 0x9e3779b97f4a7c15U; },
                 [this] {
                   const std::lock_guard lock(mutex_);
                   wake_ = true;
                   woken_.notify_one();
                 },
                 [](std::string_view) { return true; }};
  store = std::make_unique<DiskLogStore>(std::move(seat),
                                         DiskShared{*database_, *commits, *clock_, probes});
  return {};
}

void DiskTest::open() {
  const auto opened = try_open();
  ASSERT_TRUE(opened) << opened.error().message;
}

void DiskTest::close() {
  store.reset();
  commits.reset();
  database_.reset();
}

void DiskTest::crash() {
  auto copy = std::make_unique<peal::test::TempFolder>();
  // First the guard, which is written last.
  fs::copy_file(folder() / "commits", fs::path(copy->path()) / "commits");
  {
    const auto still = disk.still();  // a kill leaves all files as they were at one instant
    fs::copy(folder(), copy->path(), fs::copy_options::recursive | fs::copy_options::skip_existing);
  }
  close();
  folders_.push_back(std::move(copy));
}

void DiskTest::step_back() {
  close();
  folders_.pop_back();
}

double DiskTest::probe_value(std::string_view name) const {
  class Sink final : public runtime::MetricSink {
   public:
    explicit Sink(std::string_view wanted) : wanted_(wanted) {}
    void counter(std::string_view name, std::string_view, double value, runtime::Labels) override {
      if (name == wanted_) found = value;
    }
    void gauge(std::string_view name, std::string_view help, double value,
               runtime::Labels labels) override {
      counter(name, help, value, labels);
    }
    double found = 0;

   private:
    std::string_view wanted_;
  };
  Sink sink(name);
  probe.collect(sink);
  return sink.found;
}

fs::path DiskTest::newest(const std::string& ending) const {
  fs::path found;
  for (const auto& file : fs::directory_iterator(database_folder())) {
    const bool matches = file.path().extension() == ending;
    if (matches && (found.empty() || found.filename() < file.path().filename())) found = file;
  }
  return found;
}

bool DiskTest::until(const std::function<bool()>& so) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (true) {
    store->turn(now);
    if (so()) return true;
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::unique_lock lock(mutex_);
    woken_.wait_for(lock, std::chrono::milliseconds(50), [this] { return wake_; });
    wake_ = false;
  }
}

bus::RequestId DiskTest::publish(std::string_view channel, std::string_view payload,
                                 std::string_view source, std::uint64_t sequence) {
  bus::PublishRequest request;
  request.id = next_id_++;
  request.channel = channel;
  request.publication.payload = payload;
  request.publication.source = source;
  request.publication.sequence = {0, sequence};
  store->append(1, request, now);
  return request.id;
}

bus::Published DiskTest::publish_and_wait(std::string_view channel, std::string_view payload,
                                          std::string_view source, std::uint64_t sequence) {
  const bus::RequestId id = publish(channel, payload, source, sequence);
  EXPECT_TRUE(until([&] { return outcomes.contains(id); }));
  return outcomes[id];
}

std::string DiskTest::payloads(std::string_view channel) {
  bus::ReadRequest request;
  request.channel = channel;
  request.limit = 100'000;
  request.bytes = 1 << 30;
  page.reset();
  store->read(1, request, now);
  EXPECT_TRUE(until([&] { return page.has_value(); }));
  return page.value_or("?");
}

std::optional<Head> DiskTest::head_of(std::string_view channel) {
  std::optional<Head> found;
  store->each([&](std::string_view name, const Head& head) {
    if (name == channel) found = head;
  });
  return found;
}

void DiskTest::turn_and_tick() {
  store->tick(now);
  store->turn(now);
}

void DiskTest::on_head(LogId log, const Result<Head>& head) {
  heads.emplace_back(log, head);
}

void DiskTest::on_page(PeerId, const bus::Page& read) {
  page.emplace(read.error ? "?" : "");
  for (const PublicationView& publication : read.publications) {
    if (!page->empty()) *page += ' ';
    *page += publication.payload;
  }
}

}  // namespace peal::broker::test
