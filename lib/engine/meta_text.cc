#include "lib/engine/meta_text.h"

#include "lib/base/status.h"

namespace quern::engine {
namespace {

constexpr size_t kShownElements = 8;

void element(std::string& out, const std::string& text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  out += '"';
}

template <class Number>
void element(std::string& out, const Number& number) {
  out += cat(number);
}

struct ToText {
  std::string operator()(const std::string& text) const { return text; }
  template <class Scalar>
  std::string operator()(const Scalar& scalar) const {
    return cat(scalar);
  }
  template <class T>
  std::string operator()(const std::vector<T>& array) const {
    std::string out = "[";
    for (size_t i = 0; i < array.size() && i < kShownElements; ++i) {
      if (i > 0) out += ", ";
      element(out, array[i]);
    }
    if (array.size() > kShownElements) out += cat(", ... (", array.size(), ")");
    return out + "]";
  }
};

}  // namespace

std::string meta_text(const io::MetaValue& value) { return std::visit(ToText{}, value); }

Result<ModelTexts> model_texts(const io::MetaTable& meta) {
  ModelTexts out;
  QUERN_TRY(const std::string* const name, meta.get_string("general.name"));
  QUERN_TRY(const std::string* const chat_template, meta.get_string("tokenizer.chat_template"));
  if (name != nullptr) out.name = *name;
  if (chat_template != nullptr) out.chat_template = *chat_template;
  return out;
}

}  // namespace quern::engine
