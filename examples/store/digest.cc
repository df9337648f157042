#include "examples/store/digest.h"

#include <openssl/evp.h>

#include <utility>

#include "examples/store/text.h"

namespace quern::store {
namespace {

constexpr size_t kHexDigits = 64;

bool is_hex(char c) { return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'f'); }

}  // namespace

Result<Digest> Digest::parse(std::string_view text) {
  constexpr std::string_view kPrefix = "sha256";
  const bool form = text.size() == kPrefix.size() + 1 + kHexDigits && text.substr(0, kPrefix.size()) == kPrefix &&
                    (text[kPrefix.size()] == ':' || text[kPrefix.size()] == '-');
  const std::string_view hex = form ? text.substr(kPrefix.size() + 1) : std::string_view();
  bool good = form;
  for (const char c : hex) good = good && is_hex(c);
  if (!good) {
    return Error{Errc::argument, "digest '" + shown(text) + "': expected sha256: and 64 hexadecimal digits"};
  }
  return Digest(lower(hex));
}

struct Hasher::Impl {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { EVP_MD_CTX_free(context); }
};

Hasher::Hasher() : impl_(std::make_unique<Impl>()) { EVP_DigestInit_ex(impl_->context, EVP_sha256(), nullptr); }
Hasher::Hasher(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

Hasher Hasher::git_blob(uint64_t size) {
  Hasher out(std::make_unique<Impl>());
  EVP_DigestInit_ex(out.impl_->context, EVP_sha1(), nullptr);
  const std::string head = "blob " + std::to_string(size);
  out.update(head.c_str(), head.size() + 1);
  return out;
}

void Hasher::update(const void* data, size_t size) { EVP_DigestUpdate(impl_->context, data, size); }

std::string Hasher::hex() {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_DigestFinal_ex(impl_->context, bytes, &size);
  std::string out;
  for (unsigned int i = 0; i < size; ++i) {
    out += "0123456789abcdef"[bytes[i] >> 4];
    out += "0123456789abcdef"[bytes[i] & 15];
  }
  return out;
}

Digest Hasher::digest() { return Digest(hex()); }

Digest digest_of(std::string_view bytes) {
  Hasher hasher;
  hasher.update(bytes.data(), bytes.size());
  return hasher.digest();
}

}  // namespace quern::store
