// Names, digests, header fields, and the choice among a repository's files.
#include <doctest/doctest.h>

#include "examples/store/digest.h"
#include "examples/store/http.h"
#include "examples/store/hub.h"
#include "examples/store/manifest.h"
#include "examples/store/name.h"

using namespace quern;
using namespace quern::store;

TEST_CASE("names have four parts, and go back to the shortest text") {
  const auto full = [](const char* text) { return ModelName::parse(text)->full(); };
  CHECK(full("llama3.2") == "registry.ollama.ai/library/llama3.2:latest");
  CHECK(full("user/m:8b") == "registry.ollama.ai/user/m:8b");
  CHECK(full("host.example/user/m") == "host.example/user/m:latest");
  CHECK(full("localhost:5000/user/m:t") == "localhost:5000/user/m:t");
  CHECK(full("hf:user/repo:Q4_K_M") == "hf.co/user/repo:Q4_K_M");
  CHECK(full("huggingface.co/user/repo") == "huggingface.co/user/repo:latest");
  CHECK(ModelName::parse("hf.co/user/repo")->on_hub());
  CHECK(ModelName::parse("huggingface.co/user/repo")->on_hub());
  CHECK_FALSE(ModelName::parse("user/repo")->on_hub());
  CHECK(ModelName::parse("a/b")->relative_path() == "registry.ollama.ai/a/b/latest");
}

TEST_CASE("a URL's model is named after it, and two URLs never share a name by accident") {
  const auto name = [](const char* url) { return Reference::parse(url)->name.text(); };
  CHECK(name("https://example.com/files/tiny-Q4_K_M.gguf") == "example.com/files/tiny-Q4_K_M:latest");
  CHECK(name("HTTPS://example.com/tiny.GGUF") == "example.com/url/tiny:latest");
  CHECK(name("https://example.com/a/b/tiny.gguf") != name("https://example.com/a-b/tiny.gguf"));
  CHECK(name("https://example.com/a/tiny.gguf?v=1") != name("https://example.com/a/tiny.gguf?v=2"));
  CHECK(name("https://example.com/a/%2e%2e/tiny.gguf").find("..") == std::string::npos);
  CHECK(Reference::parse("HTTPS://example.com/tiny.gguf")->url == "https://example.com/tiny.gguf");
  CHECK(Reference::parse("llama3.2")->url.empty());
  const std::string with_nul("https://example.com/a\0.gguf", 27);
  CHECK_FALSE(Reference::parse(with_nul).has_value());
  CHECK_FALSE(ModelName::parse(std::string("a\0b", 3)).has_value());
}

