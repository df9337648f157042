// TokenIndex: token text -> id, a flat hash table (open addressing, linear probing) over strings that somebody else
// owns.
#pragma once

#include <bit>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace quern::text {

class TokenIndex {
 public:
  /// Room for n entries.
  explicit TokenIndex(size_t n = 0) : slots_(std::bit_ceil(n * 2 + 2)) {}

  /// Adds (text, id) unless the text is there already; returns the id that the text has then. `text` must outlive the
  /// index. At most as many entries as there is room for.
  int32_t add(std::string_view text, int32_t id) {
    const uint32_t hash = hash_of(text);
    Slot& slot = slots_[locate(text, hash)];
    if (slot.id < 0) slot = {text.data(), static_cast<uint32_t>(text.size()), hash, id};
    return slot.id;
  }

  /// The id of a text, or -1.
  int32_t find(std::string_view text) const { return slots_[locate(text, hash_of(text))].id; }

 private:
  struct Slot {
    const char* data = nullptr;
    uint32_t size = 0;
    uint32_t hash = 0;
    int32_t id = -1;
  };
  static uint32_t hash_of(std::string_view text) {
    const uint64_t h = std::hash<std::string_view>{}(text);
    return static_cast<uint32_t>(h ^ h >> 32);
  }
  size_t locate(std::string_view text, uint32_t hash) const {
    const size_t mask = slots_.size() - 1;
    size_t i = hash & mask;
    while (slots_[i].id >= 0 && !(slots_[i].hash == hash && std::string_view(slots_[i].data, slots_[i].size) == text)) {
      i = (i + 1) & mask;
    }
    return i;
  }
  std::vector<Slot> slots_;
};

}  // namespace quern::text
