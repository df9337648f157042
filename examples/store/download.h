// Downloads: small documents into memory, big files into blobs. Both try again where that may help.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "examples/store/digest.h"
#include "examples/store/http.h"
#include "examples/store/layout.h"
#include "examples/store/store.h"

namespace quern::store {

/// One pull's connections, its way to tell how far it is, and its patience.
class Session {
 public:
  Session(Layout layout, const PullOptions& options);

  /// A document of at most `limit` bytes. An answer other than 2xx is a result, not an error.
  struct Document {
    HttpHead head;
    std::string body;
  };
  Result<Document> get_document(const HttpRequest& request, size_t limit);

  /// Errc::cancelled if the listener or the token asks for the end.
  Status say(TransferProgress progress);
  /// The same, but not more often than ten times a second.
  Status say_sometimes(TransferProgress progress);
  /// After the attempt that came to this: waits and returns success if there shall be another, else the error.
  /// `progressed`: bytes have come since the last call.
  Status before_retry(const HttpResult& result, bool progressed);

  /// What the pull keeps from being deleted before its manifest is written.
  Status pin(const std::vector<Digest>& digests);
  Pin* pin() { return pin_ ? &*pin_ : nullptr; }

  HttpClient& http() { return http_; }
  const Layout& layout() const { return layout_; }
  const PullOptions& options() const { return options_; }

 private:
  Status wait(uint32_t milliseconds);
  Layout layout_;
  const PullOptions& options_;
  HttpClient http_;
  std::optional<Pin> pin_;
  TransferProgress last_;
  std::chrono::steady_clock::time_point last_said_{};
  uint32_t failures_ = 0;   ///< in a row
  bool connected_ = false;  ///< something has answered since it was made
};

/// Whether the server may answer otherwise next time.
bool is_busy_status(long status);

/// A file to be downloaded into a blob.
struct BlobSource {
  std::string url, bearer{};
  std::optional<Digest> digest{};  ///< Of its bytes, where it is known before.
  std::string git_oid{};           ///< Its name as a git object, where that is known (and `size`).
  std::optional<uint64_t> size{};
  bool gguf = false;    ///< It must begin as a GGUF file does.
  std::string label{};  ///< For the status: "pulling <label>".
};

struct Blob {
  Digest digest;
  uint64_t size = 0;
};

/// Downloads what is not there yet. Goes on where an earlier download ended, if the server's file is still the same;
/// checks length and digest; nothing is stored that is not right. What arrived before an error stays for the next time.
Result<Blob> fetch_blob(Session& session, BlobSource source);

/// Errc::io if `wanted` more bytes do not fit on the disk of the store.
Status check_room(const Layout& layout, uint64_t wanted);

/// The error of an answer that is not 2xx: the address, the status, and what to do about it.
Error status_error(const HttpHead& head, const std::string& body, const std::string& advice);

}  // namespace quern::store
