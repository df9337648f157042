#include "lib/text/nfc.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "lib/text/nfc_tables.h"
#include "lib/text/utf8.h"

namespace quern::text {
namespace {

// Hangul syllables: lead * 21 vowels * 28 tails (the first of which is none), in order.
constexpr uint32_t kSyllable = 0xAC00, kLead = 0x1100, kVowel = 0x1161, kTail = 0x11A7;
constexpr uint32_t kLeads = 19, kVowels = 21, kTails = 28, kSyllables = kLeads * kVowels * kTails;

constexpr uint32_t kFirstUnsure = kUnsure[0].first;
constexpr uint32_t kRawByte = 0x110000;  // + byte: what is no character
constexpr int kMaxDepth = 4;             // of decompositions of decompositions

struct Character {
  uint32_t code;
  uint32_t combining_class;
};

template <class Range, size_t N>
const Range* find_range(const Range (&ranges)[N], uint32_t code) {
  const auto* range = std::upper_bound(std::begin(ranges), std::end(ranges), code,
                                       [](uint32_t c, const Range& r) { return c < r.first; });
  if (range == std::begin(ranges) || code > std::prev(range)->last) return nullptr;
  return std::prev(range);
}

uint32_t class_of(uint32_t code) {
  if (code < kFirstUnsure) return 0;
  const ClassRange* range = find_range(kClasses, code);
  return range ? range->combining_class : 0;
}

void decompose(uint32_t code, int depth, std::vector<Character>& out) {
  if (code - kSyllable < kSyllables) {
    const uint32_t index = code - kSyllable;
    out.push_back({kLead + index / (kVowels * kTails), 0});
    out.push_back({kVowel + index / kTails % kVowels, 0});
    if (index % kTails != 0) out.push_back({kTail + index % kTails, 0});
    return;
  }
  const auto* found = std::lower_bound(std::begin(kDecompositions), std::end(kDecompositions), code,
                                       [](const Decomposition& d, uint32_t c) { return d.code < c; });
  if (found == std::end(kDecompositions) || found->code != code || depth == kMaxDepth) {
    out.push_back({code, class_of(code)});
    return;
  }
  decompose(found->first, depth + 1, out);
  if (found->second != 0) decompose(found->second, depth + 1, out);
}

// The composite of two characters, or 0.
uint32_t compose(uint32_t first, uint32_t second) {
  if (first - kLead < kLeads && second - kVowel < kVowels)
    return kSyllable + ((first - kLead) * kVowels + (second - kVowel)) * kTails;
  const bool open_syllable = first - kSyllable < kSyllables && (first - kSyllable) % kTails == 0;
  if (open_syllable && second > kTail && second < kTail + kTails) return first + (second - kTail);
  const auto* found = std::lower_bound(std::begin(kCompositions), std::end(kCompositions), std::pair(first, second),
                                       [](const Composition& c, const std::pair<uint32_t, uint32_t>& wanted) {
                                         return std::pair(c.first, c.second) < wanted;
                                       });
  const bool known = found != std::end(kCompositions) && found->first == first && found->second == second;
  return known ? found->code : 0;
}

// Runs of marks by their class, marks of one class in the order of the text.
void order(std::vector<Character>& text) {
  for (auto begin = text.begin(); begin != text.end();) {
    if (begin->combining_class == 0) {
      ++begin;
      continue;
    }
    const auto end = std::find_if(begin, text.end(), [](const Character& c) { return c.combining_class == 0; });
    std::stable_sort(begin, end,
                     [](const Character& a, const Character& b) { return a.combining_class < b.combining_class; });
    begin = end;
  }
}

// A character joins the last starter where nothing of its class or above stands between them.
void compose_all(std::vector<Character>& text) {
  size_t starter = text.size(), out = 0;
  uint32_t last_class = 0;  // of what was kept after the starter
  for (size_t i = 0; i < text.size(); ++i) {
    const Character c = text[i];
    const bool adjacent = starter < out && starter + 1 == out;
    const bool blocked = !adjacent && (last_class >= c.combining_class);
    if (starter < out && !blocked) {
      if (const uint32_t composite = compose(text[starter].code, c.code); composite != 0) {
        text[starter].code = composite;
        continue;
      }
    }
    if (c.combining_class == 0) starter = out;
    last_class = c.combining_class;
    text[out++] = c;
  }
  text.resize(out);
}

void append(std::string& out, uint32_t c) {
  if (c >= kRawByte) {
    out.push_back(static_cast<char>(c - kRawByte));
  } else {
    append_utf8(out, c);
  }
}

}  // namespace

bool is_nfc_quick(std::string_view text) {
  while (!text.empty()) {
    const Utf8Step step = read_utf8(text);
    const bool unsure = step.kind == Utf8Step::Kind::valid && step.codepoint >= kFirstUnsure &&
                        find_range(kUnsure, step.codepoint) != nullptr;
    if (unsure) return false;
    text.remove_prefix(step.size);
  }
  return true;
}

std::string to_nfc(std::string_view text) {
  std::vector<Character> characters;
  characters.reserve(text.size());
  for (std::string_view rest = text; !rest.empty();) {
    const Utf8Step step = read_utf8(rest);
    if (step.kind == Utf8Step::Kind::valid) {
      decompose(step.codepoint, 0, characters);
    } else {
      for (const char c : rest.substr(0, step.size)) characters.push_back({kRawByte + static_cast<uint8_t>(c), 0});
    }
    rest.remove_prefix(step.size);
  }
  order(characters);
  compose_all(characters);
  std::string out;
  out.reserve(text.size());
  for (const Character& c : characters) append(out, c.code);
  return out;
}

}  // namespace quern::text
