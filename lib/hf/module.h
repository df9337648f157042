// One module of a checkpoint: its arrays by the ends of their names, and the checks that all forms of matrices need.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/file.h"
#include "lib/base/status.h"
#include "lib/hf/checkpoint.h"
#include "lib/hf/matrix.h"

namespace quern::hf {

/// The pages of an array, for those who read it: valid as long as its file is open, wherever that is moved to.
class Pages {
 public:
  explicit Pages(bool mapped = false) : mapped_(mapped) {}
  /// See base::FileBytes::release().
  void release(std::span<const std::byte> part) const {
    if (mapped_) base::FileBytes::release_mapped(part);
  }

 private:
  bool mapped_;
};

/// Of "model.layers.0.mlp.up_proj" the array of the weights is "model.layers.0.mlp.up_proj.weight", or, of stacked
/// experts, without ".weight".
class Module {
 public:
  Module(const Checkpoint& checkpoint, std::string_view name) : checkpoint_(&checkpoint), name_(name) {}

  const Checkpoint& checkpoint() const { return *checkpoint_; }
  const std::string& name() const { return name_; }
  /// The array NAME + suffix, nullptr where there is none.
  const io::SafeTensor* find(std::string_view suffix) const;
  /// NAME.weight + suffix, or NAME + suffix.
  const io::SafeTensor* of_weight(std::string_view suffix) const;
  Pages pages(const io::SafeTensor& array) const;

  // Errors about an array: "FILE: array 'NAME': expected WHAT, found ...".
  std::string place(const io::SafeTensor& array) const;
  Error mismatch(const io::SafeTensor& array, std::string_view expected, std::string_view found) const;
  /// "expected EXPECTED, found I32 [4, 8]"
  Error wrong_form(const io::SafeTensor& array, std::string_view expected) const;
  /// An array that this form of matrix cannot be without, next to `given`.
  Result<const io::SafeTensor*> need(const io::SafeTensor* array, const io::SafeTensor& given,
                                     std::string_view missing) const;
  /// Of this type and shape.
  Status check_form(const io::SafeTensor& array, io::SafeType type, std::span<const uint64_t> shape) const;
  /// The numbers of an array of one of the floating-point types, all finite.
  Result<class Numbers> numbers(const io::SafeTensor& array) const;
  /// The one number of such an array.
  Result<float> number(const io::SafeTensor& array) const;

 private:
  const Checkpoint* checkpoint_;
  std::string name_;
};

/// Floating-point numbers of any type that scales are stored in, one at a time.
class Numbers {
 public:
  static std::optional<Numbers> of(const io::SafeTensor& array);
  float operator[](uint64_t i) const { return load_(bytes_ + i * size_); }
  uint64_t size() const { return n_; }
  bool halves() const { return halves_; }

 private:
  const std::byte* bytes_ = nullptr;
  uint64_t n_ = 0;
  float (*load_)(const std::byte*) = nullptr;
  uint32_t size_ = 0;
  bool halves_ = false;
};

/// "[4, 8]"
std::string shape_text(std::span<const uint64_t> shape);

/// A matrix, or a stack of them, as an array has it: the last two extents are rows and columns.
struct Extents {
  uint64_t stack = 1, rows = 0, cols = 0;
  uint32_t rank = 2;

  uint64_t all_rows() const { return stack * rows; }
};
/// nullopt where the array has not two or three dimensions, or no elements. With `packed` elements in each of the
/// array.
std::optional<Extents> extents_of(const io::SafeTensor& array, uint64_t packed = 1);

/// A matrix of this form without rows as yet.
Matrix matrix_of(tensor::DType type, const Extents& extents, std::vector<const io::SafeTensor*> arrays);

/// Gives the matrix its rows, made by a source of which it takes hold.
template <class Source>
void set_source(Matrix& matrix, std::shared_ptr<Source> source) {
  matrix.view.source = source.get();
  matrix.keep.push_back(std::move(source));
}

/// Counts scales of activations among the arrays of the matrix, and says that they are not used: activations are never
/// rounded as coarsely as to need them.
void pass_over_activation_scales(const Module& module, Matrix& matrix);

/// Adds a sentence.
void add_note(Matrix& matrix, std::string_view sentence);

}  // namespace quern::hf
