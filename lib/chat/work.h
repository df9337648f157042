// What one rendering may use, and has used: every operation on values takes its steps and its memory from here.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/chat/template.h"

namespace quern::chat {

class Work {
 public:
  explicit Work(const RenderOptions& options) : options_(options) {}
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  const RenderOptions& options() const { return options_; }
  Meter* meter() { return &meter_; }

  /// Takes n steps.
  Status spend(uint64_t n) {
    steps_ += n;
    if (steps_ > options_.limits.steps) return over("steps", options_.limits.steps);
    if (meter_.live_bytes + buffered_bytes_ > options_.limits.memory_bytes) return over_memory();
    return {};
  }
  /// Takes the steps of reading or writing n bytes, and makes sure beforehand that n more bytes are allowed.
  Status spend_bytes(uint64_t n) {
    QUERN_CHECK(room(n));
    return spend(n / 256);
  }
  /// Fails unless n more bytes fit into the memory limit.
  Status room(uint64_t n) const {
    const uint64_t limit = options_.limits.memory_bytes, used = meter_.live_bytes + buffered_bytes_;
    if (n > limit || used > limit - n) return over_memory();
    return {};
  }
  /// Bytes of text held outside of values (captured output), added and given back.
  void add_buffered(uint64_t n) { buffered_bytes_ += n; }
  void drop_buffered(uint64_t n) { buffered_bytes_ -= n; }

  Value string(std::string text) { return Value::string(std::move(text), &meter_); }
  Value string(std::string_view text) { return Value::string(std::string(text), &meter_); }
  Value string(const char* text) { return Value::string(std::string(text), &meter_); }
  Value safe_string(std::string text) { return Value::safe_string(std::move(text), &meter_); }
  Result<Value> list(std::vector<Value> items) { return checked(Value::list(std::move(items), &meter_)); }
  Result<Value> tuple(std::vector<Value> items) { return checked(Value::tuple(std::move(items), &meter_)); }
  Result<Value> object(std::vector<Value::Entry> entries);
  Value method(const Value& self, uint32_t number) { return Value::method(self, number, &meter_); }
  /// Lives as long as the rendering.
  Namespace* new_space();
  Status set_attribute(Namespace& space, std::string_view name, Value value);

 private:
  Error over(std::string_view what, uint64_t limit) const {
    return fail(Errc::memory, "the template takes more than ", limit, " ", what);
  }
  Error over_memory() const {
    return fail(Errc::memory, "the template takes more than ", options_.limits.memory_bytes, " bytes of memory");
  }
  Result<Value> checked(Value container) const {
    QUERN_ENSURE(container.depth() <= kMaxValueDepth, Errc::memory, "a value is nested deeper than ", kMaxValueDepth);
    return container;
  }

  const RenderOptions& options_;
  Meter meter_;  // outlives every value of the rendering
  uint64_t steps_ = 0, buffered_bytes_ = 0;
  std::vector<std::unique_ptr<Namespace>> spaces_;
};

/// The arguments of a filter, test, method or function.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string_view, Value>> named;

  /// In the order of `names`, undefined where not given. An error for an unknown name, a value given twice, or too
  /// many.
  Result<std::vector<Value>> bind(std::string_view function, std::initializer_list<std::string_view> names) const;
};

}  // namespace quern::chat
