#include "session/page_reads.hpp"

#include <utility>

namespace peal::gateway {
namespace {

template <class Number>
void append_bytes(std::string& to, Number number) {
  to.append(reinterpret_cast<const char*>(&number), sizeof number);
}

}  // namespace

void PageReads::make_key(std::string& key, const bus::ReadRequest& request) {
  key.clear();
  append_bytes(key, static_cast<std::uint8_t>(request.mode));
  append_bytes(key, request.after.value);
  append_bytes(key, request.limit);
  append_bytes(key, request.bytes);
  key += request.epoch ? request.epoch->view() : std::string_view();
  key += '/';
  key += request.channel;
}

void PageReads::read(const bus::ReadRequest& request, PageDone done) {
  make_key(key_, request);
  const auto [found, fresh] = gathered_.try_emplace(key_, 0);
  if (!fresh) {
    probe_.read_shared();
    reads_.at(found->second).done.push_back(std::move(done));
    return;
  }
  const std::uint32_t index = reads_.emplace();
  found->second = index;
  reads_.at(index).done.push_back(std::move(done));
  probe_.read_asked();
  bus::ReadRequest asked = request;
  asked.id = (bus::RequestId{reads_.generation(index) & 0x7fffffff} << 32) | index;
  port_->read(asked);
}

void PageReads::on_page(const bus::Page& page) {
  const auto index = static_cast<std::uint32_t>(page.id);
  const auto generation = static_cast<std::uint32_t>(page.id >> 32);
  if (!reads_.used(index) || (reads_.generation(index) & 0x7fffffff) != generation) return;
  const Read read = std::move(reads_.at(index));
  reads_.erase(index);
  for (const PageDone& done : read.done)
    done(page);
}

void PageReads::end(const Error& error) {
  bus::Page page;
  page.error = error;
  gathered_.clear();
  for (std::uint32_t i = 0; i < reads_.limit(); ++i) {
    if (!reads_.used(i)) continue;
    const Read read = std::move(reads_.at(i));
    reads_.erase(i);
    for (const PageDone& done : read.done)
      done(page);
  }
}

}  // namespace peal::gateway
