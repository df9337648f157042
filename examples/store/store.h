// The model store: models on disk by name, and how they get there. The layout on disk is Ollama's (README.md), so both
// may use one folder: manifests/<host>/<namespace>/<model>/<tag> name blobs/sha256-<hex>.
//
// A Store is a handle on a folder and holds no state of it: cheap to make and copy, and every function may be called
// from any thread, by several processes at once. What changes the store is atomic: a model is there whole or not at
// all, whenever the process ends. Nothing here prints, throws on purpose, or ends the process.
#pragma once

#include <quern/callbacks.h>
#include <quern/result.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "examples/store/modelfile.h"
#include "examples/store/name.h"

namespace quern::store {

/// What the model says about itself: the "details" of Ollama's /api/tags and /api/show.
struct Details {
  std::string parent_model;
  std::string format;                 ///< "gguf" or "safetensors".
  std::string family;                 ///< The architecture: "llama".
  std::vector<std::string> families;  ///< At least the family.
  std::string parameter_size;         ///< "1.2B".
  std::string quantization_level;     ///< "Q4_K_M".
};

/// One line of `list`.
struct Entry {
  ModelName name;
  std::string digest{};     ///< SHA-256 of the manifest, 64 hexadecimal digits.
  uint64_t size_bytes = 0;  ///< All of the model's blobs, also those that others use too.
  int64_t modified_ns = 0;  ///< Nanoseconds since 1970, UTC.
  Details details{};
};

/// A model of the store, ready to be opened. Paths are absolute if the root is.
struct StoredModel : Entry {
  std::string path{};                     ///< For quern::Model::open: a GGUF file (of several: the first), or a folder.
  std::vector<std::string> adapters{};    ///< For quern::Adapter::open.
  std::vector<std::string> projectors{};  ///< Of vision models; nothing here uses them yet.
  std::string tmpl{};                     ///< Jinja or Go (see is_jinja); empty: the file's own is meant.
  std::string system{};
  std::string parameters_json{};  ///< An object with the names of Ollama's options; "{}" if none.
  std::vector<std::pair<std::string, std::string>> parameters{};  ///< The same as text.
  std::vector<std::string> licenses{};
  std::vector<Message> messages{};
  std::string requires_version{};
  std::string source{};  ///< The address it was downloaded from, where it was a plain URL.

  /// A Modelfile that makes this model again, with FROM as the path of its blob.
  Result<std::string> modelfile() const;
};

/// What is read from the model's file: needs no room for its weights, but takes as long as its tokenizer.
struct Card {
  std::string architecture;
  uint64_t n_parameters = 0;
  uint64_t context_length = 0, embedding_length = 0;
  std::string quantization;
  /// Ollama's words: "completion", "embedding", "tools", "thinking", "insert", "vision".
  std::vector<std::string> capabilities;
  /// "model_info" of /api/show: the file's metadata as a JSON object, with null for long arrays.
  std::string model_info_json;
  std::string chat_template;  ///< The file's own, Jinja.
};

/// How far a pull or create is, in the words of Ollama's streamed progress:
/// "pulling manifest", then for each blob "pulling <12 digits, or its file>" with digest, total and completed, then
/// "verifying sha256 digest", "writing manifest", "success". "waiting for another download of ..." and "retrying in
/// N s: <why>" may come between.
struct TransferProgress {
  std::string status;
  std::string digest;  ///< "sha256:<64 hexadecimal digits>" where one is known; else empty.
  uint64_t total = 0;  ///< Bytes; 0 while not known.
  uint64_t completed = 0;
};
/// Called on the thread of the operation, at least twice a second while bytes come and at once when the status
/// changes. Returning false cancels: Errc::cancelled. What was downloaded so far is kept, and the next pull goes on.
using TransferFn = std::function<bool(const TransferProgress&)>;

struct PullOptions {
  TransferFn progress{};
  CancelToken cancel{};
  bool offline = false;     ///< No connection: Errc::not_found unless all is there. QUERN_OFFLINE=1 does the same.
  bool allow_http = false;  ///< Unencrypted http to hosts that are not this machine.
  std::optional<ModelName> as{};  ///< Store it under this name.
  std::string hf_token{};         ///< Empty: HF_TOKEN, or the token file of the Hub's own tools.
  std::string hf_endpoint{};      ///< Empty: HF_ENDPOINT, or https://huggingface.co.
  /// Base address of registry.ollama.ai's protocol, for names with the default host. Empty: QUERN_REGISTRY, or
  /// https://registry.ollama.ai.
  std::string registry{};
  uint32_t attempts = 6;          ///< In a row without a byte of progress; then the error is returned.
  uint32_t first_delay_ms = 500;  ///< Before the second attempt; doubles each time, 30 s at most.
  uint32_t stall_seconds = 30;    ///< Without a byte: a broken connection.
};

/// A model to be made: from a Modelfile (CreateSpec::from_modelfile), or field by field as of Ollama's /api/create.
struct CreateSpec {
  std::string from;  ///< Name of a stored model; with `allow_paths` also a GGUF file or a folder.
  /// Instead of `from`: uploaded blobs (see BlobWriter) by file name, "model.gguf" -> "sha256:...". More than one are
  /// the parts of a split GGUF or the files of a Hugging Face folder.
  std::vector<std::pair<std::string, std::string>> files;
  std::vector<std::string> adapter_paths;                          ///< With `allow_paths`.
  std::vector<std::pair<std::string, std::string>> adapter_files;  ///< As `files`.
  /// What is absent is taken from the model named by `from`. Empty texts remove it.
  std::optional<std::string> tmpl, system, requires_version;
  std::optional<std::vector<std::string>> licenses;
  std::optional<std::vector<Message>> messages;
  std::string parameters_json = "{}";  ///< Added to those of `from`, by name.
  bool allow_paths = false;            ///< Paths of this machine may be read. Never set it for a request.
  std::filesystem::path base{};        ///< What relative paths are relative to; empty: the current folder.
  std::string quantize{};              ///< A type of quern::quantize ("Q4_K_M"); empty: as it is.

