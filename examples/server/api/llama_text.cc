// POST /tokenize, /detokenize, /apply-template.
#include "examples/server/api/conversation.h"
#include "examples/server/api/handlers.h"
#include "examples/server/api/openai.h"

namespace quern::server {
namespace {

/// Whether the bytes are UTF-8 by themselves; nlohmann-json says so.
bool is_utf8(const std::string& text) {
  try {
    static_cast<void>(Json(text).dump());
    return true;
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

Json piece_json(const Tokenizer& tokenizer, Token token) {
  const std::string piece = tokenizer.piece(token, true);
  Json json = {{"id", token}};
  if (is_utf8(piece)) {
    json["piece"] = piece;
  } else {
    Json bytes = Json::array();
    for (const char c : piece) bytes.push_back(static_cast<unsigned char>(c));
    json["piece"] = std::move(bytes);
  }
  return json;
}

}  // namespace

void llama_tokenize(const std::shared_ptr<Call>& call) {
  const auto body = std::make_shared<Input>(parse_body(call->request().body));
  const Fields fields(*body);
  with_model(call, fields.text("model").value_or(""), std::nullopt, [=](const std::shared_ptr<Lease>& lease) {
    const Fields request(*body);
    const Tokenizer& tokenizer = (*lease)->model().tokenizer();
    TokenizeOptions options;
    options.add_special = request.flag("add_special").value_or(false);
    options.parse_special = request.flag("parse_special").value_or(true);
    const auto tokens = tokenizer.tokenize(request.text("content").value_or(""), options);
    Json list = Json::array();
    const bool pieces = request.flag("with_pieces").value_or(false);
    for (const Token token : tokens) list.push_back(pieces ? piece_json(tokenizer, token) : Json(token));
    call->answer({{"tokens", std::move(list)}});
  });
}

void llama_detokenize(const std::shared_ptr<Call>& call) {
  const auto body = std::make_shared<Input>(parse_body(call->request().body));
  const Fields fields(*body);
  with_model(call, fields.text("model").value_or(""), std::nullopt, [=](const std::shared_ptr<Lease>& lease) {
    const Input* list = Fields(*body).find("tokens");
    if (list == nullptr || !list->is_array()) bad_field("tokens", "expected a list of tokens");
    const auto tokens = read_tokens(*list, (*lease)->model(), "tokens");
    call->answer({{"content", (*lease)->model().tokenizer().detokenize(tokens, true)}});
  });
}

void llama_apply_template(const std::shared_ptr<Call>& call) {
  const auto body = std::make_shared<Input>(parse_body(call->request().body));
  const Fields fields(*body);
  refuse_unsupported(fields);
  with_model(call, fields.text("model").value_or(""), std::nullopt, [=](const std::shared_ptr<Lease>& lease) {
    const Fields request(*body);
    const auto kwargs = request.object("chat_template_kwargs");
    call->answer({{"prompt", conversation_text(*lease, read_messages(request), kwargs ? kwargs->json() : Input())}});
  });
}

}  // namespace quern::server
