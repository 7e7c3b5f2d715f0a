#pragma once
// What the fuzzers share: a seeded generator (the same on every machine), byte mutations, and a
// main loop with a budget. A fuzzer calls `require` for what must hold; the first failure prints
// the seed, the iteration and the input, and aborts.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace peal::fuzz {

/// splitmix64.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }
  std::size_t below(std::size_t n) { return n == 0 ? 0 : static_cast<std::size_t>(next() % n); }
  bool one_in(std::size_t n) { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

/// Flips, inserts, removes, repeats and splices bytes; `tokens` are pieces that matter to the
/// format.
inline std::string mutate(Random& random, std::string text,
                          const std::vector<std::string_view>& tokens,
                          const std::vector<std::string_view>& corpus) {
  for (std::size_t n = 1 + random.below(4); n > 0; --n) {
    const std::size_t at = random.below(text.size() + 1);
    const std::size_t length = random.below(text.size() - at + 1);
    switch (random.below(7)) {
      case 0:
        if (at < text.size()) text[at] = static_cast<char>(random.next());
        break;
      case 1:
        if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << random.below(8)));
        break;
      case 2:
        text.insert(at, 1, static_cast<char>(random.next()));
        break;
      case 3:
        text.erase(at, random.one_in(2) ? 1 : length);
        break;
      case 4:
        text.insert(at, tokens[random.below(tokens.size())]);
        break;
      case 5:
        text.insert(at, text.substr(at, length));
        break;
      default: {
        const std::string_view other = corpus[random.below(corpus.size())];
        text = text.substr(0, at) + std::string(other.substr(random.below(other.size() + 1)));
      }
    }
  }
  return text;
}

struct Budget {
  std::uint64_t iterations = 100'000;
  std::uint64_t seed = 1;
};

inline Budget parse_budget(int argc, char** argv) {
  Budget budget;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view flag(argv[i]);
    const std::uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (flag == "--iterations") {
      budget.iterations = value;
    } else if (flag == "--seed") {
      budget.seed = value;
    } else {
      std::fprintf(stderr, "usage: %s [--iterations N] [--seed S]\n", argv[0]);
      std::exit(2);
    }
  }
  return budget;
}

/// The input under test, for the message of a failure.
struct Current {
  std::uint64_t seed = 0;
  std::uint64_t iteration = 0;
  std::string input;
};

inline void require(bool holds, const char* what, const Current& current) {
  if (holds) return;
  std::fprintf(stderr, "FAILED: %s\nseed %llu, iteration %llu, %zu bytes:\n", what,
               static_cast<unsigned long long>(current.seed),
               static_cast<unsigned long long>(current.iteration), current.input.size());
  for (const char c : current.input)
    std::fprintf(stderr, "%02x", static_cast<unsigned char>(c));
  std::fprintf(stderr, "\n%.*s\n", static_cast<int>(current.input.size()), current.input.data());
  std::abort();
}

/// Calls `one` with a fresh generator per iteration, so that any one can be repeated alone.
inline int run(const char* name, const Budget& budget,
               const std::function<void(Random&, Current&)>& one) {
  Current current;
  current.seed = budget.seed;
  for (std::uint64_t i = 0; i < budget.iterations; ++i) {
    current.iteration = i;
    Random random(budget.seed * 0x100000001b3U + i);
    one(random, current);
  }
  std::printf("%s: %llu iterations, seed %llu\n", name,
              static_cast<unsigned long long>(budget.iterations),
              static_cast<unsigned long long>(budget.seed));
  return 0;
}

}  // namespace peal::fuzz
