// The store in one process: many threads at once, and uploads.
#include "examples/store/store.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "examples/store/card.h"
#include "examples/store/digest.h"
#include "examples/store/manifest.h"

using namespace quern;
using namespace quern::store;

namespace fs = std::filesystem;

namespace {

const fs::path kDemo = fs::path(QUERN_SOURCE_DIR) / "examples" / "models" / "quern-demo-q8_0.gguf";

struct TemporaryStore {
  fs::path root = fs::temp_directory_path() / ("quern-store-test-" + std::to_string(::getpid()));
  Store store = *Store::open(root);
  ~TemporaryStore() { fs::remove_all(root); }
};

ModelName name(const std::string& text) { return *ModelName::parse(text); }

size_t files_in(const fs::path& folder) {
  size_t n = 0;
  if (fs::is_directory(folder)) {
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder)) ++n;
  }
  return n;
}

}  // namespace

TEST_CASE("threads create, copy, list and remove at once, and nothing is lost or left") {
  TemporaryStore place;
  constexpr int kThreads = 4, kRounds = 6;
  std::vector<std::thread> threads;
  std::vector<std::string> failures(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Store store = place.store;
      const auto fail = [&](const Error& error) { failures[static_cast<size_t>(t)] += error.message + "\n"; };
      for (int round = 0; round < kRounds; ++round) {
        const std::string own = "m" + std::to_string(t);
        CreateSpec spec;
        spec.from = kDemo.string();
        spec.allow_paths = true;
        spec.system = "round " + std::to_string(round % 2);
        if (auto made = store.create(name(own), spec); !made) fail(made.error());
        if (auto copied = store.copy(name(own), name(own + "-copy")); !copied) fail(copied.error());
        if (auto list = store.list(); !list) fail(list.error());
        if (auto removed = store.remove(name(own)); !removed) fail(removed.error());
        // The weights are everybody's: they must be there as long as anybody has a name for them.
        const auto kept = store.find(name(own + "-copy"));
        if (!kept) fail(kept.error());
        if (kept && !fs::exists(kept->path)) fail({Errc::not_found, own + ": the weights are gone"});
        if (auto removed = store.remove(name(own + "-copy")); !removed) fail(removed.error());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& failure : failures) CHECK(failure == "");
  CHECK(place.store.list()->empty());
  CHECK(files_in(place.root / "blobs") == 0);
  CHECK(files_in(place.root / "partial" / "pins") == 0);
  CHECK(files_in(place.root / "partial") == 2);  // pins, and the store's lock
}

TEST_CASE("uploads become blobs only under their own digest") {
  TemporaryStore place;
  const std::string bytes = "hello", digest = digest_of(bytes).text(), other = digest_of("x").text();
  CHECK_FALSE(*place.store.has_blob(digest));
  {
    auto writer = place.store.write_blob(digest);
    REQUIRE(writer.has_value());
    REQUIRE(writer->write(bytes.data(), bytes.size()).has_value());
  }  // given up
  CHECK_FALSE(*place.store.has_blob(digest));
  auto wrong = place.store.write_blob(other);
  REQUIRE(wrong->write(bytes.data(), bytes.size()).has_value());
  const auto refused = wrong->commit();
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::format);
  auto right = place.store.write_blob(digest);
  REQUIRE(right->write(bytes.data(), 2).has_value());
  REQUIRE(right->write(bytes.data() + 2, 3).has_value());
  REQUIRE(right->commit().has_value());
  CHECK(*place.store.has_blob(digest));
  CHECK_FALSE(*place.store.has_blob(other));
  CHECK(place.store.write_blob("sha256:../../x").error().code == Errc::argument);
  CHECK(place.store.has_blob("x").error().code == Errc::argument);
}

TEST_CASE("a model from uploads, field by field, without paths") {
  TemporaryStore place;
  std::ifstream file(kDemo, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  const std::string digest = digest_of(bytes).text();
  auto writer = place.store.write_blob(digest);
  REQUIRE(writer->write(bytes.data(), bytes.size()).has_value());
  REQUIRE(writer->commit().has_value());
  CreateSpec spec;
  spec.files = {{"model.gguf", digest}};
  spec.system = "Be brief.";
  spec.parameters_json = R"({"temperature": 0, "stop": ["x"]})";
  std::vector<std::string> statuses;
  CreateOptions options;
  options.progress = [&](const TransferProgress& progress) {
    statuses.push_back(progress.status);
    return true;
  };
  const auto made = place.store.create(name("up"), spec, options);
  REQUIRE(made.has_value());
  CHECK(made->details.family == "llama");
  CHECK(made->system == "Be brief.");
  CHECK(statuses.back() == "success");
  const auto card = place.store.card(*made);
  REQUIRE(card.has_value());
  CHECK(card->context_length == 512);
  CHECK(card->capabilities == std::vector<std::string>{"completion"});

  // A request can name models, not files of the machine.
  CreateSpec path;
  path.from = kDemo.string();
  const auto refused = place.store.create(name("path"), path);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::argument);
  CreateSpec adapter;
  adapter.from = "up";
  adapter.adapter_paths = {"/etc/passwd"};
  CHECK(place.store.create(name("adapter"), adapter).error().code == Errc::argument);
  CreateSpec unknown;
  unknown.from = "up";
  unknown.parameters_json = R"({"nonsense": 1})";
  CHECK(place.store.create(name("unknown"), unknown).error().message.find("nonsense") != std::string::npos);
  CHECK(place.store.list()->size() == 1);

  // Cancelled: nothing is stored.
  options.progress = [](const TransferProgress&) { return false; };
  CHECK(place.store.create(name("never"), spec, options).error().code == Errc::cancelled);
  CHECK_FALSE(place.store.contains(name("never")));
}

TEST_CASE("a manifest without a configuration, as other programs write it") {
  Manifest manifest;
  manifest.layers.push_back({std::string(kModelType), digest_of("a"), 1});
  const auto again = Manifest::parse(manifest.dump(), "test");
  REQUIRE(again.has_value());
  CHECK(again->config.empty());
  CHECK(again->size_bytes() == 1);
}

TEST_CASE("numbers of parameters as people say them") {
  CHECK(parameter_size_text(999) == "999");
  CHECK(parameter_size_text(100'160) == "100.16K");
  CHECK(parameter_size_text(494'032'768) == "494.03M");
  CHECK(parameter_size_text(1'235'814'432) == "1.2B");
  CHECK(parameter_size_text(7'000'000'000) == "7B");
  CHECK(parameter_size_text(1'000'000'000'000) == "1T");
}
