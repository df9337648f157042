#include "examples/cli/files.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

namespace quern::cli {

namespace {

Error file_error(const std::string& path, const char* what) {
  return {errno == ENOENT ? Errc::not_found : Errc::io, path + ": " + what + ": " + std::strerror(errno)};
}

}  // namespace

Result<std::string> read_text(const std::string& path) {
  const bool from_stdin = path == "-";
  const std::string name = from_stdin ? "standard input" : path;
  std::FILE* file = from_stdin ? stdin : std::fopen(path.c_str(), "rb");
  if (file == nullptr) return file_error(name, "cannot open");
  std::string out;
  char chunk[1 << 16];
  size_t n = 0;
  errno = 0;
  while ((n = std::fread(chunk, 1, sizeof chunk, file)) > 0) out.append(chunk, n);
  const bool failed = std::ferror(file) != 0;
  const Error error = failed ? file_error(name, "cannot read") : Error{};
  if (!from_stdin) std::fclose(file);
  if (failed) return error;
  return out;
}

Result<std::vector<Token>> read_tokens(const std::string& path) {
  auto text = read_text(path);
  if (!text) return text.error();
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  if (!json.is_array()) return Error{Errc::format, path + ": expected a JSON array of token ids"};
  std::vector<Token> out;
  for (const auto& entry : json) {
    if (!entry.is_number_integer() || entry < 0 || entry > 0x7FFFFFFF) {
      return Error{Errc::format,
                   path + ": entry " + std::to_string(out.size()) + ": expected a token id, found " + entry.dump()};
    }
    out.push_back(entry.get<Token>());
  }
  return out;
}

Result<OutputFile> OutputFile::create(const std::string& path) {
  OutputFile out;
  out.path_ = path;
  out.temporary_ = path + ".tmp-" + std::to_string(getpid());
  out.file_ = std::fopen(out.temporary_.c_str(), "wbx");
  if (out.file_ == nullptr) return file_error(out.temporary_, "cannot create");
  return out;
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      file_(std::exchange(other.file_, nullptr)) {}

OutputFile::~OutputFile() {
  if (file_ == nullptr) return;
  std::fclose(file_);
  std::remove(temporary_.c_str());
}

Error OutputFile::failure(const char* what) const { return file_error(temporary_, what); }

Status OutputFile::write(const void* data, size_t size) {
  if (std::fwrite(data, 1, size, file_) != size) return failure("cannot write");
  return {};
}

Status OutputFile::commit() {
  if (std::fflush(file_) != 0 || fsync(fileno(file_)) != 0) return failure("cannot write");
  const int closed = std::fclose(std::exchange(file_, nullptr));
  if (closed != 0 || std::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const Error error = file_error(path_, "cannot write");
    std::remove(temporary_.c_str());
    return error;
  }
  return {};
}

std::string npy_header(size_t rows, size_t cols) {
  std::string dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " +
                     std::to_string(cols) + "), }";
  // Magic, version and length take 10 bytes; the whole head is a multiple of 64 and ends with a newline.
  dict.append(63 - (10 + dict.size()) % 64, ' ');
  dict += '\n';
  std::string out = "\x93NUMPY";
  out += '\x01';
  out += '\0';
  out += static_cast<char>(dict.size() & 0xFF);
  out += static_cast<char>(dict.size() >> 8);
  return out + dict;
}

}  // namespace quern::cli