  static Result<CreateSpec> from_modelfile(const Modelfile& modelfile, const std::filesystem::path& base);
};

struct CreateOptions {
  TransferFn progress{};
  CancelToken cancel{};
};

/// An upload: bytes that become a blob if their digest is the one that was promised. Move-only.
class BlobWriter {
 public:
  BlobWriter(BlobWriter&&) noexcept;
  BlobWriter& operator=(BlobWriter&&) noexcept;
  ~BlobWriter();  ///< Without commit() nothing remains.
  Status write(const void* data, size_t size);
  /// Errc::format if the digest is another.
  Status commit();

 private:
  friend class Store;
  struct Impl;
  explicit BlobWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// What a removal freed.
struct Removed {
  uint64_t blobs = 0, bytes = 0;
};

class Store {
 public:
  /// $QUERN_MODELS, else $XDG_DATA_HOME/quern/models, else ~/.local/share/quern/models. Errc::not_found where none of
  /// these is known.
  static Result<std::filesystem::path> default_root();
  /// The store in `root` (empty: default_root()). The folder is made by the first function that writes.
  static Result<Store> open(const std::filesystem::path& root = {});
  const std::filesystem::path& root() const { return root_; }

  /// All models, most recently changed first. Manifests that cannot be read are left out; `problems` says why.
  Result<std::vector<Entry>> list(std::vector<std::string>* problems = nullptr) const;
  /// Errc::not_found if there is none of this name (letters' case does not matter), Errc::format or io if it is
  /// damaged.
  Result<StoredModel> find(const ModelName& name) const;
  bool contains(const ModelName& name) const;
  Result<Card> card(const StoredModel& model) const;

  /// Takes the name away, and the blobs that no other name uses.
  Result<Removed> remove(const ModelName& name);
  /// Both names then mean the same blobs. Overwrites `to`.
  Status copy(const ModelName& from, const ModelName& to);
  /// Deletes what no model uses: blobs without a manifest, what remains of broken downloads. Not what a running pull
  /// or create of this library is working on, but that of other programs.
  Result<Removed> prune();

  /// Downloads a model, or what of it is not there yet. See TransferProgress.
  Result<StoredModel> pull(const Reference& reference, const PullOptions& options = {});
  Result<StoredModel> create(const ModelName& name, const CreateSpec& spec, const CreateOptions& options = {});

  /// `digest` is "sha256:<64 hexadecimal digits>"; Errc::argument if it is not.
  Result<bool> has_blob(std::string_view digest) const;
  Result<BlobWriter> write_blob(std::string_view digest);

 private:
  explicit Store(std::filesystem::path root) : root_(std::move(root)) {}
  std::filesystem::path root_;
};

/// Whether QUERN_OFFLINE asks for no connections.
bool offline_by_environment();

}  // namespace quern::store
