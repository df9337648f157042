// Any bytes as the name of a model, or the address of one: refused, or the path that is made of it stays inside its
// folder and the name is read back from what it is shown as.
#include <cstdint>
#include <cstdlib>

#include "examples/store/name.h"

using namespace quern::store;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check(const ModelName& name) {
  const auto path = name.relative_path();
  int n_parts = 0;
  for (const auto& part : path) {
    const std::string text = part.string();
    require(!text.empty() && text != "." && text != ".." && text[0] != '.' && text.size() <= 255);
    for (const char c : text) require(c > 32 && c < 127 && c != '/' && c != '\\');
    ++n_parts;
  }
  require(n_parts == 4 && path.is_relative() && path.lexically_normal() == path);
  for (const std::string& text : {name.text(), name.full()}) {
    const auto again = ModelName::parse(text);
    require(again.has_value() && *again == name);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto name = ModelName::parse(text)) check(*name);
  if (const auto reference = Reference::parse(text)) check(reference->name);
  return 0;
}
