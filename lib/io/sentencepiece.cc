#include "lib/io/sentencepiece.h"

#include <cmath>
#include <limits>

#include "lib/io/names.h"
#include "lib/io/protobuf.h"

namespace quern::io {
namespace {

using text::TokenType;
using Kind = ProtoField::Kind;

struct TrainerSpec {
  int64_t model_type = 1;
  bool whitespace_as_suffix = false;
  int64_t unk = 0, bos = 1, eos = 2, pad = -1;
};

struct NormalizerSpec {
  std::string_view charsmap;
  bool add_dummy_prefix = true, remove_extra_whitespaces = true, escape_whitespaces = true;
};

Error broken(std::string_view file, std::string_view what, uint64_t position) {
  return fail(Errc::format, file, ": ", what, " is broken at its byte ", position);
}

// Stores a field's value where it is of kind varint; the field's own kind is checked.
Status read_number(const ProtoField& field, std::string_view file, std::string_view name, int64_t& target) {
  QUERN_ENSURE(field.kind == Kind::varint, Errc::format, file, ": ", name, ": expected a number, found another type");
  target = static_cast<int64_t>(field.value);
  return {};
}

Status read_flag(const ProtoField& field, std::string_view file, std::string_view name, bool& target) {
  int64_t value = 0;
  QUERN_CHECK(read_number(field, file, name, value));
  target = value != 0;
  return {};
}

Status add_piece(std::string_view message, TokenizerParts& parts) {
  const auto id = static_cast<int64_t>(parts.tokens.size());
  const std::string what = cat("piece ", id);
  std::string_view text;
  float score = 0;
  int64_t type = 1;
  for (ProtoReader reader(message); !reader.done();) {
    const auto field = reader.next();
    if (!field) return broken(parts.file, what, reader.position());
    if (field->number == 1) {
      QUERN_ENSURE(field->kind == Kind::bytes, Errc::format, parts.file, ": ", what, ": its text is not a string");
      text = field->bytes;
    } else if (field->number == 2) {
      QUERN_ENSURE(field->kind == Kind::fixed32, Errc::format, parts.file, ": ", what, ": its score is not a float");
      score = field->as_float();
    } else if (field->number == 3) {
      QUERN_CHECK(read_number(*field, parts.file, cat(what, ": its type"), type));
    }
  }
  QUERN_ENSURE(!text.empty(), Errc::format, parts.file, ": ", what, " has no text");
  QUERN_ENSURE(is_utf8(text), Errc::format, parts.file, ": ", what, ": its text ", quoted(text), " is not valid UTF-8");
  QUERN_ENSURE(std::isfinite(score), Errc::format, parts.file, ": ", what, ": its score is not a finite number");
  QUERN_ENSURE(type >= 1 && type <= 6, Errc::format, parts.file, ": ", what, " has type ", type, ", expected 1 to 6");
  if (type == static_cast<int64_t>(TokenType::user_defined)) {
    QUERN_CHECK(parts.add({id, std::string(text), false, false, false}));
    parts.types.back() = TokenType::user_defined;
    parts.scores.back() = score;
    return {};
  }
  return parts.place(id, text, static_cast<TokenType>(type), score);
}

Result<TrainerSpec> read_trainer(std::string_view message, std::string_view file) {
  TrainerSpec spec;
  for (ProtoReader reader(message); !reader.done();) {
    const auto field = reader.next();
    if (!field) return broken(file, "trainer_spec", reader.position());
    switch (field->number) {
      case 3:
        QUERN_CHECK(read_number(*field, file, "trainer_spec.model_type", spec.model_type));
        break;
      case 24:
        QUERN_CHECK(read_flag(*field, file, "trainer_spec.treat_whitespace_as_suffix", spec.whitespace_as_suffix));
        break;
      case 40:
        QUERN_CHECK(read_number(*field, file, "trainer_spec.unk_id", spec.unk));
        break;
      case 41:
        QUERN_CHECK(read_number(*field, file, "trainer_spec.bos_id", spec.bos));
        break;
      case 42:
        QUERN_CHECK(read_number(*field, file, "trainer_spec.eos_id", spec.eos));
        break;
      case 43:
        QUERN_CHECK(read_number(*field, file, "trainer_spec.pad_id", spec.pad));
        break;
      default:
        break;
    }
  }
  return spec;
}

Result<NormalizerSpec> read_normalizer(std::string_view message, std::string_view file) {
  NormalizerSpec spec;
  for (ProtoReader reader(message); !reader.done();) {
    const auto field = reader.next();
    if (!field) return broken(file, "normalizer_spec", reader.position());
    switch (field->number) {
      case 2:
        QUERN_ENSURE(field->kind == Kind::bytes, Errc::format, file,
                     ": normalizer_spec.precompiled_charsmap: expected bytes, found a number");
        spec.charsmap = field->bytes;
        break;
      case 3:
        QUERN_CHECK(read_flag(*field, file, "normalizer_spec.add_dummy_prefix", spec.add_dummy_prefix));
        break;
      case 4:
        QUERN_CHECK(read_flag(*field, file, "normalizer_spec.remove_extra_whitespaces", spec.remove_extra_whitespaces));
        break;
      case 5:
        QUERN_CHECK(read_flag(*field, file, "normalizer_spec.escape_whitespaces", spec.escape_whitespaces));
        break;
      default:
        break;
    }
  }
  return spec;
}

Status apply_trainer(const TrainerSpec& spec, TokenizerParts& parts) {
  constexpr int64_t kUnigram = 1, kBpe = 2;
  QUERN_ENSURE(spec.model_type == kUnigram || spec.model_type == kBpe, Errc::unsupported, parts.file,
               ": trainer_spec.model_type is ", spec.model_type, ", supported are 1 (unigram) and 2 (BPE)");
  QUERN_ENSURE(!spec.whitespace_as_suffix, Errc::unsupported, parts.file,
               ": trainer_spec.treat_whitespace_as_suffix is not supported");
  parts.model = spec.model_type == kBpe ? "llama" : "t5";
  const auto n = static_cast<int64_t>(parts.tokens.size());
  const std::pair<const char*, int64_t> ids[] = {
      {"unknown", spec.unk}, {"bos", spec.bos}, {"eos", spec.eos}, {"padding", spec.pad}};
  for (const auto& [name, id] : ids) {
    if (id < 0) continue;
    QUERN_ENSURE(id < n, Errc::format, parts.file, ": trainer_spec: the ", name, " token is ", id,
                 ", but there are only ", n, " pieces");
    parts.ids[name] = static_cast<int32_t>(id);
  }
  return {};
}

Status apply_normalizer(const NormalizerSpec& spec, TokenizerParts& parts) {
  QUERN_ENSURE(spec.escape_whitespaces, Errc::unsupported, parts.file,
               ": normalizer_spec.escape_whitespaces = false is not supported");
  parts.add_space_prefix = spec.add_dummy_prefix;
  if (parts.model == "t5") {
    parts.charsmap = spec.charsmap;
    parts.remove_extra_whitespaces = spec.remove_extra_whitespaces;
    return {};
  }
  QUERN_ENSURE(spec.charsmap.empty(), Errc::unsupported, parts.file,
               ": normalizer_spec.precompiled_charsmap is not supported in a BPE model");
  QUERN_ENSURE(!spec.remove_extra_whitespaces, Errc::unsupported, parts.file,
               ": normalizer_spec.remove_extra_whitespaces is not supported in a BPE model");
  return {};
}

}  // namespace

bool looks_like_sentencepiece(std::span<const std::byte> bytes) {
  ProtoReader reader(bytes);
  const auto field = reader.next();
  if (!field || field->number != 1 || field->kind != Kind::bytes) return false;
  ProtoReader piece(field->bytes);
  const auto text = piece.next();
  return text && text->number == 1 && text->kind == Kind::bytes && is_utf8(text->bytes);
}

Result<TokenizerParts> parse_sentencepiece(std::span<const std::byte> bytes, const std::string& file) {
  TokenizerParts parts;
  parts.file = file;
  std::string_view trainer, normalizer;
  for (ProtoReader reader(bytes); !reader.done();) {
    const auto field = reader.next();
    if (!field) return broken(file, "the model", reader.position());
    QUERN_ENSURE(field->number > 3 || field->kind == Kind::bytes, Errc::format, file, ": field ", field->number,
                 " of the model is not a message");
    if (field->number == 1) {
      QUERN_CHECK(add_piece(field->bytes, parts));
    } else if (field->number == 2) {
      trainer = field->bytes;
    } else if (field->number == 3) {
      normalizer = field->bytes;
    }
  }
  QUERN_ENSURE(!parts.tokens.empty(), Errc::format, file, ": the model has no pieces");
  QUERN_TRY(const TrainerSpec trainer_spec, read_trainer(trainer, file));
  QUERN_CHECK(apply_trainer(trainer_spec, parts));
  QUERN_TRY(const NormalizerSpec normalizer_spec, read_normalizer(normalizer, file));
  QUERN_CHECK(apply_normalizer(normalizer_spec, parts));
  return parts;
}

}  // namespace quern::io
