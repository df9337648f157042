// SHA-256, the name of every blob; and the object names of git, by which the Hugging Face Hub tells small files apart.
#pragma once

#include <quern/result.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace quern::store {

/// "sha256:" and 64 hexadecimal digits, in lower case. The only way to have one is parse() or a Hasher.
class Digest {
 public:
  /// "sha256:<hex>" or "sha256-<hex>". Errc::argument for anything else.
  static Result<Digest> parse(std::string_view text);
  const std::string& hex() const { return hex_; }
  std::string text() const { return "sha256:" + hex_; }
  std::string file_name() const { return "sha256-" + hex_; }
  auto operator<=>(const Digest&) const = default;

 private:
  friend class Hasher;
  explicit Digest(std::string hex) : hex_(std::move(hex)) {}
  std::string hex_;
};

/// A running SHA-256, or the SHA-1 of a git blob of known size.
class Hasher {
 public:
  Hasher();
  /// The object name of a git blob: SHA-1 over "blob <size>", NUL and the bytes.
  static Hasher git_blob(uint64_t size);
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  ~Hasher();

  void update(const void* data, size_t size);
  /// Ends a SHA-256.
  Digest digest();
  /// Ends either kind.
  std::string hex();

 private:
  struct Impl;
  explicit Hasher(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Of a short text.
Digest digest_of(std::string_view bytes);

}  // namespace quern::store
