// DELETE /api/delete; POST /api/copy; HEAD and POST /api/blobs/{digest}.
#include "examples/server/api/handlers.h"
#include "examples/server/api/ollama.h"

namespace quern::server {
namespace {

void answer_empty(const Call& call, unsigned status) {
  HttpResponse response;
  response.status = status;
  call.exchange->send(std::move(response));
}

[[noreturn]] void not_stored(const std::string& name) {
  throw ApiError(400, "'" + name + "' was named when the server was started and is not in its store of models");
}

std::string digest_of(const Call& call) { return call.request().path.substr(std::string("/api/blobs/").size()); }

}  // namespace

void ollama_delete(const std::shared_ptr<Call>& call) {
  const Input body = parse_body(call->request().body);
  const std::string name = required_model(Fields(body));
  if (fixed_model(*call, name) != nullptr) not_stored(name);
  store::Store& store = required_store(*call);
  const auto parsed = store_name(name, "model");
  if (!store.contains(parsed)) throw ApiError(404, "model '" + name + "' not found");
  call->service.hosts.unload(name);
  const auto removed = store.remove(parsed);
  if (!removed) throw store_error(*call, removed.error());
  answer_empty(*call, 200);
}

void ollama_copy(const std::shared_ptr<Call>& call) {
  const Input body = parse_body(call->request().body);
  const Fields fields(body);
  const std::string from = fields.required_text("source"), to = fields.required_text("destination");
  for (const auto& name : {from, to}) {
    if (fixed_model(*call, name) != nullptr) not_stored(name);
  }
  store::Store& store = required_store(*call);
  const auto source = store_name(from, "source"), destination = store_name(to, "destination");
  if (!store.contains(source)) throw ApiError(404, "model '" + from + "' not found");
  if (const auto status = store.copy(source, destination); !status) throw store_error(*call, status.error());
  answer_empty(*call, 200);
}

void ollama_has_blob(const std::shared_ptr<Call>& call) {
  const auto has = required_store(*call).has_blob(digest_of(*call));
  if (!has) throw store_error(*call, has.error());
  answer_empty(*call, *has ? 200 : 404);
}

void ollama_write_blob(const std::shared_ptr<Call>& call) {
  store::Store& store = required_store(*call);
  const std::string digest = digest_of(*call);
  const auto has = store.has_blob(digest);
  if (!has) throw store_error(*call, has.error());
  if (*has) return answer_empty(*call, 200);
  auto writer = store.write_blob(digest);
  if (!writer) throw store_error(*call, writer.error());
  const std::string& body = call->request().body;
  auto status = writer->write(body.data(), body.size());
  if (status) status = writer->commit();
  // Bytes of another digest are the client's mistake.
  if (!status && status.error().code == Errc::format) throw ApiError(400, status.error().message);
  if (!status) throw store_error(*call, status.error());
  answer_empty(*call, 201);
}

}  // namespace quern::server
