// Samplers.
#include "capi/src/door.h"

using namespace quern::capi;

namespace quern::capi {

quern_status read_sampler_options(const quern_sampler_options* given, SamplerOptions& out) {
  quern_sampler_options o = QUERN_SAMPLER_OPTIONS_INIT;
  QUERN_C_CHECK(read_options(given, o, "quern_sampler_options"));
  QUERN_C_CHECK(check_array(o.logit_bias, o.n_logit_bias, "logit_bias"));
  out.seed = o.seed;
  out.temperature = o.temperature;
  out.dynatemp_range = o.dynatemp_range;
  out.dynatemp_exponent = o.dynatemp_exponent;
  out.top_k = o.top_k;
  out.top_p = o.top_p;
  out.min_p = o.min_p;
  out.typical_p = o.typical_p;
  out.top_n_sigma = o.top_n_sigma;
  out.min_keep = o.min_keep;
  out.xtc_probability = o.xtc_probability;
  out.xtc_threshold = o.xtc_threshold;
  out.penalty_last_n = o.penalty_last_n;
  out.repeat_penalty = o.repeat_penalty;
  out.frequency_penalty = o.frequency_penalty;
  out.presence_penalty = o.presence_penalty;
  out.dry_multiplier = o.dry_multiplier;
  out.dry_base = o.dry_base;
  out.dry_allowed_length = o.dry_allowed_length;
  out.dry_penalty_last_n = o.dry_penalty_last_n;
  if (o.dry_sequence_breakers) {
    out.dry_sequence_breakers.clear();
    for (size_t i = 0; i < o.n_dry_sequence_breakers; ++i) {
      if (!o.dry_sequence_breakers[i]) return refuse(Errc::argument, "dry_sequence_breakers: an entry is NULL");
      out.dry_sequence_breakers.emplace_back(o.dry_sequence_breakers[i]);
    }
  }
  out.mirostat = o.mirostat;
  out.mirostat_tau = o.mirostat_tau;
  out.mirostat_eta = o.mirostat_eta;
  out.ignore_eos = o.ignore_eos != 0;
  for (size_t i = 0; i < o.n_logit_bias; ++i) out.logit_bias.push_back({o.logit_bias[i].token, o.logit_bias[i].bias});
  if (o.order) out.order = o.order;
  return QUERN_OK;
}

}  // namespace quern::capi

extern "C" {

quern_status quern_sampler_options_init(quern_sampler_options* options, size_t struct_size) {
  QUERN_C_NEED(options);
  const quern_sampler_options defaults = QUERN_SAMPLER_OPTIONS_INIT;
  return guard([&] {
    if (struct_size < sizeof(size_t))
      return refuse(quern::Errc::argument, "struct_size is " + std::to_string(struct_size));
    options->struct_size = struct_size;
    return write_info(defaults, options, "quern_sampler_options");
  });
}

quern_status quern_sampler_create(const quern_model* model, const quern_sampler_options* options, quern_sampler** out) {
  QUERN_C_NEED(out);
  *out = nullptr;
  QUERN_C_NEED(model);
  return guard([&] {
    quern::SamplerOptions wanted;
    QUERN_C_CHECK(read_sampler_options(options, wanted));
    auto sampler = quern::Sampler::create(model->model, wanted);
    if (!sampler) return refuse(sampler.error());
    *out = new quern_sampler{std::move(*sampler), static_cast<size_t>(model->model.tokenizer().n_tokens())};
    return QUERN_OK;
  });
}

void quern_sampler_close(quern_sampler* sampler) { delete sampler; }

quern_status quern_sampler_sample(quern_sampler* sampler, const float* logits, size_t n_logits, quern_token* token) {
  QUERN_C_NEED(token);
  *token = -1;
  QUERN_C_NEED(sampler);
  QUERN_C_NEED(logits);
  return guard([&] {
    if (n_logits != sampler->n_vocab) {
      return refuse(quern::Errc::argument, "n_logits is " + std::to_string(n_logits) + ", the vocabulary has " +
                                               std::to_string(sampler->n_vocab) + " tokens");
    }
    *token = sampler->sampler.sample({logits, n_logits});
    return QUERN_OK;
  });
}

void quern_sampler_accept(quern_sampler* sampler, quern_token token) {
  if (sampler) guard([&] { return sampler->sampler.accept(token), QUERN_OK; });
}

void quern_sampler_reset(quern_sampler* sampler) {
  if (sampler) guard([&] { return sampler->sampler.reset(), QUERN_OK; });
}

uint32_t quern_sampler_seed(const quern_sampler* sampler) { return sampler ? sampler->sampler.seed() : 0; }

quern_status quern_sampler_candidates(const quern_sampler* sampler, quern_token_probability* buffer, size_t capacity,
                                      size_t* n) {
  QUERN_C_NEED(n);
  *n = 0;
  QUERN_C_NEED(sampler);
  return guard([&] {
    QUERN_C_CHECK(check_array(buffer, capacity, "buffer"));
    for (const auto& candidate : sampler->sampler.candidates(capacity)) {
      buffer[(*n)++] = {candidate.token, candidate.probability};
    }
    return QUERN_OK;
  });
}

}  // extern "C"
