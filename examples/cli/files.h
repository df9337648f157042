// Files of the command line: texts, token lists, and outputs that are written beside and renamed when whole.
#pragma once

#include <quern/result.h>
#include <quern/tokenizer.h>

#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern::cli {

/// All of a file, or of stdin for "-".
Result<std::string> read_text(const std::string& path);

/// A JSON array of token ids.
Result<std::vector<Token>> read_tokens(const std::string& path);

/// Writes to PATH.tmp-<pid>, which commit() renames to PATH. Without commit() nothing remains.
class OutputFile {
 public:
  static Result<OutputFile> create(const std::string& path);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();
  Status write(const void* data, size_t size);
  Status commit();

 private:
  OutputFile() = default;
  Error failure(const char* what) const;
  std::string path_, temporary_;
  std::FILE* file_ = nullptr;
};

/// The head of a NumPy file of little-endian float32 [rows, cols], version 1.0:
/// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
std::string npy_header(size_t rows, size_t cols);

}  // namespace quern::cli
