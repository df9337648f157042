// The door between C and C++: what every function of the C interface goes through.
#pragma once

#include <quern/quern.h>
#include <quern_c.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quern::capi {

/// Keeps the message for quern_last_error_message() and returns the code.
quern_status refuse(Errc code, std::string_view message) noexcept;

inline quern_status refuse(const Error& error) noexcept { return refuse(error.code, error.message); }

inline quern_status finish(const Status& status) noexcept { return status ? QUERN_OK : refuse(status.error()); }

/// Runs a body that returns quern_status; nothing leaves it as an exception.
template <class Body>
quern_status guard(Body&& body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return refuse(Errc::memory, "out of memory");
  } catch (const std::exception& e) {
    return refuse(Errc::internal, e.what());
  } catch (...) {
    return refuse(Errc::internal, "unknown exception");
  }
}

/// For functions that have no status to return: `fallback` where the body throws.
template <class T, class Body>
T guard_or(T fallback, Body&& body) noexcept {
  try {
    return body();
  } catch (...) {
    return fallback;
  }
}

/// Refuses NULL for an argument that is needed.
#define QUERN_C_NEED(pointer) \
  if ((pointer) == nullptr) return ::quern::capi::refuse(::quern::Errc::argument, #pointer " is NULL")

#define QUERN_C_CHECK(...)                                 \
  do {                                                     \
    const quern_status quern_c_status = (__VA_ARGS__);     \
    if (quern_c_status != QUERN_OK) return quern_c_status; \
  } while (false)

/// Copies the caller's options over `out`, which holds the defaults. A struct older than this library's is shorter; one
/// that is newer is longer, and accepted while the part not known here is zero. `first_size`: of the struct's
/// version 1.
template <class Options>
quern_status read_options(const Options* given, Options& out, const char* name, size_t first_size = sizeof(Options)) {
  if (given == nullptr) return QUERN_OK;
  const size_t size = given->struct_size;
  if (size < first_size) {
    return refuse(Errc::argument, std::string(name) + ": struct_size is " + std::to_string(size) + ", at least " +
                                      std::to_string(first_size) + " expected: start from the _INIT macro");
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  for (size_t i = sizeof(Options); i < size; ++i) {
    if (bytes[i] != 0) {
      return refuse(Errc::unsupported, std::string(name) + ": byte " + std::to_string(i) +
                                           " is set, but this library knows only the first " +
                                           std::to_string(sizeof(Options)) + ": it is older than the header used");
    }
  }
  std::memcpy(&out, given, size < sizeof(Options) ? size : sizeof(Options));
  out.struct_size = sizeof(Options);
  return QUERN_OK;
}

/// Fills a caller's result struct as far as it reaches; bytes beyond what this library knows become zero.
template <class Info>
quern_status write_info(const Info& from, Info* out, const char* name, size_t first_size = sizeof(Info)) {
  const size_t size = out->struct_size;
  if (size < first_size) {
    return refuse(Errc::argument, std::string(name) + ": struct_size is " + std::to_string(size) + ", at least " +
                                      std::to_string(first_size) + " expected: start from the _INIT macro");
  }
  auto* bytes = reinterpret_cast<unsigned char*>(out);
  const size_t known = size < sizeof(Info) ? size : sizeof(Info);
  std::memcpy(bytes, &from, known);
  std::memset(bytes + known, 0, size - known);
  out->struct_size = size;
  return QUERN_OK;
}

/// A caller's text: NULL only where its size is 0.
inline quern_status read_text(const char* text, size_t size, const char* name, std::string_view& out) {
  if (text == nullptr) {
    if (size != 0 && size != QUERN_NUL_TERMINATED) return refuse(Errc::argument, std::string(name) + " is NULL");
    out = {};
    return QUERN_OK;
  }
  out = size == QUERN_NUL_TERMINATED ? std::string_view(text) : std::string_view(text, size);
  return QUERN_OK;
}

/// A caller's array: NULL only where it is empty.
inline quern_status check_array(const void* data, size_t n, const char* name) {
  if (data == nullptr && n != 0) return refuse(Errc::argument, std::string(name) + " is NULL");
  return QUERN_OK;
}

inline quern_status too_small(size_t needed, size_t capacity) {
  return refuse(Errc::buffer_too_small,
                "the result needs " + std::to_string(needed) + ", the buffer holds " + std::to_string(capacity));
}

/// A result array into the caller's (buffer, capacity, *needed).
template <class T>
quern_status write_array(const T* data, size_t n, T* buffer, size_t capacity, size_t* needed) {
  QUERN_C_NEED(needed);
  *needed = n;
  if (n > capacity) return too_small(n, capacity);
  if (n == 0) return QUERN_OK;
  QUERN_C_NEED(buffer);
  std::memcpy(buffer, data, n * sizeof(T));
  return QUERN_OK;
}

/// A result text with its terminating zero.
inline quern_status write_text(const std::string& text, char* buffer, size_t capacity, size_t* needed) {
  return write_array(text.c_str(), text.size() + 1, buffer, capacity, needed);
}

inline ProgressFn progress_of(quern_progress_fn function, void* user) {
  if (function == nullptr) return {};
  return [function, user](const Progress& progress) {
    const std::string stage(progress.stage);
    return function(user, stage.c_str(), progress.done, progress.total) == 0;
  };
}

}  // namespace quern::capi

// The handles. Each holds the C++ object and the texts that it hands out.
struct quern_cancel_token {
  quern::CancelToken token;
};

struct quern_runtime {
  quern::Runtime runtime;
  std::string description;
};

struct quern_model {
  quern::Model model;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<quern::TensorInfo> tensors;
};

struct quern_text_stream {
  quern::TextStream stream;
  std::string text;
};

struct quern_chat_template {
  quern::ChatTemplate chat_template;
};

struct quern_context {
  std::optional<quern::Context> own;  ///< absent for the context of a chat
  quern::Context* context = nullptr;
};

struct quern_sampler {
  quern::Sampler sampler;
  size_t n_vocab = 0;
};

struct quern_adapter {
  quern::Adapter adapter;
};

struct quern_generation {
  quern::Generation generation;
};

struct quern_chat {
  quern::ChatSession session;
  quern_context context;  ///< borrows the session's
};

struct quern_embedder {
  quern::Embedder embedder;
  std::vector<quern::Embedding> results;  ///< of the last call
};

struct quern_embeddings {
  std::vector<quern::Embedding> results;
  size_t n_embd = 0;
};

struct quern_logits {
  std::shared_ptr<const std::vector<float>> rows;
  size_t n_vocab = 0;
};

struct quern_scheduler {
  quern::Scheduler scheduler;
};

struct quern_imatrix {
  quern::Imatrix imatrix;
  std::vector<quern::ImatrixTensor> tensors;  ///< as it is now; empty where that has not been asked for
};

struct quern_quantize_result {
  quern::QuantizeResult result;
};

struct quern_check_report {
  quern::CheckReport report;
};

namespace quern::capi {

inline CancelToken cancel_of(const quern_cancel_token* token) { return token ? token->token : CancelToken(); }

quern_status read_sampler_options(const quern_sampler_options* given, SamplerOptions& out);
quern_status read_adapters(const quern_adapter_use* given, size_t n, std::vector<AdapterUse>& out);
quern_status read_generate_options(const quern_generate_options* given, GenerateOptions& out);
quern_status read_context_options(const quern_context_options* given, ContextOptions& out);
quern_status read_perplexity_options(const quern_perplexity_options* given, PerplexityOptions& out);

}  // namespace quern::capi
