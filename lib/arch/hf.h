// How a Hugging Face checkpoint of an architecture becomes the keys and tensors of its GGUF: plain data, which lib/hf
// reads folders by. Running a folder as it is and converting it share these tables.
//
// An architecture's table stands in its file (llama.cc), of parts that families share (hf_parts.h); registry.cc lists
// them. Names of classes, modules and fields are those of transformers.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "lib/arch/spec.h"

namespace quern::arch {

/// What a source is. Of a module, the matrix or vector is the tensor NAME.weight and the bias NAME.bias; an array is
/// the tensor NAME itself.
enum class HfForm {
  linear,   ///< a module: its matrix, or one for each expert, in the type that the checkpoint has; its bias in F32
  exact,    ///< a module whose matrix is in F32 too: routers
  norm,     ///< a module with a vector in F32, and maybe a bias
  array,    ///< an array of that very name, in F32; its rows are those of the first dimension
  vectors,  ///< an array of that very name with a vector for each expert, in F32
};

/// Which rows of a stored matrix (elements of a vector) a tensor takes, in which order. What it needs to know are keys
/// of the architecture, named with HfTensor::count, or those of gated delta nets and latent attention.
enum class HfRows : uint8_t {
  all,
  /// Of each of `count` heads: transformers rotates the elements i and i + n / 2 together, here they become neighbours.
  rotary_pairs,
  first_half,
  second_half,
  even,
  odd,
  last,  ///< `count` of them
  /// Of each head of latent attention: what makes keys and what makes values.
  latent_keys,
  latent_values,
  /// Heads of a delta net's values: those which share a head of the keys lie together in transformers, and that many
  /// heads of keys apart here. The second: behind the queries and keys, which stay as they are.
  delta_values,
  delta_q_k_values,
  /// Queries, keys, values and gates of one head of the keys after the other, of which it takes queries, keys and
  /// values (all heads of each together), or the gates.
  delta_grouped_q_k_v,
  delta_grouped_gates,
};

/// What happens to a matrix besides.
enum class HfShape : uint8_t {
  as_is,
  /// It is stored with input features as rows, unless it is quantized: so are gpt-oss's experts.
  inputs_first,
  /// Input features become rows, of each head: attn_k_b.
  swapped,
  /// The columns are heads of a delta net's values (HfRows::delta_values).
  delta_value_columns,
};

/// What happens to each element of a vector.
enum class HfValue : uint8_t { as_is, plus_one, minus_exp };

/// One tensor. "{}" in names stands for the layer; a second one for an expert, whose matrices are stacked. A name may
/// be listed more than once, for checkpoints that keep it in different ways: the first source that a checkpoint has is
/// taken.
struct HfTensor {
  const char* name;    ///< as in the GGUF, without what the form adds
  const char* source;  ///< module or array, after HfArch::prefixes; one that begins with '/' has no such prefix
  HfForm form;
  HfRows rows = HfRows::all;
  const char* count = "";  ///< the key that says how many heads
  HfShape shape = HfShape::as_is;
  HfValue value = HfValue::as_is;
};

enum class HfType : uint8_t { integer, real, flag, text };

/// What makes a key's value out of a field.
enum class HfMake : uint8_t {
  value,         ///< the number or text; an array of numbers is one number for each layer
  words,         ///< `words` says for which number a text stands
  layer_words,   ///< the same for an array of texts, one for each layer
  by_window,     ///< for each layer that of `from` with a sliding window, that of `words` without; where both are there
  twice_shared,  ///< for each layer: twice as much in the last ones, as many as `words` says
  sections,      ///< an array of up to four integers, filled up with zeros
  pooling,       ///< the flags of a sentence-transformers folder
};

/// One key.
///
/// `from` is a list of ways to compute it, separated by '|': the first of whose fields all are there is taken. Each way
/// is a row of fields and numbers joined by '+', '-', '*' and '/', computed from left to right. A field is a path in
/// config.json ("rope_parameters.rope_theta"), in its text_config first. The settings of sentence-transformers are
/// there as "sentence.FOLDER", those of its pooling as "sentence.pooling".
struct HfKey {
  const char* name;  ///< after "{architecture}."
  HfType type;
  const char* from;
  bool needed = false;  ///< an error without it; else the key is left out
  HfMake make = HfMake::value;
  const char* words = "";  ///< "softmax=1|sigmoid=2"
};

/// A field that must have one of these values, where it is there: with others the model would be another one. Texts,
/// numbers, true and false, separated by '|'; null stands for what is absent. '=' stands before a way to compute it
/// (HfKey::from).
struct HfCheck {
  const char* field;
  const char* values;
};

/// Classes of transformers that are one architecture.
struct HfArch {
  const ArchSpec* spec;
  std::string_view classes;                    ///< "LlamaForCausalLM|MistralForCausalLM"
  std::span<const std::string_view> prefixes;  ///< of the model proper, before "layers.0...."
  std::span<const HfTensor> tensors;
  std::span<const HfKey> keys;
  std::span<const HfCheck> checks;
  std::span<const std::string_view> ignored;  ///< arrays that say nothing about the model; '*' stands for anything
  std::string_view layers = "layers.";        ///< before a layer's number
  /// Where a class stands for several architectures: this one, if the field has the value. Such a table goes before one
  /// without.
  HfCheck where = {"", ""};
};

/// All tables.
std::span<const HfArch* const> hf_classes();

}  // namespace quern::arch
