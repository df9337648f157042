// POST /api/pull, /api/create: long work, on a thread of its own, that tells how far it is.
#include <boost/asio/post.hpp>

#include "examples/server/api/handlers.h"
#include "examples/server/api/ollama.h"

namespace quern::server {
namespace {

/// One job's answer: lines as it goes on, or one at the end.
class JobAnswer {
 public:
  JobAnswer(std::shared_ptr<Call> call, bool stream) : call_(std::move(call)), stream_(stream) {}

  /// False: nobody wants the work any more.
  bool say(const store::TransferProgress& progress) {
    if (call_->exchange->gone().cancelled() || call_->service.stopping.cancelled()) return false;
    Json json = {{"status", progress.status}};
    if (!progress.digest.empty()) json["digest"] = progress.digest;
    if (progress.total > 0) json["total"] = progress.total;
    if (progress.completed > 0) json["completed"] = progress.completed;
    if (stream_) write(json_line(json));
    return true;
  }

  void end(const Status& status, const std::function<ApiError(const Error&)>& meaning) {
    if (!status) return fail(meaning(status.error()));
    if (!stream_) return call_->answer({{"status", "success"}});
    call_->exchange->end();
  }

  void fail(const ApiError& error) {
    if (!begun_) return call_->fail(error);
    call_->exchange->write(error_body(error, call_->style) + "\n");
    call_->exchange->end();
  }

 private:
  void write(std::string line) {
    if (begun_) return call_->exchange->write(std::move(line));
    begun_ = true;
    HttpResponse head;
    head.content_type = "application/x-ndjson";
    head.headers = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}};
    head.body = std::move(line);
    call_->exchange->begin(std::move(head));
  }

  std::shared_ptr<Call> call_;
  bool stream_, begun_ = false;
};

using Work = std::function<Status(const store::TransferFn&, const CancelToken&)>;

void run_job(const std::shared_ptr<Call>& call, bool stream, Work work, std::function<ApiError(const Error&)> meaning) {
  auto& running = call->service.n_jobs;
  if (running.fetch_add(1) >= Service::kMaxJobs) {
    --running;
    throw ApiError(503,
                   std::to_string(Service::kMaxJobs) + " downloads and creations are in progress: come again later");
  }
  boost::asio::post(call->service.jobs, [call, stream, work = std::move(work), meaning = std::move(meaning)] {
    JobAnswer answer(call, stream);
    try {
      const auto say = [&answer](const store::TransferProgress& progress) { return answer.say(progress); };
      answer.end(work(say, call->exchange->gone()), meaning);
    } catch (const ApiError& error) {
      answer.fail(error);
    } catch (const std::exception& error) {
      answer.fail(ApiError(500, std::string("unexpected: ") + error.what()));
    }
    --call->service.n_jobs;
  });
}

/// {"model.gguf": "sha256:..."}
std::vector<std::pair<std::string, std::string>> read_files(const Fields& fields, const char* name) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto files = fields.object(name);
  if (!files) return out;
  for (const auto& [file, digest] : files->json().items()) {
    if (!digest.is_string()) bad_field(files->name(file.c_str()), "expected the digest of an uploaded blob");
    out.emplace_back(file, digest.get<std::string>());
  }
  return out;
}

std::vector<store::Message> read_stored_messages(const Fields& fields) {
  std::vector<store::Message> out;
  const Input& list = *fields.find("messages");
  if (!list.is_array()) bad_field("messages", "expected a list of messages");
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string field = "messages[" + std::to_string(i) + "]";
    if (!list[i].is_object()) bad_field(field, "expected an object with role and content");
    const Fields own(list[i], field + ".");
    out.push_back({own.required_text("role"), own.required_text("content")});
    if (out.back().role != "system" && out.back().role != "user" && out.back().role != "assistant")
      bad_field(field + ".role", "expected system, user or assistant");
  }
  return out;
}

store::CreateSpec read_spec(const Call& call, const Fields& fields) {
  for (const char* name : {"modelfile", "path"})
    fields.refuse(name, "give the parts of the Modelfile as fields: from, files, parameters, system, template, ...");
  for (const char* name : {"renderer", "parser"}) fields.refuse(name, "is not supported");
  store::CreateSpec spec;
  spec.from = fields.text("from").value_or("");
  if (const ModelSpec* fixed = fixed_model(call, spec.from)) {
    // The path is that of the server's start, not the request's.
    spec.from = fixed->path;
    spec.allow_paths = true;
  } else if (!spec.from.empty()) {
    spec.from = store_name(spec.from, "from").text();
  }
  spec.files = read_files(fields, "files");
  spec.adapter_files = read_files(fields, "adapters");
  if (spec.from.empty() && spec.files.empty()) bad_field("from", "this field is required, or files");
  spec.tmpl = fields.text("template");
  if (spec.tmpl && !spec.tmpl->empty() && !store::is_jinja(*spec.tmpl))
    bad_field("template", "expected Jinja, as in the chat templates of model files; Go templates are not supported");
  spec.system = fields.text("system");
  if (fields.has("license")) spec.licenses = fields.texts("license", 64);
  if (fields.has("messages")) spec.messages = read_stored_messages(fields);
  if (const auto parameters = fields.object("parameters")) spec.parameters_json = dump(parameters->json());
  spec.quantize = fields.text("quantize").value_or(fields.text("quantization").value_or(""));
  return spec;
}

}  // namespace

void ollama_pull(const std::shared_ptr<Call>& call) {
  const Input body = parse_body(call->request().body);
  const Fields fields(body);
  const std::string text = required_model(fields);
  if (fields.flag("insecure").value_or(false))
    bad_field("insecure", "downloads are always encrypted, and certificates always verified");
  const bool stream = fields.flag("stream").value_or(true);
  if (fixed_model(*call, text) != nullptr)
    throw ApiError(400, "'" + text + "' was named when the server was started; it cannot be pulled");
  store::Store& store = required_store(*call);
  const store::Reference reference{store_name(text, "model"), {}};
  run_job(
      call, stream,
      [&store, reference](const store::TransferFn& say, const CancelToken& cancel) -> Status {
        store::PullOptions options;
        options.progress = say;
        options.cancel = cancel;
        const auto pulled = store.pull(reference, options);
        if (!pulled) return pulled.error();
        return {};
      },
      [call](const Error& error) { return store_error(*call, error); });
}

void ollama_create(const std::shared_ptr<Call>& call) {
  const Input body = parse_body(call->request().body);
  const Fields fields(body);
  const std::string text = required_model(fields);
  const bool stream = fields.flag("stream").value_or(true);
  if (fixed_model(*call, text) != nullptr)
    throw ApiError(400, "'" + text + "' was named when the server was started; choose another name");
  store::Store& store = required_store(*call);
  const auto name = store_name(text, "model");
  run_job(
      call, stream,
      [&store, name, spec = read_spec(*call, fields)](const store::TransferFn& say,
                                                      const CancelToken& cancel) -> Status {
        const auto made = store.create(name, spec, {say, cancel});
        if (!made) return made.error();
        return {};
      },
      [call](const Error& error) {
        // What is malformed came with the request.
        ApiError out = store_error(*call, error);
        if (error.code == Errc::format) out.status = 400;
        return out;
      });
}

}  // namespace quern::server
