// New models from others: by a Modelfile, or field by field.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <nlohmann/json.hpp>

#include <quern/convert.h>

#include "examples/store/blobs.h"
#include "examples/store/hub.h"
#include "examples/store/pull.h"
#include "examples/store/text.h"
#include "examples/store/try.h"

namespace quern::store {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::ordered_json;

bool is_model_layer(const Layer& layer) { return layer.media_type == kModelType || layer.media_type == kFileType; }
bool is_adapter_layer(const Layer& layer) {
  return layer.media_type == kAdapterType || layer.media_type == kAdapterFileType;
}

class Creation {
 public:
  Creation(const Store& store, Layout layout, const CreateSpec& spec, const CreateOptions& options, Pin pin)
      : store_(store), layout_(std::move(layout)), spec_(spec), options_(options), pin_(std::move(pin)) {}

  Result<Pulled> run() {
    QUERN_CHECK(say({"gathering model components", {}, 0, 0}));
    QUERN_CHECK(base());
    QUERN_CHECK(adapters());
    if (!spec_.quantize.empty()) QUERN_CHECK(quantize());
    QUERN_CHECK(texts());
    return with_config(layout_, &pin_, std::move(manifest_), std::move(config_));
  }

  /// Nothing comes of it: the blobs that were made may go.
  std::vector<Digest> give_up() { return pin_.release(); }

  Status say(const TransferProgress& progress) const {
    const bool stopped = options_.cancel.cancelled() || (options_.progress && !options_.progress(progress));
    if (stopped) return Error{Errc::cancelled, "cancelled"};
    return {};
  }

 private:
  /// The layers to start from.
  Status base() {
    if (!spec_.files.empty()) return uploaded(spec_.files, kModelType, kFileType);
    if (spec_.from.empty()) return Error{Errc::argument, "FROM is missing: the model to start from"};
    if (spec_.allow_paths) {
      const fs::path path = absolute(spec_.from);
      std::error_code error;
      if (fs::is_directory(path, error)) return import_folder(path, kFileType);
      if (fs::exists(path, error)) return import_model(path);
      const bool like_path = spec_.from[0] == '/' || spec_.from[0] == '.' || spec_.from[0] == '~' ||
                             ends_with_ignoring_case(spec_.from, ".gguf");
      if (like_path) return Error{Errc::not_found, "FROM " + shown(spec_.from, 200) + ": no such file or folder"};
    }
    return from_name();
  }

  Status from_name() {
    auto reference = Reference::parse(spec_.from);
    if (!reference) return Error{reference.error().code, "FROM: " + reference.error().message};
    auto file = read_manifest(layout_.manifest(reference->name));
    if (!file && file.error().code == Errc::not_found) {
      const std::string tried =
          spec_.allow_paths ? "neither a file or folder here nor a model of the store" : "no model of the store";
      return Error{Errc::not_found, "FROM " + shown(spec_.from, 200) + ": " + tried + "; pull it first"};
    }
    if (!file) return file.error();
    std::vector<Digest> digests;
    for (const auto& layer : file->manifest.blobs()) QUERN_CHECK(pin_.add(layout_, layer.digest));
    manifest_.layers = file->manifest.layers;
    for (const auto& layer : file->manifest.config) {
      const fs::path path = layout_.blob(layer.digest);
      QUERN_TRY(const std::string text, read_file(path, kMaxConfigBytes));
      QUERN_TRY(config_, Config::parse(text, path.string()));
    }
    config_.details.parent_model = reference->name.text();
    for (const auto& layer : manifest_.layers) {
      if (is_model_layer(layer)) QUERN_CHECK(say({"using existing layer " + layer.digest.text(), {}, 0, 0}));
    }
    return {};
  }

  fs::path absolute(const std::string& text) const {
    if (text.substr(0, 2) == "~/") {
      const char* home = std::getenv("HOME");
      if (home != nullptr) return fs::path(home) / text.substr(2);
    }
    const fs::path path(text);
    return path.is_absolute() || spec_.base.empty() ? path : spec_.base / path;
  }

  /// A GGUF file, or all parts of a split one: they lie beside the one that is named.
  Status import_model(const fs::path& path) {
    const auto split = parse_split_name(path.filename().string());
    if (!split || split->count == 1) return import_file(path, kModelType, {});
    for (uint32_t i = 1; i <= split->count; ++i) {
      const auto digits = [](uint32_t n) {
        const std::string text = std::to_string(n);
        return std::string(5 - std::min<size_t>(text.size(), 5), '0') + text;
      };
      const std::string name = split->stem + "-" + digits(i) + "-of-" + digits(split->count) + ".gguf";
      QUERN_CHECK(import_file(path.parent_path() / name, kFileType, name));
    }
    return {};
  }

