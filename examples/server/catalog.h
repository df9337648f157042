// Catalog: the models that clients may name: those given when the server was started, and those of the store.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "examples/server/hosts/host.h"
#include "examples/store/store.h"

namespace quern::server {

/// Thread-safe.
class Catalog {
 public:
  Catalog(std::vector<ModelSpec> fixed, std::optional<store::Store> store)
      : fixed_(std::move(fixed)), store_(std::move(store)) {}

  /// The model of this name; of an empty name the first that was given when the server was started. Errc::not_found
  /// with the names that there are.
  Result<ModelSpec> find(const std::string& name) const;
  /// Those of the server's start, then the store's.
  std::vector<ModelSpec> list() const;
  const std::vector<ModelSpec>& fixed() const { return fixed_; }
  /// Null where the server runs without one.
  const store::Store* stored() const { return store_ ? &*store_ : nullptr; }
  store::Store* stored() { return store_ ? &*store_ : nullptr; }

 private:
  std::vector<ModelSpec> fixed_;
  std::optional<store::Store> store_;
};

/// RFC 3339 in UTC, of nanoseconds since 1970: "2026-01-31T12:34:56.123456789Z".
std::string time_text(int64_t ns);

/// What the server needs to know of a stored model.
ModelSpec spec_of(const store::StoredModel& model);

}  // namespace quern::server
