#include <cmath>
#include <thread>

#include "lib/engine/cores.h"
#include "tests/engine/demo.h"

using namespace quern;
using namespace quern::testing;

TEST_CASE("runtimes") {
  CHECK(runtime(1).n_threads() == 1);
  CHECK(runtime(3).n_threads() == 3);
  CHECK(runtime(0).n_threads() >= 1);
  CHECK(runtime(1).description().rfind("cpu (", 0) == 0);
  CHECK(runtime(0, "reference").n_threads() == 1);
  RuntimeOptions unknown;
  unknown.backend = "quantum";
  const auto refused = Runtime::create(unknown);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::argument);
  CHECK(refused.error().message.find("quantum") != std::string::npos);
}

#if defined(__linux__)
TEST_CASE("runtimes bound to processors") {
  const int here = engine::allowed_processors().at(0);
  RuntimeOptions options;
  options.processors = {here};
  CHECK(Runtime::create(options).value().n_threads() == 1);
  options.n_threads = 3;  // all on one processor
  CHECK(Runtime::create(options).value().n_threads() == 3);
  options.pin_threads = true;
  const auto crowded = Runtime::create(options);
  REQUIRE_FALSE(crowded);
  CHECK(crowded.error().code == Errc::argument);
  for (const auto& wrong : {std::vector{-1}, std::vector{here, here}, std::vector{1 << 20}}) {
    options.processors = wrong;
    const auto refused = Runtime::create(options);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::argument);
  }
  options.n_threads = 0;
  options.processors = {};
  const Runtime pinned = Runtime::create(options).value();  // the library's choice
  CHECK(pinned.n_threads() >= 1);
  std::thread caller([&] {
    CHECK(pinned.bind_this_thread());
    CHECK(engine::allowed_processors().size() == 1);
  });
  caller.join();
  CHECK(engine::allowed_processors().at(0) == here);  // this thread was left alone
}
#endif

TEST_CASE("read bandwidth") {
  for (const char* backend : {"cpu", "reference"}) {
    const auto measured = runtime(2, backend).measure_read_bandwidth(4 << 20);
    REQUIRE(measured);
    CHECK(*measured > 1e6);
  }
  CHECK_FALSE(runtime(1).measure_read_bandwidth(0));
}

TEST_CASE("what a model is") {
  const ModelInfo& info = demo().info();
  CHECK(info.architecture == "llama");
  CHECK(info.n_parameters == 6819072);
  CHECK(info.file_type == "Q8_0");
  CHECK(info.n_vocab == 4096);
  CHECK(info.n_embd == 256);
  CHECK(info.n_layer == 6);
  CHECK(info.n_head == 8);
  CHECK(info.n_head_kv == 4);
  CHECK(info.n_ff == 768);
  CHECK(info.n_ctx_train == 512);
  CHECK(demo().metadata("general.architecture") == "llama");
  CHECK_FALSE(demo().metadata("no.such.key").has_value());
  const auto tokens = demo().metadata("tokenizer.ggml.tokens");
  REQUIRE(tokens);
  CHECK(tokens->find("... (4096)") != std::string::npos);
  uint64_t sum = 0;
  for (const auto& tensor : demo().tensors()) sum += tensor.size_bytes;
  CHECK(sum == info.size_bytes);
}

TEST_CASE("opening tells its progress and can be stopped") {
  ModelOptions options;
  options.runtime = runtime(1);
  uint64_t last = 0;
  options.progress = [&](const Progress& progress) {
    CHECK(progress.stage == "load");
    CHECK(progress.done >= last);
    last = progress.done;
    return true;
  };
  REQUIRE(Model::open(kDemoPath, options));
  CHECK(last > 1000000);
  options.progress = [](const Progress&) { return false; };
  auto stopped = Model::open(kDemoPath, options);
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().code == Errc::cancelled);
  auto missing = Model::open("/no/such/file.gguf", options);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message.find("/no/such/file.gguf") != std::string::npos);
}

TEST_CASE("a tokenizer, a context and a copy outlive the model they come from") {
  Tokenizer tokenizer = demo().tokenizer();
  std::optional<Context> context;
  {
    const Model model = open_demo(runtime(1));
    tokenizer = model.tokenizer();
    context.emplace(Context::create(model).value());
  }
  const auto tokens = tokenizer.tokenize("Hello world");
  CHECK(tokenizer.detokenize(tokens) == "Hello world");
  CHECK(context->append(tokens));
  CHECK(context->last_logits().size() == 4096);
}

TEST_CASE("a vocabulary alone makes no context") {
  const Model model = open_demo(runtime(1), true);
  CHECK(model.tokenizer().tokenize("Hello world").size() > 1);
  const auto context = Context::create(model);
  REQUIRE_FALSE(context);
  CHECK(context.error().code == Errc::argument);
}

TEST_CASE("a text stream never ends inside a character") {
  const Tokenizer& tokenizer = demo().tokenizer();
  const std::string text = "na\xC3\xAFve \xE2\x82\xAC \xF0\x9F\x98\x80 end";
  TextStream stream(tokenizer);
  std::string out;
  for (const Token token : tokenizer.tokenize(text, {false, false})) {
    const std::string piece = stream.push(token);
    if (!piece.empty()) CHECK((static_cast<unsigned char>(piece[0]) & 0xC0) != 0x80);
    out += piece;
  }
  out += stream.finish();
  CHECK(out == " " + text);  // the space that this family puts before a text
}
