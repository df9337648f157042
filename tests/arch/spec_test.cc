// Every architecture's data is consistent: names, slots, stand-ins, keys.
#include "lib/arch/spec.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <tuple>

using namespace quern::arch;

TEST_CASE("find_arch knows the listed names and no others") {
  REQUIRE(!architectures().empty());
  for (const ArchSpec* spec : architectures()) CHECK(find_arch(spec->name) == spec);
  REQUIRE(find_arch("llama") != nullptr);
  CHECK(find_arch("LLaMA") == nullptr);
  CHECK(find_arch("") == nullptr);
  CHECK(find_arch("llama2") == nullptr);
}

TEST_CASE("tensor specs are consistent") {
  for (const ArchSpec* spec : architectures()) {
    CAPTURE(std::string(spec->name));
    std::set<Slot> slots;
    std::set<std::tuple<std::string, Dim, When>> names;
    for (const TensorSpec& tensor : spec->tensors) {
      CAPTURE(tensor.name);
      const std::string name = tensor.name;
      slots.insert(tensor.slot);
      // One place of a tensor goes to one slot, in one kind of layers.
      CHECK(names.insert({name, tensor.part.first, tensor.when}).second);
      const size_t first = name.find("{}"), second = first == std::string::npos ? first : name.find("{}", first + 1);
      CHECK((first != std::string::npos) == is_per_layer(tensor.slot));
      CHECK((second != std::string::npos) == (tensor.experts == Experts::separate));
      const bool of_experts = tensor.experts == Experts::stacked || tensor.experts == Experts::separate;
      CHECK((!of_experts || tensor.when == When::with_experts));
      CHECK((tensor.part.whole() || tensor.part.first != tensor.part.of));
      const bool one = tensor.role == Role::number;
      const bool one_row = tensor.role == Role::vector || tensor.role == Role::factors || one;
      // A convolution has taps for each channel; a matrix of one row makes one number.
      if (one_row) CHECK((tensor.rows == Dim::one || tensor.slot == Slot::delta_taps));
      if (tensor.role == Role::table) CHECK(tensor.rows != Dim::one);
      CHECK((tensor.cols == Dim::one) == one);
      if (tensor.stand_in == Slot::none) continue;
      CHECK(tensor.optional);
      const auto is_stand_in = [&](const TensorSpec& other) { return other.slot == tensor.stand_in; };
      const auto other = std::find_if(spec->tensors.begin(), spec->tensors.end(), is_stand_in);
      REQUIRE(other != spec->tensors.end());
      CHECK_FALSE(other->optional);
      CHECK(is_per_layer(other->slot) == is_per_layer(tensor.slot));
      CHECK(other->cols == tensor.cols);
      CHECK(other->rows == tensor.rows);
    }
    CHECK(slots.count(Slot::token_embd) == 1);
    // A model without an output makes embeddings: it is an encoder.
    const auto sees_all = [](const KeyDefault& own) { return own.key == Key::causal && own.value == 0; };
    const bool encoder = std::any_of(spec->defaults.begin(), spec->defaults.end(), sees_all);
    CHECK((slots.count(Slot::output) == 1) != encoder);
    if (!encoder) CHECK(slots.count(Slot::output_norm) == 1);
    for (const Slot slot : slots) {
      if (const Slot bias = bias_of(slot); bias != Slot::none) CHECK(is_per_layer(bias) == is_per_layer(slot));
    }
  }
}

TEST_CASE("the tensors of one slot have one role and shape") {
  for (const ArchSpec* spec : architectures()) {
    CAPTURE(std::string(spec->name));
    for (const TensorSpec& a : spec->tensors) {
      for (const TensorSpec& b : spec->tensors) {
        if (a.slot != b.slot) continue;
        CAPTURE(a.name);
        CAPTURE(b.name);
        CHECK(a.role == b.role);
        CHECK(a.cols == b.cols);
        CHECK(a.rows == b.rows);
        CHECK(a.optional == b.optional);
        CHECK(a.when == b.when);
      }
    }
  }
}

TEST_CASE("defaults are of keys that are listed") {
  for (const ArchSpec* spec : architectures()) {
    CAPTURE(std::string(spec->name));
    for (const KeyDefault& own : spec->defaults) {
      CHECK(std::find(spec->keys.begin(), spec->keys.end(), own.key) != spec->keys.end());
    }
  }
}

TEST_CASE("no key is listed twice, and the shapes' keys are listed") {
  for (const ArchSpec* spec : architectures()) {
    const std::set<Key> keys(spec->keys.begin(), spec->keys.end());
    CHECK(keys.size() == spec->keys.size());
    for (const Key needed : {Key::context_length, Key::embedding_length, Key::block_count, Key::head_count}) {
      CHECK(keys.count(needed) == 1);
    }
  }
}
