#include "lib/chat/text_tools.h"

#include <algorithm>

#include "lib/chat/unicode.h"

namespace quern::chat {

namespace {

constexpr size_t kShortPattern = 32;  // bytes; searched for directly, as the worst case is that many times the text

// Knuth, Morris, Pratt. `t(i)` and `p(i)` are the bytes; the result is where the first match starts in that order.
template <class T, class P>
size_t search(size_t text_size, T t, size_t pattern_size, P p) {
  std::vector<uint32_t> border(pattern_size, 0);
  for (size_t i = 1, k = 0; i < pattern_size; ++i) {
    while (k > 0 && p(i) != p(k)) k = border[k - 1];
    k += p(i) == p(k);
    border[i] = static_cast<uint32_t>(k);
  }
  for (size_t i = 0, k = 0; i < text_size; ++i) {
    while (k > 0 && t(i) != p(k)) k = border[k - 1];
    k += t(i) == p(k);
    if (k == pattern_size) return i + 1 - pattern_size;
  }
  return std::string_view::npos;
}

}  // namespace

size_t find_text(std::string_view text, std::string_view wanted) {
  if (wanted.size() <= kShortPattern || wanted.size() > text.size()) return text.find(wanted);
  return search(
      text.size(), [&](size_t i) { return text[i]; }, wanted.size(), [&](size_t i) { return wanted[i]; });
}

size_t rfind_text(std::string_view text, std::string_view wanted) {
  if (wanted.size() <= kShortPattern || wanted.size() > text.size()) return text.rfind(wanted);
  const size_t n = text.size(), m = wanted.size();
  const size_t at = search(
      n, [&](size_t i) { return text[n - 1 - i]; }, m, [&](size_t i) { return wanted[m - 1 - i]; });
  return at == text.npos ? at : n - at - m;
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out.append("&amp;");
        break;
      case '<':
        out.append("&lt;");
        break;
      case '>':
        out.append("&gt;");
        break;
      case '"':
        out.append("&#34;");
        break;
      case '\'':
        out.append("&#39;");
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separator, uint64_t n) {
  std::vector<std::string_view> out;
  for (size_t at = 0; n > 0 && (at = find_text(text, separator)) != text.npos; --n) {
    out.push_back(text.substr(0, at));
    text.remove_prefix(at + separator.size());
  }
  out.push_back(text);
  return out;
}

std::vector<std::string_view> rsplit(std::string_view text, std::string_view separator, uint64_t n) {
  std::vector<std::string_view> out;
  for (size_t at = 0; n > 0 && (at = rfind_text(text, separator)) != text.npos; --n) {
    out.push_back(text.substr(at + separator.size()));
    text = text.substr(0, at);
  }
  out.push_back(text);
  std::reverse(out.begin(), out.end());
  return out;
}

std::vector<std::string_view> split_spaces(std::string_view text, uint64_t n) {
  std::vector<std::string_view> out;
  for (text = strip(text, Strip::left); !text.empty(); text = strip(text, Strip::left)) {
    if (out.size() == n) {
      out.push_back(text);
      break;
    }
    size_t size = 0;
    while (size < text.size() && !is_space(char_at(text.substr(size)))) size += char_size(text.substr(size));
    out.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return out;
}

std::vector<std::string_view> rsplit_spaces(std::string_view text, uint64_t n) {
  const auto all = split_spaces(text, text.size());
  if (n >= all.size()) return all;
  std::vector<std::string_view> out;
  const std::string_view first = all[0], last = all[all.size() - n - 1];
  out.emplace_back(first.data(), static_cast<size_t>(last.data() + last.size() - first.data()));
  out.insert(out.end(), all.end() - static_cast<std::ptrdiff_t>(n), all.end());
  return out;
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> out;
  size_t start = 0, at = 0;
  while (at < text.size()) {
    const uint32_t c = char_at(text.substr(at));
    size_t size = char_size(text.substr(at));
    if ((c >= 10 && c <= 13) || (c >= 28 && c <= 30) || c == 0x85 || c == 0x2028 || c == 0x2029) {
      if (c == '\r' && at + 1 < text.size() && text[at + 1] == '\n') size = 2;
      out.push_back(text.substr(start, at - start + (keep_ends ? size : 0)));
      start = at + size;
    }
    at += size;
  }
  if (start < text.size()) out.push_back(text.substr(start));
  return out;
}

Result<Value> string_list(Work& work, const std::vector<std::string_view>& parts) {
  QUERN_CHECK(work.spend(parts.size() / 2));
  QUERN_CHECK(work.room(parts.size() * 96));
  std::vector<Value> out;
  out.reserve(parts.size());
  for (const std::string_view part : parts) out.push_back(work.string(part));
  return work.list(std::move(out));
}

Result<std::string> replace_text(Work& work, std::string_view text, std::string_view old, std::string_view fresh,
                                 int64_t most) {
  QUERN_CHECK(work.spend_bytes(text.size()));
  const uint64_t n = most < 0 ? text.size() + 1 : static_cast<uint64_t>(most);
  std::string out;
  uint64_t done = 0;
  const auto put = [&](std::string_view piece) -> Status {
    QUERN_CHECK(work.spend(piece.size() / 256));
    QUERN_CHECK(work.room(out.size() + piece.size()));
    out.append(piece);
    return {};
  };
  if (old.empty()) {
    while (done < n) {
      QUERN_CHECK(put(fresh));
      ++done;
      if (text.empty()) break;
      QUERN_CHECK(put(text.substr(0, char_size(text))));
      text.remove_prefix(char_size(text));
    }
    QUERN_CHECK(put(text));
    return out;
  }
  for (size_t at = 0; done < n && (at = find_text(text, old)) != text.npos; ++done) {
    QUERN_CHECK(put(text.substr(0, at)));
    QUERN_CHECK(put(fresh));
    text.remove_prefix(at + old.size());
  }
  QUERN_CHECK(put(text));
  return out;
}

Result<std::string> justified(Work& work, std::string_view text, int64_t width, std::string_view fill, char align) {
  QUERN_CHECK(work.spend_bytes(text.size()));
  const auto size = static_cast<int64_t>(count_chars(text));
  const uint64_t missing = width > size ? static_cast<uint64_t>(width - size) : 0;
  QUERN_ENSURE(missing < (uint64_t{1} << 40), Errc::memory, "a width of ", width, " is over every limit");
  QUERN_CHECK(work.spend_bytes(missing * fill.size()));
  // str.center() puts the odd one on the left if the width is odd.
  const uint64_t before = align == '<'   ? 0
                          : align == '>' ? missing
                                         : missing / 2 + (missing & static_cast<uint64_t>(width) & 1);
  std::string out;
  for (uint64_t i = 0; i < before; ++i) out.append(fill);
  out.append(text);
  for (uint64_t i = before; i < missing; ++i) out.append(fill);
  return out;
}

Result<std::string> escaped(Work& work, const Value& value) {
  const std::string_view text = value.as_string();
  QUERN_CHECK(work.spend_bytes(text.size() * (value.is_safe() ? 1 : 5)));
  return value.is_safe() ? std::string(text) : escape_html(text);
}

Result<Value> mark_safe(Work& work, const Value& value) {
  if (value.is_string()) {
    QUERN_CHECK(work.spend_bytes(value.as_string().size()));
    return work.safe_string(std::string(value.as_string()));
  }
  if (!value.is_sequence()) return value;
  std::vector<Value> out(value.items().begin(), value.items().end());
  for (Value& item : out) {
    if (!item.is_string()) continue;
    QUERN_CHECK(work.spend(1));
    QUERN_CHECK(work.spend_bytes(item.as_string().size()));
    item = work.safe_string(std::string(item.as_string()));
  }
  return value.is(Value::Kind::tuple) ? work.tuple(std::move(out)) : work.list(std::move(out));
}

Result<Value> object_items(Work& work, const Value::Object& object) {
  QUERN_CHECK(work.spend_bytes(object.size() * 128));
  std::vector<Value> out;
  out.reserve(object.size());
  for (const auto& [key, value] : object.entries()) {
    QUERN_TRY(Value pair, work.tuple({key, value}));
    out.push_back(std::move(pair));
  }
  return work.list(std::move(out));
}

}  // namespace quern::chat
