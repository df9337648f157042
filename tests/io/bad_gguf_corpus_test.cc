// The corpus of malformed model files, seen by this room alone: nothing may crash, and what is wrong in the container
// must be refused. Off unless the environment variable QUERN_BAD_GGUF_DIR names a folder made by
//   python3 tests/data/badgguf/make_bad_gguf.py FOLDER --flips 2000
#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "lib/io/reader.h"

using namespace quern;
using namespace quern::io;

namespace {

struct Case {
  std::string name, category, expect;
};

std::vector<Case> read_manifest(const std::string& folder) {
  std::ifstream in(folder + "/manifest.tsv");
  std::vector<Case> out;
  std::string line;
  std::getline(in, line);  // the names of the columns
  while (std::getline(in, line)) {
    const size_t first = line.find('\t'), second = line.find('\t', first + 1), third = line.find('\t', second + 1);
    REQUIRE(third != std::string::npos);
    out.push_back({line.substr(0, first), line.substr(first + 1, second - first - 1),
                   line.substr(second + 1, third - second - 1)});
  }
  return out;
}

/// Well-formed containers whose contents make no model: for the rooms above to refuse.
bool is_above_the_container(const Case& c) {
  static const std::set<std::string> kNames = {
      // A tensor fewer, none at all, or one by another name: which ones are needed only an architecture knows.
      "hdr_n_tensors_minus1", "hdr_n_tensors_zero", "ti_none", "ti_name_fmt",
      // A shape of the same size, or a type of the same width, as the right one.
      "ti_dims_3d2", "ti_dims_4d", "ti_dims_1d", "ti_type_1a"};
  const auto begins = [&](const char* prefix) { return c.name.rfind(prefix, 0) == 0; };
  return kNames.count(c.name) != 0 || c.category == "hparams" || c.category == "tokenizer" || begins("arch_") ||
         begins("ti_missing_");
}

/// Touches all that a reader gives out: under a sanitizer, a view that leaves the file shows.
uint64_t touch(const ModelFile& model) {
  uint64_t sum = 0;
  for (const auto& entry : model.meta.entries()) sum += entry.key.size() + entry.value.index();
  for (const auto& entry : model.tensors.entries()) {
    const uint64_t size = entry.view.size_bytes();
    for (uint64_t i = 0; i < size; i += 61) sum += static_cast<uint8_t>(entry.view.data[i]);
    sum += static_cast<uint8_t>(entry.view.data[size - 1]);
  }
  return sum;
}

struct Tally {
  int refused = 0, opened = 0, missed = 0;
  double slowest_ms = 0;
};

}  // namespace

TEST_CASE("malformed files never crash, and malformed containers are refused") {
  const char* folder = std::getenv("QUERN_BAD_GGUF_DIR");
  if (folder == nullptr) {
    MESSAGE("QUERN_BAD_GGUF_DIR is not set: skipped");
    return;
  }
  const auto cases = read_manifest(folder);
  REQUIRE(cases.size() > 1000);
  std::map<std::string, Tally> table;
  for (const Case& c : cases) {
    const std::string path = cat(folder, "/", c.name, ".gguf");
    const auto start = std::chrono::steady_clock::now();
    const auto mapped = open_model_file(path);
    const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
    const auto read = open_model_file(path, {.use_mmap = false});
    CHECK_MESSAGE(mapped.has_value() == read.has_value(), c.name);
    if (mapped)
      CHECK(touch(*mapped) == touch(*read));
    else
      CHECK_MESSAGE(mapped.error().message.rfind(path, 0) == 0, mapped.error().message);

    Tally& tally = table[c.category];
    tally.slowest_ms = std::max(tally.slowest_ms, elapsed.count());
    ++(mapped ? tally.opened : tally.refused);
    if (c.expect == "accept") CHECK_MESSAGE(mapped.has_value(), c.name, ": ", mapped ? "" : mapped.error().message);
    if (c.expect == "reject" && mapped && !is_above_the_container(c)) {
      ++tally.missed;
      FAIL_CHECK("opened: " << c.name);
    }
    CHECK_MESSAGE(elapsed.count() < 5000, c.name);
  }
  std::string report = "category: refused, opened, opened against the manifest, slowest ms\n";
  for (const auto& [category, tally] : table)
    report += cat(category, ": ", tally.refused, ", ", tally.opened, ", ", tally.missed, ", ", tally.slowest_ms, "\n");
  MESSAGE(report);
}