  /// A Hugging Face folder, or with kAdapterFileType a PEFT folder.
  Status import_folder(const fs::path& folder, std::string_view media_type) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      const std::string name = it->path().filename().string();
      std::error_code ignored;
      if (belongs_to_folder(name) && it->is_regular_file(ignored)) names.push_back(name);
    }
    if (error) return file_error(folder, "cannot read the folder", error.value());
    std::sort(names.begin(), names.end());
    const char* const config = media_type == kFileType ? "config.json" : "adapter_config.json";
    if (std::find(names.begin(), names.end(), config) == names.end()) {
      return Error{Errc::not_found, folder.string() + ": no " + config + " in this folder"};
    }
    for (const auto& name : names) QUERN_CHECK(import_file(folder / name, media_type, name));
    return {};
  }

  /// Copies a file into the store: what happens to the file later does not change the model.
  Status import_file(const fs::path& path, std::string_view media_type, const std::string& name) {
    QUERN_TRY(NewBlob blob, NewBlob::create(layout_));
    std::error_code error;
    const uint64_t size = fs::file_size(path, error);
    const std::string status = "copying file " + path.filename().string();
    const auto progressed = [&](uint64_t done) { return say({status, {}, error ? 0 : size, done}); };
    QUERN_CHECK(blob.copy_from(path, progressed));
    return add_blob(blob, media_type, name);
  }

  Status add_blob(NewBlob& blob, std::string_view media_type, const std::string& name) {
    const Digest digest = blob.digest();
    QUERN_CHECK(pin_.add(layout_, digest));
    std::error_code error;
    const bool known = fs::is_regular_file(layout_.blob(digest), error);
    QUERN_CHECK(say({(known ? "using existing layer " : "creating new layer ") + digest.text(), digest.text(), 0, 0}));
    if (!known) QUERN_CHECK(blob.commit(digest));
    manifest_.layers.push_back({std::string(media_type), digest, blob.size(), name});
    return {};
  }

  /// Layers of blobs that were uploaded: one is a file by itself, several are files of one folder.
  Status uploaded(const std::vector<std::pair<std::string, std::string>>& files, std::string_view one,
                  std::string_view several) {
    for (const auto& [name, text] : files) {
      QUERN_TRY(const Digest digest, Digest::parse(text));
      QUERN_CHECK(pin_.add(layout_, digest));
      std::error_code error;
      const uint64_t size = fs::file_size(layout_.blob(digest), error);
      if (error)
        return Error{Errc::not_found,
                     "file '" + shown(name) + "': there is no blob " + digest.text() + ": upload it first"};
      const bool alone = files.size() == 1;
      if (!alone && !is_plain_file_name(name))
        return Error{Errc::argument, "file '" + shown(name) + "': not a plain file name"};
      manifest_.layers.push_back({std::string(alone ? one : several), digest, size, alone ? std::string() : name});
    }
    return {};
  }

  Status adapters() {
    if (spec_.adapter_paths.empty() && spec_.adapter_files.empty()) return {};
    std::erase_if(manifest_.layers, is_adapter_layer);
    if (!spec_.adapter_files.empty()) QUERN_CHECK(uploaded(spec_.adapter_files, kAdapterType, kAdapterFileType));
    if (!spec_.adapter_paths.empty() && !spec_.allow_paths) {
      return Error{Errc::argument, "ADAPTER: paths of this machine are not read here: upload the file"};
    }
    bool has_folder = false;
    for (const auto& text : spec_.adapter_paths) {
      const fs::path path = absolute(text);
      std::error_code error;
      if (!fs::is_directory(path, error)) {
        QUERN_CHECK(import_file(path, kAdapterType, {}));
        continue;
      }
      if (has_folder)
        return Error{Errc::unsupported, "ADAPTER " + shown(text, 200) +
                                            ": a second PEFT folder; one is possible, and any number of GGUF adapters"};
      has_folder = true;
      QUERN_CHECK(import_folder(path, kAdapterFileType));
    }
    return {};
  }

  /// The model so far in fewer bits.
  Status quantize() {
    const ManifestFile draft{{}, digest_of(manifest_.dump()).hex(), 0, manifest_};
    QUERN_TRY(const std::string in, model_path(layout_, draft));
    QUERN_TRY(NewBlob blob, NewBlob::create(layout_));
    QUERN_TRY(const Runtime runtime, Runtime::create({}));
    ConvertOptions convert;
    convert.type = spec_.quantize;
    convert.cancel = options_.cancel;
    convert.progress = [&](const Progress& progress) {
      return say({"quantizing to " + spec_.quantize, {}, progress.total, progress.done}).has_value();
    };
    const fs::path out = fs::path(blob.path()).replace_extension(".gguf");
    const auto result = convert_model(runtime, in, out.string(), convert);
    drop_view(layout_, draft);
    std::error_code error;
    if (!result) {
      fs::remove(out, error);
      return result.error();
    }
    fs::rename(out, blob.path(), error);
    if (error) return file_error(out, "cannot rename", error.value());
    QUERN_CHECK(blob.take_over([this](uint64_t done) { return say({"reading the quantized model", {}, 0, done}); }));
    std::erase_if(manifest_.layers, is_model_layer);
    QUERN_CHECK(add_blob(blob, kModelType, {}));
    std::rotate(manifest_.layers.begin(), manifest_.layers.end() - 1, manifest_.layers.end());
    const std::string parent = config_.details.parent_model;
    config_.details = {};
    config_.details.parent_model = parent;
    return {};
  }

  Status replace(std::string_view media_type, const std::vector<std::string>& texts) {
    std::erase_if(manifest_.layers, [&](const Layer& layer) { return layer.media_type == media_type; });
    for (const auto& text : texts) {
      if (text.empty()) continue;
      if (text.size() > kMaxTextBytes)
        return Error{Errc::argument, std::string(media_type) + ": more than 16 MiB of text"};
      QUERN_TRY(Layer layer, store_text(layout_, &pin_, media_type, text));
      QUERN_CHECK(say({"creating new layer " + layer.digest.text(), {}, 0, 0}));
      manifest_.layers.push_back(std::move(layer));
    }
    return {};
  }

  Status texts() {
    if (spec_.tmpl) QUERN_CHECK(replace(kTemplateType, {*spec_.tmpl}));
    if (spec_.system) QUERN_CHECK(replace(kSystemType, {*spec_.system}));
    if (spec_.licenses) QUERN_CHECK(replace(kLicenseType, *spec_.licenses));
    if (spec_.messages) {
      QUERN_CHECK(replace(kMessagesType, {spec_.messages->empty() ? std::string() : dump_messages(*spec_.messages)}));
    }
    if (spec_.requires_version) config_.requires_version = *spec_.requires_version;
    return parameters();
  }

  Status parameters() {
    const Json added = Json::parse(spec_.parameters_json, nullptr, false);
    if (!added.is_object()) return Error{Errc::argument, "parameters: expected a JSON object"};
    if (added.empty()) return {};
    Json all = Json::object();
    if (const Layer* layer = manifest_.find(kParamsType)) {
      QUERN_TRY(const std::string text, read_file(layout_.blob(layer->digest), kMaxTextBytes));
      const Json before = Json::parse(text, nullptr, false);
      if (before.is_object()) all = before;
    }
    for (const auto& [key, value] : added.items()) {
      if (find_parameter(key) == nullptr) return Error{Errc::argument, "parameters: unknown name '" + shown(key) + "'"};
      all[key] = value;
    }
    const std::string text = all.dump(-1, ' ', false, Json::error_handler_t::replace);
    // Checks types, as a Modelfile's are.
    QUERN_TRY(const auto list, parameters_from_json(text));
    Modelfile checked;
    checked.parameters = list;
    QUERN_TRY(const std::string normal, checked.parameters_json());
    return replace(kParamsType, {normal});
  }

  const Store& store_;
  Layout layout_;
  const CreateSpec& spec_;
  const CreateOptions& options_;
  Pin pin_;
  Manifest manifest_;
  Config config_;
};

}  // namespace

