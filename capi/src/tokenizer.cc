// The tokenizer of a model, and text streams.
#include "capi/src/door.h"

using namespace quern::capi;

extern "C" {

quern_status quern_tokenize(const quern_model* model, const char* text, size_t size, uint32_t flags,
                            quern_token* buffer, size_t capacity, size_t* needed) {
  QUERN_C_NEED(model);
  QUERN_C_NEED(needed);
  *needed = 0;
  return guard([&] {
    std::string_view given;
    QUERN_C_CHECK(read_text(text, size, "text", given));
    if ((flags & ~(QUERN_TOKENIZE_ADD_SPECIAL | QUERN_TOKENIZE_PARSE_SPECIAL)) != 0) {
      return refuse(quern::Errc::unsupported, "flags: unknown bits in " + std::to_string(flags));
    }
    const quern::TokenizeOptions options{(flags & QUERN_TOKENIZE_ADD_SPECIAL) != 0,
                                         (flags & QUERN_TOKENIZE_PARSE_SPECIAL) != 0};
    const auto tokens = model->model.tokenizer().tokenize(given, options);
    return write_array(tokens.data(), tokens.size(), buffer, capacity, needed);
  });
}

quern_status quern_detokenize(const quern_model* model, const quern_token* tokens, size_t n_tokens, int32_t special,
                              char* buffer, size_t capacity, size_t* needed) {
  QUERN_C_NEED(model);
  QUERN_C_NEED(needed);
  *needed = 0;
  return guard([&] {
    QUERN_C_CHECK(check_array(tokens, n_tokens, "tokens"));
    return write_text(model->model.tokenizer().detokenize({tokens, n_tokens}, special != 0), buffer, capacity, needed);
  });
}

quern_status quern_token_piece(const quern_model* model, quern_token token, int32_t special, char* buffer,
                               size_t capacity, size_t* needed) {
  QUERN_C_NEED(model);
  QUERN_C_NEED(needed);
  *needed = 0;
  return guard(
      [&] { return write_text(model->model.tokenizer().piece(token, special != 0), buffer, capacity, needed); });
}

int32_t quern_n_tokens(const quern_model* model) { return model ? model->model.tokenizer().n_tokens() : 0; }

quern_token quern_token_bos(const quern_model* model) { return model ? model->model.tokenizer().bos() : -1; }

quern_token quern_token_eos(const quern_model* model) { return model ? model->model.tokenizer().eos() : -1; }

int quern_adds_bos(const quern_model* model) { return model && model->model.tokenizer().adds_bos() ? 1 : 0; }

int quern_token_is_end(const quern_model* model, quern_token token) {
  return model && model->model.tokenizer().is_end(token) ? 1 : 0;
}

int quern_token_is_control(const quern_model* model, quern_token token) {
  return model && model->model.tokenizer().is_control(token) ? 1 : 0;
}

quern_token quern_token_find(const quern_model* model, const char* text, size_t size) {
  if (!model || !text) return -1;
  return guard_or<quern_token>(-1, [&] {
    return model->model.tokenizer().find(size == QUERN_NUL_TERMINATED ? std::string_view(text)
                                                                      : std::string_view(text, size));
  });
}

quern_status quern_text_stream_create(const quern_model* model, quern_text_stream** out) {
  QUERN_C_NEED(out);
  *out = nullptr;
  QUERN_C_NEED(model);
  return guard([&] {
    *out = new quern_text_stream{quern::TextStream(model->model.tokenizer()), {}};
    return QUERN_OK;
  });
}

quern_status quern_text_stream_push(quern_text_stream* stream, quern_token token, const char** text, size_t* size) {
  QUERN_C_NEED(stream);
  QUERN_C_NEED(text);
  return guard([&] {
    stream->text = stream->stream.push(token);
    *text = stream->text.c_str();
    if (size) *size = stream->text.size();
    return QUERN_OK;
  });
}

quern_status quern_text_stream_finish(quern_text_stream* stream, const char** text, size_t* size) {
  QUERN_C_NEED(stream);
  QUERN_C_NEED(text);
  return guard([&] {
    stream->text = stream->stream.finish();
    *text = stream->text.c_str();
    if (size) *size = stream->text.size();
    return QUERN_OK;
  });
}

void quern_text_stream_close(quern_text_stream* stream) { delete stream; }

}  // extern "C"
