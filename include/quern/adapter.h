// Adapter: low-rank changes to the weights of a model (LoRA), applied while it runs.
#pragma once

#include <quern/model.h>
#include <quern/result.h>

#include <cstdint>
#include <memory>
#include <string>

namespace quern {

struct AdapterInfo {
  std::string path;
  std::string name;         ///< What the file calls it; may be empty.
  uint32_t rank = 0;        ///< The largest, where they differ.
  float alpha = 0;          ///< The file's; with the rank it makes the scale of each change. 0: it does not say.
  uint64_t n_weights = 0;   ///< Weights that it changes, as the file counts them.
  uint64_t size_bytes = 0;  ///< Memory that it takes.
};

/// Copies share the matrices. Keeps its Model alive. Immutable and thread-safe: any number of Contexts of the Model may
/// use it at once.
class Adapter {
 public:
  /// Opens a GGUF adapter, or a folder in PEFT's form (adapter_config.json and adapter_model.safetensors). Errors name
  /// file and tensor; Errc::argument for one that does not fit the model, Errc::unsupported for kinds of adapters that
  /// are more than low-rank changes of weights.
  static Result<Adapter> open(const Model& model, const std::string& path);

  const AdapterInfo& info() const;
  const Model& model() const;
  bool operator==(const Adapter&) const = default;  ///< Whether one is a copy of the other.

  struct Impl;
  const Impl* impl() const { return impl_.get(); }  ///< For the library itself.

 private:
  std::shared_ptr<const Impl> impl_;
};

/// An adapter, and how much of it counts: W + scale * (its change of W).
struct AdapterUse {
  Adapter adapter;
  float scale = 1;
  bool operator==(const AdapterUse&) const = default;
};

}  // namespace quern
