#include "lib/model/blocks/attention.h"

#include "lib/model/blocks/attention_kind.h"

namespace quern::model {

using arch::Slot;
using compute::Mat;
using compute::MatmulTarget;

namespace {

const AttentionKind& kind_of(const Block& block) {
  switch (block.spec.attention) {
    case arch::Attention::grouped:
      return kGroupedAttention;
    case arch::Attention::latent:
      return kLatentAttention;
  }
  return kGroupedAttention;
}

}  // namespace

void attention(const Block& block, const AttentionPass& pass, Mat x) {
  const AttentionKind& kind = kind_of(block);
  const Mat norm = block.space.norm.mat(x.rows, x.cols);
  block.normalize(x, Slot::attn_norm, norm);
  const AttentionProducts key_value = kind.key_value(block, x.rows);
  AttentionProducts all = key_value;
  const MatmulTarget q = all.items[all.n++] = kind.query(block, x.rows);
  block.stream.matmul(norm, all.span());
  kind.store(block, pass, key_value);
  kind.attend(block, pass, q.out, x);
}

Mat attention_of_picked(const Block& block, const AttentionPass& pass, Mat x, std::span<const uint32_t> picked) {
  const AttentionKind& kind = kind_of(block);
  const Mat norm = block.space.norm.mat(x.rows, x.cols);
  block.normalize(x, Slot::attn_norm, norm);
  const AttentionProducts key_value = kind.key_value(block, x.rows);
  block.stream.matmul(norm, key_value.span());
  kind.store(block, pass, key_value);

  const auto n = static_cast<uint32_t>(picked.size());
  const Mat rest = block.space.picked.mat(n, x.cols);
  if (n == 0) return rest;
  block.stream.gather_rows(x, picked, rest);
  AttentionPass pass_picked = pass;
  const auto gather = [&](Mat all, const Workspace::Region& region) {
    if (all.buffer == nullptr) return all;
    const Mat out = region.mat(n, all.cols);
    block.stream.gather_rows(all, picked, out);
    return out;
  };
  pass_picked.cos_sin = gather(pass.cos_sin, block.space.cos_sin_picked);
  pass_picked.warmth = gather(pass.warmth, block.space.warmth_picked);
  const Mat norm_picked = block.space.norm.mat(n, x.cols);
  block.normalize(rest, Slot::attn_norm, norm_picked);
  const MatmulTarget q = kind.query(block, n);
  block.stream.matmul(norm_picked, {&q, 1});
  kind.attend(block, pass_picked, q.out, rest);
  return rest;
}

}  // namespace quern::model
