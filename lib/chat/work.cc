#include "lib/chat/work.h"

#include <algorithm>

namespace quern::chat {

Result<Value> Work::object(std::vector<Value::Entry> entries) {
  for (const auto& [key, value] : entries) {
    QUERN_ENSURE(key.hashable(), Errc::format, "a ", key.type_name(), " cannot be the key of a dict");
  }
  return checked(Value::object(std::move(entries), &meter_));
}

Namespace* Work::new_space() {
  spaces_.push_back(std::make_unique<Namespace>());
  meter_.live_bytes += sizeof(Namespace) + 16;
  return spaces_.back().get();
}

Status Work::set_attribute(Namespace& space, std::string_view name, Value value) {
  constexpr size_t kMaxAttributes = 256;  // they are searched in order
  if (Value* const old = space.find(name)) {
    *old = std::move(value);
    return {};
  }
  QUERN_ENSURE(space.attributes.size() < kMaxAttributes, Errc::memory, "a namespace has more than ", kMaxAttributes,
               " attributes");
  QUERN_CHECK(room(name.size() + 64));
  meter_.live_bytes += name.size() + 64;
  space.attributes.emplace_back(std::string(name), std::move(value));
  return {};
}

Result<std::vector<Value>> Arguments::bind(std::string_view function,
                                           std::initializer_list<std::string_view> names) const {
  QUERN_ENSURE(positional.size() <= names.size(), Errc::format, function, " takes at most ", names.size(),
               " arguments, found ", positional.size());
  std::vector<Value> out(positional);
  out.resize(names.size());
  for (const auto& [name, value] : named) {
    const auto* const at = std::find(names.begin(), names.end(), name);
    QUERN_ENSURE(at != names.end(), Errc::format, function, " has no argument '", name, "'");
    const auto index = static_cast<size_t>(at - names.begin());
    QUERN_ENSURE(index >= positional.size(), Errc::format, function, ": argument '", name, "' is given twice");
    out[index] = value;
  }
  return out;
}

}  // namespace quern::chat