Result<CreateSpec> CreateSpec::from_modelfile(const Modelfile& modelfile, const fs::path& base) {
  CreateSpec out;
  out.from = modelfile.from;
  out.adapter_paths = modelfile.adapters;
  if (!modelfile.tmpl.empty()) out.tmpl = modelfile.tmpl;
  if (!modelfile.system.empty()) out.system = modelfile.system;
  if (!modelfile.requires_version.empty()) out.requires_version = modelfile.requires_version;
  if (!modelfile.licenses.empty()) out.licenses = modelfile.licenses;
  if (!modelfile.messages.empty()) out.messages = modelfile.messages;
  QUERN_TRY(out.parameters_json, modelfile.parameters_json());
  out.allow_paths = true;
  out.base = base;
  return out;
}

Result<StoredModel> Store::create(const ModelName& name, const CreateSpec& spec, const CreateOptions& options) {
  const Layout layout(root_);
  QUERN_CHECK(make_folders(layout.partial()));
  QUERN_TRY(Pin pin, Pin::create(layout, {}));
  Creation creation(*this, layout, spec, options, std::move(pin));
  const auto run = creation.run();
  if (!run) {
    (void)collect(layout, creation.give_up());
    return run.error();
  }
  const Pulled& made = *run;
  QUERN_CHECK(creation.say({"writing manifest", {}, 0, 0}));
  QUERN_CHECK(install_manifest(layout, name, made.manifest));
  QUERN_TRY(StoredModel model, find(name));
  (void)creation.say({"success", {}, 0, 0});
  return model;
}

}  // namespace quern::store
