// Any bytes as a Modelfile: refused with a line, or read; and what was read is the same after being printed and read
// again.
#include <cstdint>
#include <cstdlib>

#include "examples/store/modelfile.h"

using namespace quern;
using namespace quern::store;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

bool same(const Modelfile& a, const Modelfile& b) {
  if (a.messages.size() != b.messages.size()) return false;
  for (size_t i = 0; i < a.messages.size(); ++i) {
    if (a.messages[i].role != b.messages[i].role || a.messages[i].content != b.messages[i].content) return false;
  }
  return a.from == b.from && a.adapters == b.adapters && a.parameters == b.parameters && a.tmpl == b.tmpl &&
         a.system == b.system && a.licenses == b.licenses && a.requires_version == b.requires_version;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)is_jinja(text);
  if (const auto list = parameters_from_json(text)) (void)parameters_text(*list);
  const auto modelfile = Modelfile::parse(text);
  if (!modelfile) {
    require(!modelfile.error().message.empty());
    return 0;
  }
  const auto json = modelfile->parameters_json();
  require(json.has_value());
  const auto list = parameters_from_json(*json);
  require(list.has_value());
  Modelfile again;
  again.parameters = *list;
  require(again.parameters_json().has_value());
  const auto printed = modelfile->print();
  if (!printed) return 0;  // three quotes in a row and the like
  const auto reread = Modelfile::parse(*printed);
  require(reread.has_value() && same(*modelfile, *reread));
  return 0;
}
