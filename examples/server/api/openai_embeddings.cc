// POST /v1/embeddings.
#include <openssl/evp.h>

#include <algorithm>
#include <cmath>

#include "examples/server/api/handlers.h"
#include "examples/server/api/openai.h"

namespace quern::server {
namespace {

constexpr size_t kMaxTexts = 2048;

std::string base64(const std::vector<float>& values) {
  const auto size = static_cast<int>(values.size() * sizeof(float));
  std::string out(4 * ((static_cast<size_t>(size) + 2) / 3) + 1, '\0');  // and the zero that OpenSSL writes
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(values.data()),
                  size);
  out.pop_back();
  return out;
}

}  // namespace

std::vector<std::vector<Token>> read_inputs(const Fields& fields, const char* name, const Host& host) {
  const Input* input = fields.find(name);
  const std::string field = fields.name(name);
  if (input == nullptr) bad_field(field, "this field is required");
  const auto one = [&](const Input& json) -> std::vector<Token> {
    if (json.is_string()) return host.model().tokenizer().tokenize(json.get<std::string>(), {true, true});
    if (json.is_array() && !json.empty() && json[0].is_number()) return read_tokens(json, host.model(), field);
    bad_field(field, "expected a text, a list of tokens, or a list of these");
  };
  if (input->is_string() || (input->is_array() && !input->empty() && (*input)[0].is_number())) return {one(*input)};
  if (!input->is_array() || input->empty()) bad_field(field, "expected a text, or a list of at least one");
  if (input->size() > kMaxTexts) bad_field(field, "at most " + std::to_string(kMaxTexts) + " texts are taken");
  std::vector<std::vector<Token>> out;
  for (const Input& item : *input) out.push_back(one(item));
  return out;
}

std::vector<float> shortened(const Embedding& embedding, std::optional<int64_t> dimensions) {
  const auto row = embedding.row();
  const size_t n = dimensions ? std::min<size_t>(static_cast<size_t>(*dimensions), row.size()) : row.size();
  std::vector<float> out(row.begin(), row.begin() + static_cast<ptrdiff_t>(n));
  if (n == row.size()) return out;
  double sum = 0;
  for (const float x : out) sum += static_cast<double>(x) * x;
  for (float& x : out) x = sum > 0 ? static_cast<float>(x / std::sqrt(sum)) : x;
  return out;
}

void openai_embeddings(const std::shared_ptr<Call>& call) {
  const auto body = std::make_shared<Input>(parse_body(call->request().body));
  const Fields fields(*body);
  const std::string encoding = fields.text("encoding_format").value_or("float");
  if (encoding != "float" && encoding != "base64") bad_field("encoding_format", "expected float or base64");
  with_embedder(call, fields.text("model").value_or(""), read_keep_alive(fields),
                [=](const std::shared_ptr<Lease>& lease) {
                  const Fields request(*body);
                  const auto dimensions = request.integer("dimensions", 1, (*lease)->model().info().n_embd);
                  const auto inputs = read_inputs(request, "input", **lease);
                  auto embeddings = (*lease)->embed(inputs, call->exchange->gone());
                  if (!embeddings) throw api_error(embeddings.error());
                  Json data = Json::array();
                  uint64_t n_tokens = 0;
                  for (size_t i = 0; i < embeddings->size(); ++i) {
                    const auto values = shortened((*embeddings)[i], dimensions);
                    n_tokens += (*embeddings)[i].n_tokens;
                    const Json vector = encoding == "base64" ? Json(base64(values)) : Json(values);
                    data.push_back({{"object", "embedding"}, {"index", i}, {"embedding", vector}});
                  }
                  call->service.metrics.count_embedded(n_tokens);
                  call->answer({{"object", "list"},
                                {"data", std::move(data)},
                                {"model", lease->spec().name},
                                {"usage", {{"prompt_tokens", n_tokens}, {"total_tokens", n_tokens}}}});
                });
}

}  // namespace quern::server
