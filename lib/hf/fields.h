// The fields of a config.json, and numbers computed from them as arch::HfKey::from says.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/status.h"
#include "lib/io/json.h"

namespace quern::hf {

/// Pieces of a text between separators; one empty piece of an empty text.
std::vector<std::string_view> pieces(std::string_view text, char separator);

class Fields {
 public:
  /// `config` outlives this.
  explicit Fields(io::JsonAt config) : root_(config), text_(config["text_config"]) {}

  /// A path ("rope_parameters.rope_theta"), in the text_config first; absent where neither has it.
  io::JsonAt at(std::string_view path) const;
  std::string_view file() const { return root_.file(); }

  /// The number of the first way all of whose fields are there; nothing where there is none.
  Result<std::optional<double>> number(std::string_view ways) const;
  /// The first path that is there; absent where none is.
  io::JsonAt first(std::string_view paths) const;

 private:
  Result<std::optional<double>> way(std::string_view way) const;
  Result<std::optional<double>> term(std::string_view term) const;

  io::JsonAt root_, text_;
};

}  // namespace quern::hf
