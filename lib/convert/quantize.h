// Quantizing: the tensors of one model file into another file, a few rows at a time on all threads, so that memory for
// a few megabytes of rows is enough for a model of any size.
#pragma once

#include <quern/callbacks.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lib/base/status.h"
#include "lib/base/thread_pool.h"
#include "lib/convert/refine.h"
#include "lib/io/gguf_writer.h"
#include "lib/io/reader.h"
#include "lib/quant/format.h"
#include "lib/quant/rows.h"

namespace quern::convert {

/// What becomes of one tensor of the source.
struct TensorTarget {
  const io::TensorEntry* source = nullptr;
  uint32_t type_id = 0;  ///< equal to the source's: its bytes are copied
  /// Importance of the columns, all positive: ne[0] numbers that serve every matrix of the tensor, or ne[0] for each of
  /// its ne[2]. Empty: all alike.
  std::vector<float> importance{};
  /// The type holds the source's very numbers: blocks are copied, or taken apart and put together anew. A scale of the
  /// whole tensor that a copy leaves out goes elsewhere (companion_scale() in new_file.h).
  bool exact = false;

  bool copied() const {
    return type_id == source->type_id && (exact || source->view.scale == 1) && source->view.column_order == nullptr;
  }
  uint64_t size_bytes() const;  ///< in the new file
};

/// Gives the second moments of the inputs of the source's weights, as they are asked for.
class MomentSource {
 public:
  virtual ~MomentSource() = default;
  /// finish()ed moments, valid until the next call; nullptr where there are none for this tensor, whose levels are then
  /// chosen by rounding. Called once for each tensor that is quantized, in the order of the file.
  virtual Result<const Moments*> moments_of(const io::TensorEntry& tensor) = 0;
};

/// Writes targets in their order. Tensors are read from `file`'s mapping, whose pages are given back after use.
class Quantizer {
 public:
  Quantizer(const io::ModelFile& file, base::ThreadPool& pool, ProgressFn progress, CancelToken cancel)
      : file_(file), pool_(pool), progress_(std::move(progress)), cancel_(std::move(cancel)) {}

  /// From now on levels are chosen by the moments where there are some, see Refiner.
  void refine_by(MomentSource* moments) { moments_ = moments; }

  /// Refuses what cannot be done: a source whose type cannot be read or a target's that cannot be written here, rows
  /// that are not whole blocks, importance of the wrong length. The names of both files' types are in the message.
  Status check(std::span<const TensorTarget> targets);

  /// Adds the targets to `writer`, which borrows them and this object until it has written. check() must have passed.
  Status add_to(io::GgufWriter& writer, std::span<const TensorTarget> targets);

  /// One tensor's bytes.
  Status write(const TensorTarget& target, const io::ByteSink& sink);

 private:
  struct Worker {
    std::unique_ptr<quant::RowReader> reader;
    std::vector<float> rows, weights;  ///< a few rows, decoded; what an error in each element of one counts
    std::unique_ptr<Refiner> refiner;
  };
  /// The rows of an exact target into out_.
  Status repack_rows(const TensorTarget& target, uint64_t begin, uint64_t end);
  /// moments: nullptr where levels are chosen by rounding.
  Status write_rows(const TensorTarget& target, const Moments* moments, uint64_t begin, uint64_t end);
  /// Row r has a number that is not finite, or is not in the target's type.
  Error not_finite(const TensorTarget& target, uint64_t r, const quant::FormatInfo& to);
  Status advance(const TensorTarget& target, const tensor::TensorView& part);

  const io::ModelFile& file_;
  base::ThreadPool& pool_;
  ProgressFn progress_;
  CancelToken cancel_;
  MomentSource* moments_ = nullptr;
  uint64_t done_bytes_ = 0, total_bytes_ = 0;  ///< of the source
  std::vector<Worker> workers_;                ///< per thread
  std::vector<std::byte> out_;                 ///< the rows in work, encoded
};

}  // namespace quern::convert
