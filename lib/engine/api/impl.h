// The insides of the public classes, and the door that keeps exceptions in.
#pragma once

#include <quern/adapter.h>
#include <quern/chat.h>
#include <quern/context.h>
#include <quern/imatrix.h>
#include <quern/model.h>
#include <quern/runtime.h>
#include <quern/sampler.h>
#include <quern/tokenizer.h>

#include <exception>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "lib/base/status.h"
#include "lib/chat/template.h"
#include "lib/context/context.h"
#include "lib/convert/imatrix.h"
#include "lib/engine/runtime.h"
#include "lib/model/adapter.h"
#include "lib/model/open.h"
#include "lib/sample/chain.h"

namespace quern {

struct Runtime::Impl {
  std::unique_ptr<engine::RuntimeState> state;
};

struct Tokenizer::Impl {
  std::shared_ptr<const model::LoadedModel> loaded;  ///< keeps the runtime too: see Model::open
  const text::Tokenizer& get() const { return *loaded->tokenizer; }
};

struct Model::Impl {
  Runtime runtime;
  std::shared_ptr<const model::LoadedModel> loaded;
  Tokenizer tokenizer;
  ModelInfo info;
  std::string chat_template;
};

struct Adapter::Impl {
  Model model;
  std::shared_ptr<const model::Adapter> prepared;
  AdapterInfo info;
};

struct ChatTemplate::Impl {
  Tokenizer tokenizer;
  chat::Template program;
};

struct Sampler::Impl {
  sample::Chain chain;
};

struct Context::Impl {
  Model model;
  std::unique_ptr<context::Context> inner;
  /// Per sequence, the token of each of its cells: what generate() finds common prefixes by.
  std::vector<std::vector<Token>> tokens;
  std::vector<std::vector<AdapterUse>> adapters;  ///< by sequence
};

struct Imatrix::Impl {
  convert::Imatrix data;
};

namespace engine {

model::AdapterList inner_adapters(std::span<const AdapterUse> adapters);

/// Runs a body that returns a Result; what the standard library or a caller's callback throws becomes an Error.
template <class Body>
auto guarded(Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return fail(Errc::memory, "out of memory");
  } catch (const std::exception& e) {
    return fail(Errc::internal, "unexpected exception: ", std::string_view(e.what()));
  }
}

}  // namespace engine
}  // namespace quern
