// Metadata values as text, for people.
#pragma once

#include <string>

#include "lib/io/reader.h"

namespace quern::engine {

/// Strings as they are; numbers in their shortest form; arrays as "[a, b, c, ... (n)]", their texts in quotes.
std::string meta_text(const io::MetaValue& value);

/// The texts of a file that Model hands out; empty where there are none.
struct ModelTexts {
  std::string name, chat_template;
};
Result<ModelTexts> model_texts(const io::MetaTable& meta);

}  // namespace quern::engine
