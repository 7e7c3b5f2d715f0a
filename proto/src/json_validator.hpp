#pragma once
// A strict JSON validator: RFC 8259's grammar and nothing else, numbers by their form, whatever
// their value (2^63 and 1e400 are fine), no byte order mark. UTF-8 is checked apart, over the whole
// text. It keeps one bit per open container, so its memory is bounded by `depth_max`, never by
// recursion.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace peal::json {

class Validator {
 public:
  struct Outcome {
    const char* problem = nullptr;  ///< null: valid
    std::size_t at = 0;             ///< byte of the input
    bool too_deep = false;
  };

  /// A member of the outermost object, or of an object that is a member of it.
  struct Note {
    static constexpr std::uint32_t kOutermost = 0xffffffff;
    std::string_view name;  ///< as written, escapes and all
    const char* begin;      ///< of its value
    const char* end;
    std::uint32_t parent;  ///< the note of the member that it is in
  };

  /// With `notes`, what is noted on the way: the same walk then does for two levels of members.
  Outcome run(std::string_view text, std::size_t depth_max, std::vector<Note>* notes = nullptr);

 private:
  enum class Step : std::uint8_t { failed, value, done, finished };

  Step begin();            ///< on the first byte of a value
  Step open(bool object);  ///< on `{` or `[`
  Step close();            ///< behind a value: commas and closing brackets
  Step name();             ///< a member's name and colon
  Step literal(std::string_view word);
  Step failed(const char* problem);
  void push(bool object);
  void note_name(const char* name, const char* behind);
  void note_end(const char* behind);
  bool in_object() const;

  const char* at_ = nullptr;
  const char* end_ = nullptr;
  const char* problem_ = nullptr;
  std::size_t depth_ = 0;
  std::size_t depth_max_ = 0;
  std::vector<Note>* notes_ = nullptr;
  std::uint32_t open_notes_[2] = {};    ///< the member whose value is being read, by depth
  std::vector<std::uint64_t> objects_;  ///< bit d: the container at depth d is an object
};

}  // namespace peal::json
