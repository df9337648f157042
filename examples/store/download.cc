// One file into one blob. partial/<key>.part holds what has come so far, <key>.json what it belongs to, <key>.lock is
// held by whoever works on it; the key is the digest, or that of the address where the digest is not known before.
#include "examples/store/download.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "examples/store/text.h"
#include "examples/store/try.h"

namespace quern::store {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t kRoomBesides = uint64_t{1} << 20;  // for manifests and the like
constexpr size_t kChunk = size_t{1} << 20;
constexpr int kMaxChanges = 3;
constexpr std::string_view kGguf = "GGUF";

std::string amount(uint64_t bytes) {
  constexpr const char* kUnits[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  uint64_t tenths = bytes * 10;
  size_t unit = 0;
  while (tenths >= 10240 && unit + 1 < std::size(kUnits)) {
    tenths /= 1024;
    ++unit;
  }
  std::string out = std::to_string(tenths / 10);
  if (unit > 0) out += "." + std::to_string(tenths % 10);
  return out + " " + kUnits[unit];
}

/// Changes with each start of the machine. After a power cut, the end of a file may be zeros that nobody wrote.
std::string boot_id() {
  // Files of /proc say that they have no bytes.
  const auto file = File::open("/proc/sys/kernel/random/boot_id", O_RDONLY);
  char buffer[64] = "";
  const auto n = file ? read_some(*file, "boot_id", buffer, sizeof buffer) : Result<size_t>(size_t{0});
  return std::string(trim(std::string_view(buffer, n ? *n : 0)));
}

/// "\"3858f6...\"" of the Hub as a digest: it is the SHA-256 of files in LFS.
std::optional<Digest> digest_of_etag(std::string_view etag) {
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
  const auto digest = Digest::parse("sha256:" + std::string(etag));
  if (!digest) return std::nullopt;
  return *digest;
}

bool is_strong(const std::string& etag) { return !etag.empty() && etag.substr(0, 2) != "W/"; }

class Download {
 public:
  Download(Session& session, BlobSource source)
      : session_(session), source_(std::move(source)), url_(source_.url.substr(0, source_.url.find('?'))) {
    key_ = source_.digest ? source_.digest->hex() : "url-" + digest_of(source_.url).hex();
    part_ = session.layout().partial() / (key_ + ".part");
    note_ = session.layout().partial() / (key_ + ".json");
  }

  Result<Blob> run() {
    if (const auto blob = already_there()) return *blob;
    QUERN_CHECK(tell(true));
    QUERN_TRY(const Lock lock, wait_for_lock());
    if (const auto blob = already_there()) {  // somebody else was at it
      forget();
      return *blob;
    }
    auto blob = transfer();
    if (blob || have_ == 0 || blob.error().code == Errc::format) forget();
    return blob;
  }

 private:
  std::string status() const { return "pulling " + source_.label; }

  TransferProgress progress() const {
    return {status(), source_.digest ? source_.digest->text() : std::string(),
            total_.value_or(source_.size.value_or(0)), have_};
  }
  Status tell(bool now) { return now ? session_.say(progress()) : session_.say_sometimes(progress()); }

  std::optional<Blob> already_there() {
    if (!source_.digest) return std::nullopt;
    struct stat status = {};
    if (::stat(session_.layout().blob(*source_.digest).c_str(), &status) != 0) return std::nullopt;
    const auto size = static_cast<uint64_t>(status.st_size);
    if (source_.size && *source_.size != size) return std::nullopt;
    have_ = size;
    total_ = size;
    (void)tell(true);
    return Blob{*source_.digest, size};
  }

  Result<Lock> wait_for_lock() {
    const fs::path path = session_.layout().partial() / (key_ + ".lock");
    bool told = false;
    while (true) {
      QUERN_TRY(std::optional<Lock> lock, Lock::try_exclusive(path));
      if (lock) return std::move(*lock);
      TransferProgress waiting = progress();
      waiting.status = "waiting for another download of " + source_.label;
      QUERN_CHECK(told ? session_.say_sometimes(waiting) : session_.say(waiting));
      told = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }

  /// Opens the partial file and takes up what is in it.
  Status take_up() {
    QUERN_TRY(file_, File::open(part_, O_RDWR | O_CREAT));
    QUERN_TRY(const uint64_t size, size_of(file_, part_));
    have_ = 0;
    hasher_ = Hasher();
    validator_.clear();
    if (size == 0) return {};
    if (!may_go_on(size)) return start_over();
    std::string chunk(kChunk, '\0');
    while (true) {
      QUERN_TRY(const size_t n, read_some(file_, part_, chunk.data(), chunk.size()));
      if (n == 0) break;
      hasher_.update(chunk.data(), n);
      have_ += n;
      QUERN_CHECK(tell(false));
    }
    resumed_ = true;
    return {};
  }

  /// With a digest any beginning will do: the end shows whether it was right. Without one, only a beginning that the
  /// server's own mark of the version vouches for, and that no power cut has touched.
  bool may_go_on(uint64_t size) {
    const auto text = read_file(note_, kMaxConfigBytes);
    const auto json = text ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
    if (json.is_object() && json.value("url", nlohmann::json()) == source_.url) {
      const auto etag = json.find("etag");
      if (etag != json.end() && etag->is_string()) validator_ = etag->get<std::string>();
    }
    if (source_.size && size > *source_.size) return false;
    if (source_.digest) return true;
    return is_strong(validator_) && json.is_object() && json.value("boot", nlohmann::json()) == boot_id();
  }

  Status start_over() {
    if (::ftruncate(file_.fd(), 0) != 0 || ::lseek(file_.fd(), 0, SEEK_SET) != 0) {
      return file_error(part_, "cannot write", errno);
    }
    have_ = 0;
    hasher_ = Hasher();
    resumed_ = false;
    validator_.clear();
    return {};
  }

  void forget() {
    ::unlink(part_.c_str());
    ::unlink(note_.c_str());
    ::unlink((session_.layout().partial() / (key_ + ".lock")).c_str());  // held: whoever waits makes a new one
  }

  Result<Blob> transfer() {
    QUERN_CHECK(make_folders(session_.layout().partial()));
    QUERN_CHECK(take_up());
    for (bool again = false;; again = true) {
      QUERN_CHECK(receive());
      auto blob = finish();
      if (blob) return blob;
      // A beginning from an earlier pull may be of another version of the file: once more, from the start.
      const bool was_resumed = resumed_;
      if (blob.error().code != Errc::format || !was_resumed || again) return blob;
      QUERN_CHECK(start_over());
    }
  }

  /// Until all bytes are there.
  Status receive() {
    while (!(source_.size && have_ == *source_.size)) {
      const uint64_t before = have_;
      HttpRequest request{source_.url, {}, source_.bearer};
      if (have_ > 0) {
        request.headers.push_back("Range: bytes=" + std::to_string(have_) + "-");
        if (is_strong(validator_)) request.headers.push_back("If-Range: " + validator_);
      }
      request.on_head = [this](const HttpHead& head) { return begin(head); };
      request.on_data = [this](const char* data, size_t size) { return take(data, size); };
      const HttpResult result = session_.http().get(request);
      if (std::exchange(changed_, false) && ++n_changes_ <= kMaxChanges) {
        QUERN_CHECK(start_over());
        continue;
      }
      if (result.trouble == Trouble::none && result.head.status >= 200 && result.head.status < 300) {
        if (!total_ || have_ == *total_) return {};
        // An answer that ends early without saying so: a proxy's doing. On to the next attempt.
        HttpResult cut = result;
        cut.trouble = Trouble::transient;
        cut.error = {Errc::io, url_ + ": the transfer ended after " + std::to_string(have_) + " of " +
                                   std::to_string(*total_) + " bytes"};
        QUERN_CHECK(session_.before_retry(cut, have_ > before));
        continue;
      }
      if (result.trouble == Trouble::none && result.head.status == 416 && have_ > 0) {
        QUERN_CHECK(start_over());  // the file on the server has become shorter
        continue;
      }
      if (result.trouble == Trouble::none && !is_busy_status(result.head.status)) {
        return status_error(result.head, result.body, advice(result.head.status));
      }
      QUERN_CHECK(session_.before_retry(result, have_ > before));
    }
    return {};
  }

  std::string advice(long status) const {
    if (status == 401 || status == 403) return "the file needs permission; for the Hugging Face Hub set HF_TOKEN";
    if (status == 404 || status == 410) return "there is no such file";
    return {};
  }

  /// A 2xx answer begins: does it go on where we are?
  Status begin(const HttpHead& head) {
    uint64_t first = 0;
    total_.reset();
    if (head.status == 206) {
      const auto range = parse_content_range(head.content_range);
      if (!range) return Error{Errc::format, url_ + ": a part of the file without a valid Content-Range"};
      first = range->first;
      total_ = range->total;
    } else if (head.content_length) {
      total_ = *head.content_length;
    }
    changed_ = first > 0 && !validator_.empty() && !head.etag.empty() && head.etag != validator_;
    if (changed_ || (first != 0 && first != have_)) {
      return Error{Errc::io,
                   url_ + ": the server sent another part than was asked for, or its file changes; try again"};
    }
    if (first == 0 && have_ > 0) QUERN_CHECK(start_over());
    if (const auto known = digest_of_etag(head.linked_etag)) {
      if (!source_.digest) promised_ = known;
      if (!source_.size && head.linked_size) source_.size = head.linked_size;
    }
    if (source_.size && total_ && *total_ != *source_.size) {
      return Error{Errc::format, url_ + ": the server's file has " + std::to_string(*total_) + " bytes, expected " +
                                     std::to_string(*source_.size)};
    }
    if (!total_) total_ = source_.size;
    if (total_) QUERN_CHECK(check_room(session_.layout(), *total_ - std::min(have_, *total_)));
    validator_ = head.etag;
    const nlohmann::ordered_json note = {{"url", source_.url}, {"etag", head.etag}, {"boot", boot_id()}};
    QUERN_CHECK(write_atomically(note_, note.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
    return tell(true);
  }

  Status take(const char* data, size_t size) {
    const uint64_t limit = total_.value_or(kMaxBlobBytes);
    if (size > limit - std::min(limit, have_)) {
      return Error{Errc::format, url_ + ": more than the " + std::to_string(limit) + " bytes that were expected"};
    }
    if (source_.gguf && have_ < kGguf.size()) QUERN_CHECK(check_magic(data, size));
    QUERN_CHECK(write_all(file_, part_, data, size));
    hasher_.update(data, size);
    have_ += size;
    return tell(false);
  }

  Status check_magic(const char* data, size_t size) const {
    for (size_t i = 0; i < size && have_ + i < kGguf.size(); ++i) {
      if (data[i] == kGguf[static_cast<size_t>(have_) + i]) continue;
      return Error{Errc::format, url_ + ": not a GGUF file: it begins with '" +
                                     shown(std::string_view(data, size), 16) +
                                     "'; is the address that of the file itself?"};
    }
    return {};
  }

  /// All bytes are there: are they the right ones? Errc::format if not.
  Result<Blob> finish() {
    if (::fsync(file_.fd()) != 0) return file_error(part_, "cannot write", errno);
    if (source_.gguf && have_ < kGguf.size())
      return Error{Errc::format, url_ + ": not a GGUF file: it has " + std::to_string(have_) + " bytes"};
    const Digest found = hasher_.digest();
    hasher_ = Hasher();
    const auto& expected = source_.digest ? source_.digest : promised_;
    if (expected && found != *expected) {
      return Error{Errc::format, url_ + ": the checksum is wrong: expected " + expected->text() + ", found " +
                                     found.text() +
                                     "; nothing was stored. Try again; if it stays, the server's file is damaged"};
    }
    if (!source_.git_oid.empty()) QUERN_CHECK(check_git_oid());
    const fs::path blob = session_.layout().blob(found);
    QUERN_CHECK(make_folders(blob.parent_path()));
    if (session_.pin() != nullptr && !source_.digest) QUERN_CHECK(session_.pin()->add(session_.layout(), found));
    if (::rename(part_.c_str(), blob.c_str()) != 0) return file_error(blob, "cannot write", errno);
    sync_folder(blob.parent_path());
    file_.close();
    total_ = have_;
    source_.digest = found;
    QUERN_CHECK(tell(true));
    return Blob{found, have_};
  }

  Status check_git_oid() {
    if (::lseek(file_.fd(), 0, SEEK_SET) != 0) return file_error(part_, "cannot read", errno);
    Hasher hasher = Hasher::git_blob(have_);
    std::string chunk(kChunk, '\0');
    while (true) {
      QUERN_TRY(const size_t n, read_some(file_, part_, chunk.data(), chunk.size()));
      if (n == 0) break;
      hasher.update(chunk.data(), n);
    }
    const std::string oid = hasher.hex();
    if (oid == source_.git_oid) return {};
    return Error{Errc::format, url_ + ": the checksum is wrong: expected the git object " + source_.git_oid +
                                   ", found " + oid +
                                   "; nothing was stored. Try again; if it stays, the server's file is damaged"};
  }

  Session& session_;
  BlobSource source_;
  std::string url_;  // for messages: without the query
  std::string key_;
  fs::path part_, note_;
  File file_;
  Hasher hasher_;
  std::string validator_;           // the ETag of what is in the partial file
  std::optional<Digest> promised_;  // by the server, where nothing else tells the digest
  std::optional<uint64_t> total_;
  uint64_t have_ = 0;
  bool resumed_ = false;
  bool changed_ = false;  // the last answer was a part of another version of the file
  int n_changes_ = 0;
};

}  // namespace

Status check_room(const Layout& layout, uint64_t wanted) {
  const auto room = free_bytes(layout.root());
  if (!room || (*room >= kRoomBesides && *room - kRoomBesides >= wanted)) return {};
  return Error{Errc::io, layout.root().string() + ": not enough room on the disk: " + amount(wanted) +
                             " are to come, " + amount(*room) +
                             " are free; make room, or set QUERN_MODELS to a folder on another disk"};
}

Result<Blob> fetch_blob(Session& session, BlobSource source) { return Download(session, std::move(source)).run(); }

}  // namespace quern::store
