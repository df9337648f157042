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
      return block.hparams.latent.full_cache ? kFullLatentAttention : kLatentAttention;
  }
  return kGroupedAttention;
}

}  // namespace

void attention(const Block& block, const AttentionPass& pass, Mat x) {
  const AttentionKind& kind = kind_of(block);
  const Mat norm = block.space.norm.mat(x.rows, x.cols);
  block.normalize(x, Slot::attn_norm, norm);
  const AttentionProducts key_value = block.params().own_kv ? kind.key_value(block, x.rows) : AttentionProducts{};
  AttentionProducts all = key_value;
  const MatmulTarget q = all.items[all.n++] = kind.query(block, x.rows);
  block.stream.matmul(norm, all.span());
  if (block.params().own_kv) kind.store(block, pass, key_value);
  kind.attend(block, pass, q.out, x);
}

Mat attention_of_picked(const Block& block, const AttentionPass& all, const AttentionPass& of_picked, Mat x,
                        std::span<const uint32_t> picked) {
  const AttentionKind& kind = kind_of(block);
  const Mat norm = block.space.norm.mat(x.rows, x.cols);
  block.normalize(x, Slot::attn_norm, norm);
  const AttentionProducts key_value = kind.key_value(block, x.rows);
  block.stream.matmul(norm, key_value.span());
  kind.store(block, all, key_value);

  block.go_on_with(picked);
  const auto n = static_cast<uint32_t>(picked.size());
  const Mat rest = block.space.picked.mat(n, x.cols);
  if (n == 0) return rest;
  block.stream.gather_rows(x, picked, rest);
  const Mat norm_picked = block.space.norm.mat(n, x.cols);
  block.normalize(rest, Slot::attn_norm, norm_picked);
  const MatmulTarget q = kind.query(block, n);
  block.stream.matmul(norm_picked, {&q, 1});
  kind.attend(block, of_picked, q.out, rest);
  return rest;
}

}  // namespace quern::model
