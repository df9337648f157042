// Any bytes as an adapter, a GGUF or the two files of a PEFT folder with a zero between them: refused, or read and
// merged into a small model, whose rows can then be read.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>
#include <vector>

#include "lib/hf/merge.h"
#include "lib/hf/peft.h"
#include "lib/io/adapter.h"
#include "lib/io/gguf.h"
#include "lib/quant/rows.h"

using namespace quern;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

constexpr uint64_t kCols = 8, kRows = 8;
const std::vector<float> kZeros(kCols * 32 * 3);

void add_tensor(io::ModelFile& model, const char* name, uint64_t rows, uint64_t experts = 1) {
  io::TensorEntry entry;
  entry.name = name;
  entry.view.data = reinterpret_cast<const std::byte*>(kZeros.data());
  entry.view.shape = {{kCols, rows, experts, 1}, experts > 1 ? 3u : 2u};
  entry.view.row_bytes = kCols * sizeof(float);
  require(model.tensors.add(std::move(entry)).has_value());
}

io::ModelFile small_model(const char* architecture) {
  io::ModelFile model;
  model.path = "model.gguf";
  require(model.meta.add({"general.architecture", std::string(architecture), 8}).has_value());
  const auto number = [&](const char* key, uint64_t value) {
    require(model.meta.add({cat(architecture, ".", key), value, 4}).has_value());
  };
  number("block_count", 1);
  number("attention.head_count", 2);
  number("attention.head_count_kv", 1);
  number("expert_count", 3);
  number("attention.value_length_mla", 2);
  number("ssm.group_count", 1);
  number("ssm.time_step_rank", 2);
  number("ssm.state_size", 2);
  number("ssm.inner_size", 4);
  add_tensor(model, "token_embd.weight", 32);
  add_tensor(model, "blk.0.attn_q.weight", kRows);
  add_tensor(model, "blk.0.attn_v.weight", 4);
  add_tensor(model, "blk.0.attn_qkv.weight", 12);
  add_tensor(model, "blk.0.attn_v_b.weight", 2, 2);
  add_tensor(model, "blk.0.ssm_out.weight", kRows);
  add_tensor(model, "blk.0.ffn_gate_exps.weight", 4, 3);
  return model;
}

void merge(io::ModelFile model, const Result<io::AdapterFile>& adapter) {
  if (!adapter) return require(!adapter.error().message.empty());
  for (const io::LowRank& part : adapter->parts) {
    require(part.rank() > 0 && part.a.shape.elements() > 0 && !part.target.empty());
  }
  if (!hf::merge_adapter(model, *adapter, 0.5f)) return;
  std::vector<float> rows;
  for (const io::TensorEntry& entry : model.tensors.entries()) {
    rows.resize(entry.view.shape.elements());
    quant::RowReader(entry.view, *quant::find_format(entry.view.type)).read(0, entry.view.shape.rows(), rows.data());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  if (auto contents = io::parse_gguf(bytes, "adapter.gguf")) {
    io::ModelFile file;
    file.path = "adapter.gguf";
    file.meta = std::move(contents->meta);
    file.tensors = std::move(contents->tensors);
    merge(small_model("llama"), io::read_gguf_adapter(std::move(file)));
    return 0;
  }
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t zero = text.find('\0');
  if (zero == std::string_view::npos) return 0;
  const hf::NamedBytes config{bytes.first(zero), "adapter_config.json"};
  const hf::NamedBytes arrays{bytes.subspan(zero + 1), "adapter_model.safetensors"};
  for (const char* architecture : {"llama", "deepseek2", "qwen3next", "bert"}) {
    io::ModelFile model = small_model(architecture);
    const auto adapter = hf::read_peft(config, arrays, model.meta);
    merge(std::move(model), adapter);
  }
  return 0;
}
