// The GGUF form of low-rank adapters. Source: the keys and tensors that llama.cpp's converter writes.
#include "lib/io/adapter.h"

#include <cmath>
#include <map>
#include <string_view>
#include <utility>

#include "lib/io/names.h"
#include "lib/quant/format.h"

namespace quern::io {
namespace {

constexpr std::string_view kA = ".lora_a", kB = ".lora_b";

Status check_key(const ModelFile& file, std::string_view key, std::string_view expected) {
  QUERN_TRY(const std::string* const value, file.meta.get_string(key));
  QUERN_ENSURE(value != nullptr, Errc::format, file.path, ": key ", quoted(key), ": missing: not an adapter");
  QUERN_ENSURE(*value == expected, Errc::unsupported, file.path, ": key ", quoted(key), ": expected ", quoted(expected),
               ", found ", quoted(*value));
  return {};
}

Status check_keys(const ModelFile& file) {
  QUERN_CHECK(check_key(file, "general.type", "adapter"));
  QUERN_CHECK(check_key(file, "adapter.type", "lora"));
  constexpr std::string_view kInvocation = "adapter.alora.invocation_tokens";
  QUERN_ENSURE(file.meta.find(kInvocation) == nullptr, Errc::unsupported, file.path, ": key ", quoted(kInvocation),
               ": adapters that begin with certain tokens (aLoRA) are not supported");
  return {};
}

/// The two matrices of a weight.
struct Pair {
  const TensorEntry* a = nullptr;
  const TensorEntry* b = nullptr;
};

Result<std::map<std::string, Pair>> pairs_of(const ModelFile& file) {
  std::map<std::string, Pair> pairs;
  for (const TensorEntry& entry : file.tensors.entries()) {
    const std::string_view name = entry.name;
    const bool is_a = name.ends_with(kA), is_b = name.ends_with(kB);
    QUERN_ENSURE(is_a || is_b, Errc::unsupported, file.path, ": tensor ", quoted(name),
                 ": expected a name that ends in .lora_a or .lora_b; other tensors of adapters are not supported");
    if (const auto format = quant::resolve_format(entry.type_id); !format)
      return fail(format.error().code, file.path, ": tensor ", quoted(name), ": ", format.error().message);
    Pair& pair = pairs[std::string(name.substr(0, name.size() - kA.size()))];
    (is_a ? pair.a : pair.b) = &entry;
  }
  return pairs;
}

Status check_pair(const ModelFile& file, const LowRank& part) {
  const auto &a = part.a.shape, &b = part.b.shape;
  const uint64_t rank_of_a = is_looked_up(part) ? a.ne[0] : a.ne[1];
  QUERN_ENSURE(part.rank() > 0 && rank_of_a == part.rank(), Errc::format, file.path, ": tensor ", quoted(part.a_name),
               ": expected the rank ", part.rank(), " of ", quoted(part.b_name), ", found the shape ",
               tensor::to_string(a));
  QUERN_ENSURE(a.ne[2] == b.ne[2] && a.ne[3] == 1 && b.ne[3] == 1, Errc::format, file.path, ": tensor ",
               quoted(part.a_name), ": expected as many experts as ", quoted(part.b_name), " has, found the shapes ",
               tensor::to_string(a), " and ", tensor::to_string(b));
  return {};
}

}  // namespace

bool is_looked_up(const LowRank& part) { return part.target == "token_embd.weight"; }

Result<AdapterFile> read_gguf_adapter(ModelFile file) {
  QUERN_CHECK(check_keys(file));
  AdapterFile out;
  out.path = file.path;
  QUERN_TRY(const std::string* const architecture, file.meta.get_string("general.architecture"));
  if (architecture != nullptr) out.architecture = *architecture;
  QUERN_TRY(const std::string* const name, file.meta.get_string("general.name"));
  if (name != nullptr) out.name = *name;
  QUERN_TRY(const auto alpha, file.meta.get_float("adapter.lora.alpha"));
  out.alpha = static_cast<float>(alpha.value_or(0));
  QUERN_ENSURE(std::isfinite(out.alpha), Errc::format, file.path,
               ": key 'adapter.lora.alpha': expected a number, found ", out.alpha);

  QUERN_TRY(const auto pairs, pairs_of(file));
  QUERN_ENSURE(!pairs.empty(), Errc::format, file.path, ": an adapter without tensors");
  for (const auto& [target, pair] : pairs) {
    const bool whole = pair.a != nullptr && pair.b != nullptr;
    QUERN_ENSURE(whole, Errc::format, file.path, ": tensor ", quoted(cat(target, pair.a ? kB : kA)),
                 ": missing, but its other half is there");
    LowRank part;
    part.target = target;
    part.a = pair.a->view;
    part.b = pair.b->view;
    part.a_name = pair.a->name;
    part.b_name = pair.b->name;
    QUERN_CHECK(check_pair(file, part));
    // Without alpha the product counts as it is, as other readers have it.
    if (out.alpha != 0) part.scale = out.alpha / static_cast<float>(part.rank());
    out.parts.push_back(std::move(part));
  }
  out.file = std::move(file);
  return out;
}

}  // namespace quern::io
