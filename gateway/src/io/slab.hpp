#pragma once
// Objects by small index, at addresses that never move, in chunks of 64: what a shard keeps its
// connections in. Each use of an index has its own generation, so that an {index, generation} that
// was written down earlier (an epoll entry, a bus request) is told apart from the slot's next
// inhabitant. One thread. Freed slots are used again, last freed first.

#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace peal::gateway {

template <class T>
class Slab {
 public:
  static constexpr std::uint32_t kChunk = 64;

  Slab() = default;
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  ~Slab() {
    for (std::uint32_t i = 0; i < used_.size(); ++i)
      if (used_[i]) at(i).~T();
  }

  /// The index of a new T, made of `arguments`.
  template <class... Arguments>
  std::uint32_t emplace(Arguments&&... arguments) {
    if (free_.empty()) grow();
    const std::uint32_t index = free_.back();
    new (slot(index)) T(std::forward<Arguments>(arguments)...);
    free_.pop_back();
    used_[index] = true;
    ++size_;
    return index;
  }
  void erase(std::uint32_t index) {
    at(index).~T();
    used_[index] = false;
    ++generations_[index];
    free_.push_back(index);
    --size_;
  }

  T& at(std::uint32_t index) { return *std::launder(static_cast<T*>(slot(index))); }
  const T& at(std::uint32_t index) const { return const_cast<Slab*>(this)->at(index); }
  std::uint32_t generation(std::uint32_t index) const { return generations_[index]; }
  /// Null when that index isn't used, or by another generation.
  T* find(std::uint32_t index, std::uint32_t generation) {
    if (index >= used_.size() || !used_[index] || generations_[index] != generation) return nullptr;
    return &at(index);
  }
  bool used(std::uint32_t index) const { return index < used_.size() && used_[index]; }
  std::size_t size() const { return size_; }
  /// One above the highest index ever used.
  std::uint32_t limit() const { return static_cast<std::uint32_t>(used_.size()); }

 private:
  struct Chunk {
    alignas(T) unsigned char bytes[sizeof(T) * kChunk];
  };

  void* slot(std::uint32_t index) {
    return chunks_[index / kChunk]->bytes + sizeof(T) * (index % kChunk);
  }
  void grow() {
    const auto first = static_cast<std::uint32_t>(used_.size());
    chunks_.emplace_back(new Chunk);
    used_.resize(first + kChunk, false);
    generations_.resize(first + kChunk, 1);
    for (std::uint32_t i = first + kChunk; i-- > first;)
      free_.push_back(i);
  }

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<bool> used_;
  std::vector<std::uint32_t> generations_;
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
};

}  // namespace peal::gateway
