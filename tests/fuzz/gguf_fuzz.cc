// Any bytes as a GGUF file: refused or read, and what was read lies inside the bytes and survives being written and
// read again.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "lib/io/gguf.h"
#include "lib/io/gguf_writer.h"

using namespace quern;
using namespace quern::io;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check_views(const GgufContents& contents, std::span<const std::byte> bytes) {
  for (const TensorEntry& entry : contents.tensors.entries()) {
    const tensor::TensorView& view = entry.view;
    require(view.data >= bytes.data() && view.data <= bytes.data() + bytes.size());
    require(view.size_bytes() > 0 &&
            view.size_bytes() <= static_cast<uint64_t>(bytes.data() + bytes.size() - view.data));
    require(contents.tensors.find(entry.name) == &entry);
  }
  for (const MetaTable::Entry& entry : contents.meta.entries()) {
    require(contents.meta.find(entry.key) == &entry.value);
    // Every getter answers on every kind of value.
    const bool kinds[] = {
        contents.meta.get_uint(entry.key).has_value(),   contents.meta.get_int(entry.key).has_value(),
        contents.meta.get_float(entry.key).has_value(),  contents.meta.get_bool(entry.key).has_value(),
        contents.meta.get_string(entry.key).has_value(), contents.meta.get_strings(entry.key).has_value(),
        contents.meta.get_ints(entry.key).has_value(),   contents.meta.get_floats(entry.key).has_value()};
    int n_accepted = 0;
    for (const bool kind : kinds) n_accepted += kind;
    require(n_accepted <= 2);  // an integer is a uint and an int; everything else is one kind
  }
}

std::vector<std::byte> rewrite(const GgufContents& contents) {
  GgufWriter writer;
  for (const MetaTable::Entry& entry : contents.meta.entries()) require(writer.add(entry).has_value());
  for (const TensorEntry& entry : contents.tensors.entries()) {
    const std::span bytes(entry.view.data, entry.view.size_bytes());
    require(writer.add_tensor(entry.name, entry.view.shape, entry.type_id, bytes).has_value());
  }
  std::vector<std::byte> out;
  const ByteSink sink = [&out](std::span<const std::byte> piece) -> Status {
    out.insert(out.end(), piece.begin(), piece.end());
    return {};
  };
  require(writer.write(sink).has_value());
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto contents = parse_gguf(bytes, "fuzz.gguf");
  if (!contents) {
    require(!contents.error().message.empty());
    return 0;
  }
  check_views(*contents, bytes);
  const auto written = rewrite(*contents);
  const auto again = parse_gguf(written, "rewritten.gguf");
  require(again.has_value());
  require(rewrite(*again) == written);
  return 0;
}
