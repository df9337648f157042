// Reading the files of rendered templates: a list of {template_id, template_text, renders}, where renders maps the name
// of a context to {"text": ...}, {"raise_exception": ...} or {"error": ...}. tests/data/chat/README.md says where they
// are from.
#pragma once

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lib/chat/json.h"
#include "lib/chat/template.h"

namespace quern::chat::testing {

using Json = nlohmann::ordered_json;

inline std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE_MESSAGE(in.good(), "cannot read " << path);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline Json read_json(const std::string& path) { return Json::parse(read_text(path)); }

/// The clock that the reference was made with.
inline RenderOptions reference_options() {
  RenderOptions options;
  options.now = LocalTime{2025, 7, 10, 12, 0, 0};
  return options;
}

inline Result<std::string> render_source(const std::string& source, const std::string& variables,
                                         const WhitespaceOptions& whitespace = {}) {
  QUERN_TRY(const Template compiled, Template::compile(source, whitespace));
  QUERN_TRY(const Value values, parse_json(variables));
  return compiled.render(values, reference_options());
}

/// Passes and failures of one file.
struct Tally {
  explicit Tally(std::string name) : file(std::move(name)) {}
  std::string file;
  size_t passed = 0, total = 0;
  std::vector<std::string> failures;

  void count(bool pass, const std::string& what) {
    ++total;
    passed += pass;
    if (!pass) failures.push_back(what);
  }
  /// Prints the count and the first failures, and fails below `level` passes.
  void report(size_t level) const {
    std::string text = file + ": " + std::to_string(passed) + " of " + std::to_string(total);
    for (size_t i = 0; i < failures.size() && i < 5; ++i) text += "\n    " + failures[i];
    MESSAGE(text);
    CHECK_MESSAGE(passed >= level, file << ": passed " << passed << ", expected at least " << level);
    CHECK(total > 0);
  }
};

inline std::string difference(const std::string& expected, const Result<std::string>& found) {
  if (!found) return "error: " + found.error().message.substr(0, 200);
  size_t at = 0;
  while (at < expected.size() && at < found->size() && expected[at] == (*found)[at]) ++at;
  const size_t from = at < 30 ? 0 : at - 30;
  return "at byte " + std::to_string(at) + ": expected " +
         Json(expected.substr(from, 70)).dump(-1, ' ', false, Json::error_handler_t::replace) + ", found " +
         Json(found->substr(from, 70)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Whether an outcome is the expected text, or the expected refusal.
inline void check_outcome(Tally& tally, const std::string& name, const Json& expected,
                          const Result<std::string>& found) {
  if (expected.contains("text")) {
    const std::string text = expected["text"];
    tally.count(found.has_value() && *found == text, name + ": " + difference(text, found));
  } else if (expected.contains("raise_exception")) {
    const std::string text = expected["raise_exception"];
    const bool same = !found && found.error().code == Errc::argument && found.error().message.ends_with(text);
    tally.count(same, name + ": expected the refusal \"" + text + "\", found " +
                          (found ? "a text" : "error: " + found.error().message.substr(0, 200)));
  }
}

/// All renders of a file. `texts` has templates that the file names but does not hold.
inline Tally run_rendered(const std::string& file, const std::string& contexts_file, const std::string& texts) {
  Tally tally{file};
  const Json contexts = read_json(contexts_file)["contexts"];
  for (const Json& entry : read_json(file)) {
    const std::string id = entry["template_id"];
    const std::string source =
        entry["template_text"].is_string() ? entry["template_text"].get<std::string>() : read_text(texts + "/" + id);
    const auto compiled = Template::compile(source);
    for (const auto& [context, expected] : entry["renders"].items()) {
      if (expected.contains("error")) continue;
      const auto values = parse_json(contexts[context].dump());
      REQUIRE(values.has_value());
      const Result<std::string> found =
          compiled ? compiled->render(*values, reference_options()) : Result<std::string>(compiled.error());
      check_outcome(tally, id + " / " + context, expected, found);
    }
  }
  return tally;
}

}  // namespace quern::chat::testing
