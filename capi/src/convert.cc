// Converting.
#include <quern/convert.h>

#include "capi/src/door.h"

using namespace quern::capi;

namespace {

std::string text_of(const char* text) { return text ? text : ""; }

quern_status read_convert_options(const quern_convert_options* given, quern::ConvertOptions& out) {
  quern_convert_options o = QUERN_CONVERT_OPTIONS_INIT;
  QUERN_C_CHECK(read_options(given, o, "quern_convert_options", offsetof(quern_convert_options, adapters)));
  if (o.type) out.type = o.type;
  out.dequantize = o.dequantize != 0;
  out.allow_requantize = o.allow_requantize != 0;
  out.imatrix = text_of(o.imatrix);
  out.model_name = text_of(o.model_name);
  out.vocab_only = o.vocab_only != 0;
  out.dry_run = o.dry_run != 0;
  out.split_max_bytes = o.split_max_bytes;
  out.split_max_tensors = o.split_max_tensors;
  QUERN_C_CHECK(check_array(o.override_kv, o.n_override_kv, "override_kv"));
  for (size_t i = 0; i < o.n_override_kv; ++i) {
    if (!o.override_kv[i]) return refuse(quern::Errc::argument, "override_kv[" + std::to_string(i) + "] is NULL");
    out.override_kv.emplace_back(o.override_kv[i]);
  }
  QUERN_C_CHECK(check_array(o.adapters, o.n_adapters, "adapters"));
  for (size_t i = 0; i < o.n_adapters; ++i) {
    if (!o.adapters[i].path) {
      return refuse(quern::Errc::argument, "adapters[" + std::to_string(i) + "].path is NULL");
    }
    out.adapters.push_back({o.adapters[i].path, o.adapters[i].scale});
  }
  out.progress = progress_of(o.progress, o.progress_user);
  out.cancel = cancel_of(o.cancel);
  return QUERN_OK;
}

}  // namespace

extern "C" {

quern_status quern_convert_model(const quern_runtime* runtime, const char* from, const char* to,
                                 const quern_convert_options* options, quern_quantize_result** out) {
  QUERN_C_NEED(out);
  *out = nullptr;
  QUERN_C_NEED(from);
  return guard([&] {
    quern::ConvertOptions wanted;
    QUERN_C_CHECK(read_convert_options(options, wanted));
    if (!wanted.dry_run) QUERN_C_NEED(to);
    const auto used = runtime ? quern::Result<quern::Runtime>(runtime->runtime) : quern::Runtime::create();
    if (!used) return refuse(used.error());
    auto result = quern::convert_model(*used, from, text_of(to), wanted);
    if (!result) return refuse(result.error());
    *out = new quern_quantize_result{std::move(*result)};
    return QUERN_OK;
  });
}

}  // extern "C"
