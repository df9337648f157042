#include "lib/hf/linears.h"

#include <optional>
#include <string_view>

#include "lib/hf/matrix.h"

namespace quern::hf {
namespace {

using arch::HfForm;
using arch::HfTensor;

/// The number that stands in `name` for the first "{}" of the pattern; nullopt where the name is another one.
std::optional<std::string> first_number(std::string_view name, std::string_view pattern) {
  std::optional<std::string> first;
  for (size_t hole = pattern.find("{}"); hole != std::string_view::npos; hole = pattern.find("{}")) {
    if (!name.starts_with(pattern.substr(0, hole))) return std::nullopt;
    name.remove_prefix(hole);
    pattern.remove_prefix(hole + 2);
    size_t digits = 0;
    while (digits < name.size() && name[digits] >= '0' && name[digits] <= '9') ++digits;
    if (digits == 0) return std::nullopt;
    if (!first) first = name.substr(0, digits);
    name.remove_prefix(digits);
  }
  return name == pattern ? first : std::nullopt;
}

std::optional<LinearModule> module_of(std::string_view name, const arch::HfArch& table) {
  for (const HfTensor& tensor : table.tensors) {
    const bool matrix = tensor.form == HfForm::linear || tensor.form == HfForm::exact;
    if (!matrix || tensor.shape != arch::HfShape::as_is) continue;
    for (const std::string_view prefix : table.prefixes) {
      const auto layer = first_number(name, cat(prefix, table.layers, tensor.source));
      if (!layer) continue;
      const std::string_view pattern = tensor.name;
      const size_t hole = pattern.find("{}");
      if (hole == std::string_view::npos) continue;
      return LinearModule{std::string(name), cat(pattern.substr(0, hole), *layer, pattern.substr(hole + 2), ".weight"),
                          tensor.form == HfForm::exact};
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<LinearModule> linear_modules(const Checkpoint& checkpoint, const arch::HfArch& table) {
  constexpr std::string_view kEnd = ".weight";
  std::vector<LinearModule> out;
  for (const io::SafeTensor& array : checkpoint.arrays.entries()) {
    const std::string_view name = array.name;
    if (!name.ends_with(kEnd) || array.shape.size() != 2 || !is_plain(array)) continue;
    if (auto module = module_of(name.substr(0, name.size() - kEnd.size()), table)) out.push_back(std::move(*module));
  }
  return out;
}

}  // namespace quern::hf
