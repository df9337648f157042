#include "options.h"

#include <map>

#include "objects.h"

namespace quern_python {

void Texts::set(const py::object& value, const char* name) {
  texts.clear();
  const auto add = [&](const py::handle& one) {
    if (!py::isinstance<py::str>(one)) throw py::type_error(std::string(name) + ": a str, or a list of them, expected");
    texts.push_back(one.cast<std::string>());
  };
  if (py::isinstance<py::str>(value)) {
    add(value);
  } else {
    for (const auto& one : value) add(one);
  }
}

void SamplerArgs::read(Kwargs& kwargs) {
  quern_sampler_options& o = options;
  int64_t seed = 0;
  if (kwargs.take("seed", seed)) o.seed = seed < 0 ? QUERN_RANDOM_SEED : static_cast<uint32_t>(seed);
  kwargs.take("temperature", o.temperature);
  kwargs.take("dynatemp_range", o.dynatemp_range);
  kwargs.take("dynatemp_exponent", o.dynatemp_exponent);
  kwargs.take("top_k", o.top_k);
  kwargs.take("top_p", o.top_p);
  kwargs.take("min_p", o.min_p);
  kwargs.take("typical_p", o.typical_p);
  kwargs.take("top_n_sigma", o.top_n_sigma);
  kwargs.take("min_keep", o.min_keep);
  kwargs.take("xtc_probability", o.xtc_probability);
  kwargs.take("xtc_threshold", o.xtc_threshold);
  kwargs.take("penalty_last_n", o.penalty_last_n);
  kwargs.take("repeat_penalty", o.repeat_penalty);
  kwargs.take("frequency_penalty", o.frequency_penalty);
  kwargs.take("presence_penalty", o.presence_penalty);
  kwargs.take("dry_multiplier", o.dry_multiplier);
  kwargs.take("dry_base", o.dry_base);
  kwargs.take("dry_allowed_length", o.dry_allowed_length);
  kwargs.take("dry_penalty_last_n", o.dry_penalty_last_n);
  kwargs.take("mirostat", o.mirostat);
  kwargs.take("mirostat_tau", o.mirostat_tau);
  kwargs.take("mirostat_eta", o.mirostat_eta);
  kwargs.take_flag("ignore_eos", o.ignore_eos);
  py::object breakers = py::none();
  if (kwargs.take("dry_sequence_breakers", breakers)) {
    breakers_.set(breakers, "dry_sequence_breakers");
    has_breakers_ = true;
  }
  std::map<quern_token, float> bias;
  if (kwargs.take("logit_bias", bias)) {
    for (const auto& [token, value] : bias) bias_.push_back({token, value});
  }
  kwargs.take("order", order_);
}

const quern_sampler_options* SamplerArgs::get() {
  static const char* const kNone = nullptr;
  if (has_breakers_) {
    options.dry_sequence_breakers = breakers_.texts.empty() ? &kNone : breakers_.pointers();
    options.n_dry_sequence_breakers = breakers_.texts.size();
  }
  options.logit_bias = bias_.empty() ? nullptr : bias_.data();
  options.n_logit_bias = bias_.size();
  options.order = order_.empty() ? nullptr : order_.c_str();
  return &options;
}

namespace {

int32_t cache_type(const std::string& name, const char* option) {
  if (name == "f16") return QUERN_CACHE_F16;
  if (name == "f32") return QUERN_CACHE_F32;
  if (name == "q8_0") return QUERN_CACHE_Q8_0;
  if (name == "q4_0") return QUERN_CACHE_Q4_0;
  throw py::value_error(std::string(option) + ": '" + name + "' is not one of f16, f32, q8_0, q4_0");
}

}  // namespace

void ContextArgs::read(Kwargs& kwargs) {
  kwargs.take("n_ctx", options.n_ctx);
  kwargs.take("n_batch", options.n_batch);
  kwargs.take("n_seq_max", options.n_seq_max);
  std::string type;
  if (kwargs.take("type_k", type)) options.type_k = cache_type(type, "type_k");
  if (kwargs.take("type_v", type)) options.type_v = cache_type(type, "type_v");
  int64_t n_checkpoints = 0;
  if (kwargs.take("n_checkpoints", n_checkpoints)) options.n_checkpoints = n_checkpoints > 0 ? n_checkpoints : -1;
}

void AdapterArgs::read(Kwargs& kwargs) {
  py::object value = py::none();
  if (kwargs.take("adapters", value)) read(value);
}

void AdapterArgs::read(const py::object& value) {
  given = true;
  for (const auto& one : value) {
    py::object adapter = py::reinterpret_borrow<py::object>(one);
    float scale = 1;
    if (py::isinstance<py::tuple>(one)) {
      const auto pair = one.cast<py::tuple>();
      if (pair.size() != 2) throw py::value_error("adapters: adapters, or pairs (adapter, scale), expected");
      adapter = pair[0];
      scale = pair[1].cast<float>();
    }
    keep.push_back(adapter.cast<Adapter&>().handle.shared());
    uses.push_back({keep.back().get(), scale, 0});
  }
}

const quern_adapter_use* AdapterArgs::get() const {
  static const quern_adapter_use kNone{};
  return uses.empty() ? (given ? &kNone : nullptr) : uses.data();
}

void GenerateArgs::read(Kwargs& kwargs) {
  if (kwargs.take("max_tokens", max_tokens) && max_tokens == 0) nothing = true;
  sampler.read(kwargs);
  py::object stops = py::none();
  if (kwargs.take("stop", stops)) stop.set(stops, "stop");
  uint32_t n = 0;
  if (kwargs.take("logprobs", n)) logprobs = n;
  adapters.read(kwargs);
  call.read(kwargs);
}

quern_generate_options GenerateArgs::get() {
  quern_generate_options o = QUERN_GENERATE_OPTIONS_INIT;
  o.max_tokens = max_tokens;
  o.sampler = sampler.get();
  o.stop = stop.pointers();
  o.n_stop = stop.texts.size();
  o.progress = call.progress_fn();
  o.progress_user = &call;
  o.cancel = call.cancel();
  o.adapters = adapters.get();
  o.n_adapters = adapters.uses.size();
  o.logprobs = logprobs ? 1 : 0;
  o.n_logprobs = logprobs.value_or(0);
  return o;
}

std::vector<quern_token> tokenize(const quern_model* model, const std::string& text, uint32_t flags) {
  std::vector<quern_token> tokens(text.size() + 8);
  size_t needed = 0;
  py::gil_scoped_release release;
  Outcome outcome;
  while (true) {
    outcome = outcome_of(
        [&] { return quern_tokenize(model, text.data(), text.size(), flags, tokens.data(), tokens.size(), &needed); });
    if (outcome.status != QUERN_ERROR_BUFFER_TOO_SMALL) break;
    tokens.resize(needed);
  }
  tokens.resize(outcome.status == QUERN_OK ? needed : 0);
  py::gil_scoped_acquire acquire;
  raise_unless_ok(outcome);
  return tokens;
}

std::string detokenize(const quern_model* model, const std::vector<quern_token>& tokens, bool special) {
  std::string text(tokens.size() * 8 + 16, '\0');
  size_t needed = 0;
  while (true) {
    const Outcome outcome = outcome_of([&] {
      return quern_detokenize(model, tokens.data(), tokens.size(), special ? 1 : 0, text.data(), text.size(), &needed);
    });
    if (outcome.status != QUERN_ERROR_BUFFER_TOO_SMALL) {
      raise_unless_ok(outcome);
      break;
    }
    text.resize(needed);
  }
  text.resize(needed - 1);  // the terminating zero
  return text;
}

std::vector<quern_token> tokens_of(const py::object& value, const quern_model* model) {
  if (py::isinstance<py::str>(value) || py::isinstance<py::bytes>(value)) {
    if (!model) throw py::type_error("token ids expected, not text");
    return tokenize(model, value.cast<std::string>(), QUERN_TOKENIZE_ADD_SPECIAL | QUERN_TOKENIZE_PARSE_SPECIAL);
  }
  const py::object list = py::hasattr(value, "tolist") ? py::object(value.attr("tolist")()) : value;
  try {
    return list.cast<std::vector<quern_token>>();
  } catch (const py::cast_error&) {
    // Sequences that are not lists: iterators, ranges.
    try {
      return py::list(list).cast<std::vector<quern_token>>();
    } catch (const py::cast_error&) {
      throw py::type_error("a sequence of token ids (integers) expected, not " +
                           std::string(py::repr(value.get_type())));
    }
  }
}

std::string path_of(const py::object& value) {
  const py::object bytes = py::module_::import("os").attr("fsencode")(value);
  return bytes.cast<std::string>();
}

}  // namespace quern_python
