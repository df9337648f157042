// Python's operators on values. Integers are 64 bits wide: what does not fit is an error.
#pragma once

#include <optional>

#include "lib/chat/work.h"

namespace quern::chat {

enum class Binary : uint8_t { add, subtract, multiply, divide, floor_divide, modulo, power };
enum class Compare : uint8_t { equal, not_equal, less, less_equal, greater, greater_equal, in, not_in };

bool truthy(const Value& value);
Result<Value> binary(Work& work, Binary op, const Value& a, const Value& b);
Result<Value> negate(const Value& value);
Result<bool> compare(Work& work, Compare op, const Value& a, const Value& b);
Result<bool> equal(Work& work, const Value& a, const Value& b);
/// a < b; an error for types that have no order.
Result<bool> less(Work& work, const Value& a, const Value& b);

/// object.name: a method, else the item of that name, else undefined. An error on undefined.
Result<Value> attribute(Work& work, const Value& object, const Value& name);
/// object[key]: the item, else undefined.
Result<Value> item(Work& work, const Value& object, const Value& key);
Result<Value> slice(Work& work, const Value& object, const Value& start, const Value& stop, const Value& step);

/// What a for loop goes over: items, characters, keys. Undefined has none; an error for what cannot be gone over.
Result<std::vector<Value>> iterate(Work& work, const Value& value);
/// len(value), or nothing for what has none.
Result<std::optional<uint64_t>> length(Work& work, const Value& value);

/// The error that using an undefined value is.
Error undefined_error(const Value& value);

}  // namespace quern::chat