TEST_CASE("SHA-256 and git objects") {
  // FIPS 180-2, appendix B.
  CHECK(digest_of("abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(digest_of("").hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  // echo hello | git hash-object --stdin
  Hasher git = Hasher::git_blob(6);
  git.update("hello\n", 6);
  CHECK(git.hex() == "ce013625030ba8dba906f756967f9e9ca394464a");
  const std::string hex(64, 'A');
  CHECK(Digest::parse("sha256-" + hex)->text() == "sha256:" + std::string(64, 'a'));
  for (const std::string& bad : {std::string("sha256:") + std::string(63, 'a'), "sha512:" + hex, "sha256:" + hex + "0",
                                 hex, "sha256:" + std::string(60, 'a') + "/../", std::string()}) {
    CAPTURE(bad);
    CHECK_FALSE(Digest::parse(bad).has_value());
  }
}

TEST_CASE("header fields") {
  const auto challenge =
      parse_challenge("bearer realm=\"https://x/token\", service=\"a,b\",scope=\"repository:l/m:pull\"");
  REQUIRE(challenge.has_value());
  CHECK(challenge->realm == "https://x/token");
  CHECK(challenge->service == "a,b");
  CHECK(challenge->scope == "repository:l/m:pull");
  CHECK_FALSE(parse_challenge("Basic realm=\"x\"").has_value());
  CHECK_FALSE(parse_challenge("Bearer service=\"x\"").has_value());

  CHECK(next_link("<https://a/1>; rel=\"prev\", <https://a/3>; rel=\"next\"") == "https://a/3");
  CHECK(next_link("<https://a/1>; rel=\"prev\"").empty());
  CHECK(next_link("<https://a/1; rel=next").empty());

  const auto range = parse_content_range("bytes 5-9/10");
  REQUIRE(range.has_value());
  CHECK((range->first == 5 && range->last == 9 && range->total == 10u));
  CHECK_FALSE(parse_content_range("bytes 5-9/*")->total.has_value());
  for (const char* bad : {"bytes */10", "bytes 9-5/10", "bytes 5-9/9", "5-9/10", "bytes 5-/10", "bytes -5-9/10",
                          "bytes +5-9/10", "bytes 5-99999999999999999999/*"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_content_range(bad).has_value());
  }
}

TEST_CASE("origins and this machine") {
  CHECK(origin_of("https://Example.com/a?b") == "https://example.com:443");
  CHECK(origin_of("https://example.com:443/") == origin_of("https://example.com"));
  CHECK(origin_of("http://example.com") != origin_of("https://example.com"));
  CHECK(origin_of("file:///etc/passwd").empty());
  CHECK(origin_of("gopher://x").empty());
  for (const char* url : {"http://localhost/x", "http://127.0.0.1:80/", "http://127.1.2.3", "http://[::1]:8/x"}) {
    CAPTURE(url);
    CHECK(is_loopback(url));
  }
  for (const char* url :
       {"http://127.example.com/", "http://localhost.example/", "http://10.0.0.1/", "http://1.127.0.0.1/",
        "http://127.0.0.1.example.com", "http://user@example.com", "http://[::2]"}) {
    CAPTURE(url);
    CHECK_FALSE(is_loopback(url));
  }
}

namespace {

std::vector<HubFile> files_named(std::initializer_list<const char*> names) {
  std::vector<HubFile> out;
  for (const char* name : names) out.push_back({name, 1, {}, {}});
  return out;
}

std::string chosen(const std::vector<HubFile>& files, const char* tag) {
  const auto indexes = choose_files(files, tag, "hf:u/r");
  if (!indexes) return "error";
  std::string out;
  for (const size_t i : *indexes) out += (out.empty() ? "" : " ") + files[i].path;
  return out;
}

}  // namespace

TEST_CASE("which file a tag means") {
  // Names as repositories of GGUF files have them.
  const auto files = files_named({"README.md", "Qwen3-8B-BF16-00001-of-00002.gguf", "Qwen3-8B-BF16-00002-of-00002.gguf",
                                  "Qwen3-8B-IQ4_XS.gguf", "Qwen3-8B-Q4_0.gguf", "Qwen3-8B-Q4_K_M.gguf",
                                  "Qwen3-8B-Q4_K_S.gguf", "Qwen3-8B-UD-Q4_K_XL.gguf",
                                  "Q8_0/Qwen3-8B-00001-of-00001.gguf", "mmproj-F16.gguf", "imatrix_unsloth.gguf"});
  CHECK(chosen(files, "latest") == "Qwen3-8B-Q4_K_M.gguf");
  CHECK(chosen(files, "q4_k_s") == "Qwen3-8B-Q4_K_S.gguf");
  CHECK(chosen(files, "Q4_K_XL") == "Qwen3-8B-UD-Q4_K_XL.gguf");
  CHECK(chosen(files, "UD-Q4_K_XL") == "Qwen3-8B-UD-Q4_K_XL.gguf");
  CHECK(chosen(files, "BF16") == "Qwen3-8B-BF16-00001-of-00002.gguf Qwen3-8B-BF16-00002-of-00002.gguf");
  CHECK(chosen(files, "Q8_0") == "Q8_0/Qwen3-8B-00001-of-00001.gguf");
  CHECK(chosen(files, "Qwen3-8B-Q4_0.gguf") == "Qwen3-8B-Q4_0.gguf");
  CHECK(chosen(files, "Qwen3-8B-IQ4_XS") == "Qwen3-8B-IQ4_XS.gguf");
  CHECK(chosen(files, "Q4_K") == "error");
  CHECK(chosen(files, "F16") == "error");
  CHECK(chosen(files, "Q2_K") == "error");
  CHECK(chosen(files_named({"b-Q8_0.gguf", "a-Q5_0.gguf"}), "latest") == "a-Q5_0.gguf");
  CHECK(chosen(files_named({"a-00001-of-00003.gguf", "a-00003-of-00003.gguf"}), "latest") == "error");
  CHECK(chosen(files_named({"README.md"}), "latest") == "error");
  const auto folder = files_named({"config.json", "model.safetensors", "consolidated.safetensors", "tokenizer.json",
                                   "x.bin", "onnx/model.safetensors", ".gitattributes", "chat_template.jinja"});
  CHECK(chosen(folder, "latest") == "config.json model.safetensors tokenizer.json chat_template.jinja");
  CHECK(chosen(folder, "Q4_K_M") == "error");
}

TEST_CASE("parts of split models") {
  const auto split = parse_split_name("folder/model-00002-of-00011.gguf");
  REQUIRE(split.has_value());
  CHECK((split->stem == "folder/model" && split->number == 2 && split->count == 11));
  for (const char* bad :
       {"model.gguf", "-00001-of-00002.gguf", "m-00000-of-00002.gguf", "m-00003-of-00002.gguf", "m-0001-of-0002.gguf",
        "m-00001-of-00002.bin", "m-0000a-of-00002.gguf", "m-00001-of-99999.gguf"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_split_name(bad).has_value());
  }
}
