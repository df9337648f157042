// Files: what can be opened, and that writing leaves the old file or the new one, never a part of one.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/file.h"

using namespace quern;
using base::AtomicFile;
using base::FileBytes;
namespace fs = std::filesystem;

namespace {

/// A folder of its own, removed with all it holds.
struct ScratchFolder {
  std::string path = (fs::temp_directory_path() / "quern_test_XXXXXX").string();
  ScratchFolder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~ScratchFolder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  std::string operator/(const char* name) const { return path + "/" + name; }
  size_t n_files() const { return static_cast<size_t>(std::distance(fs::directory_iterator(path), {})); }
};

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string text_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void put(const std::string& path, std::string_view text) { std::ofstream(path, std::ios::binary) << text; }

std::string open_error(const std::string& path) {
  const auto file = FileBytes::open(path, {});
  return file ? "" : file.error().message;
}

}  // namespace

TEST_CASE("a file's bytes, mapped and read") {
  const ScratchFolder folder;
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += static_cast<char>(i * 31);
  put(folder / "f", text);
  for (const bool use_mmap : {true, false}) {
    auto opened = FileBytes::open(folder / "f", {.use_mmap = use_mmap});
    REQUIRE(opened);
    FileBytes file = std::move(*opened);
    CHECK(file.mapped() == use_mmap);
    CHECK(file.path() == folder / "f");
    const auto equal = [&] { return std::ranges::equal(file.bytes(), bytes_of(text)); };
    CHECK(equal());
    // Released bytes can be read again, whatever part is named: none, odd ends, all, foreign.
    file.release({});
    file.release(file.bytes().subspan(1, 70'000));
    file.release(file.bytes());
    file.release(bytes_of(text));
    CHECK(equal());
  }
}

TEST_CASE("moves hand the bytes over") {
  const ScratchFolder folder;
  put(folder / "a", "first");
  put(folder / "b", "second");
  FileBytes a = FileBytes::open(folder / "a", {}).value(), b = FileBytes::open(folder / "b", {}).value();
  a = std::move(b);
  CHECK(std::ranges::equal(a.bytes(), bytes_of("second")));
  const FileBytes c = std::move(a);
  CHECK(std::ranges::equal(c.bytes(), bytes_of("second")));
}

TEST_CASE("an empty file has no bytes") {
  const ScratchFolder folder;
  put(folder / "empty", "");
  for (const bool use_mmap : {true, false})
    CHECK(FileBytes::open(folder / "empty", {use_mmap}).value().bytes().empty());
}

TEST_CASE("what is not a regular file is refused without waiting") {
  const ScratchFolder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  fs::create_symlink("loop", folder / "loop");
  CHECK(open_error(folder / "pipe") == (folder / "pipe") + ": expected a regular file, found a named pipe");
  CHECK(open_error(folder.path) == folder.path + ": expected a regular file, found a directory");
  CHECK(open_error("/dev/zero") == "/dev/zero: expected a regular file, found a device");
  CHECK(open_error(folder / "loop").find("cannot open") != std::string::npos);
  CHECK(open_error("") == "the file name is empty");
  CHECK(open_error(std::string("f\0g", 3)) == "the file name 'f' goes on after a NUL character");
  CHECK(FileBytes::open(folder / "absent", {}).error().code == Errc::not_found);
}

TEST_CASE("a committed file replaces the old one, an abandoned one leaves nothing") {
  const ScratchFolder folder;
  const std::string path = folder / "f";
  put(path, "old");
  {
    auto file = AtomicFile::create(path).value();
    CHECK(file.write(bytes_of("half of the n")));
    CHECK(file.position() == 13);
  }
  CHECK(text_of(path) == "old");
  CHECK(folder.n_files() == 1);

  auto file = AtomicFile::create(path).value();
  CHECK(file.write(bytes_of("the new ")));
  AtomicFile moved = std::move(file);
  CHECK(moved.write(bytes_of("text")));
  CHECK(text_of(path) == "old");
  CHECK(moved.commit());
  CHECK(text_of(path) == "the new text");
  CHECK(folder.n_files() == 1);
  CHECK(moved.commit().error().code == Errc::argument);
  CHECK(moved.write(bytes_of("x")).error().code == Errc::argument);
}

TEST_CASE("two writers of one file do not meet; assignment abandons") {
  const ScratchFolder folder;
  auto first = AtomicFile::create(folder / "f").value();
  auto second = AtomicFile::create(folder / "f").value();
  CHECK(folder.n_files() == 2);
  CHECK(first.write(bytes_of("1")));
  CHECK(second.write(bytes_of("2")));
  CHECK(second.commit());
  CHECK(first.commit());
  CHECK(text_of(folder / "f") == "1");
  auto third = AtomicFile::create(folder / "g").value();
  third = AtomicFile::create(folder / "h").value();
  CHECK(folder.n_files() == 2);
}

TEST_CASE("the longest legal name can be written") {
  const ScratchFolder folder;
  const std::string name(255, 'n');
  auto file = AtomicFile::create(folder / name.c_str()).value();
  CHECK(file.commit());
  CHECK(fs::exists(folder / name.c_str()));
}

TEST_CASE("devices and folders are not replaced, links keep pointing") {
  const ScratchFolder folder;
  CHECK(AtomicFile::create("/dev/null").error().message == "/dev/null: cannot write: it is a device");
  CHECK(AtomicFile::create(folder.path).error().message == folder.path + ": cannot write: it is a directory");
  CHECK(AtomicFile::create(folder / "no/such/folder/f").error().code == Errc::not_found);
  put(folder / "target", "old");
  fs::create_symlink("target", folder / "link");
  auto file = AtomicFile::create(folder / "link").value();
  CHECK(file.write(bytes_of("new")));
  CHECK(file.commit());
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(text_of(folder / "target") == "new");
}
