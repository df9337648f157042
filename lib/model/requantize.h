// Quantizing as a model is opened: the matrices of products that a file holds as plain numbers are prepared in a
// quantized type instead. Rows are encoded when the backend asks for them, so there is no second copy of the model.
#pragma once

#include <quern/callbacks.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/status.h"
#include "lib/io/reader.h"
#include "lib/quant/format.h"
#include "lib/tensor/view.h"

namespace quern::model {

struct BindingPlan;

/// The format that ModelOptions::quantize and ::double_quant name, in any case: "nf4", "Q4_K"; nullptr for "", which is
/// none. Errc::argument lists the names.
Result<const quant::FormatInfo*> find_load_format(std::string_view name, bool double_quant);

/// The rows of a tensor of the file in another type.
class RequantizedRows final : public tensor::RowSource {
 public:
  /// `from` is the entry's view or a part of it; its rows are whole blocks of `format`. `file` outlives this.
  RequantizedRows(const io::ModelFile& file, const io::TensorEntry& entry, const tensor::TensorView& from,
                  const quant::FormatInfo& format);

  tensor::TensorView view() const;
  void read(uint64_t begin, uint64_t end, std::byte* out) const override;
  void release(uint64_t begin, uint64_t end) const override;
  /// Errc::format if a number that was read is infinite or none: its block is not of use.
  Status status() const;

 private:
  static constexpr uint64_t kNone = ~uint64_t{0};
  const io::ModelFile& file_;
  const io::TensorEntry& entry_;
  const tensor::TensorView from_;
  const quant::FormatInfo& format_;
  const uint64_t row_bytes_;
  mutable std::atomic<uint64_t> bad_row_{kNone};  ///< the first, of those met
};

/// Gives the matrices of products in `plan` rows of `format`, where that makes them smaller and their rows are whole
/// blocks of it. Left as they are: matrices that are quantized already, those that choose experts, and the output
/// layer, whose errors would go straight into the logits; with `stream_others` the backend reads these so that the
/// pages of the file go as it goes. What the plan then points to is in `file`, which outlives it and stays where it is.
void requantize(io::ModelFile& file, const quant::FormatInfo& format, bool stream_others, BindingPlan& plan,
                const LogFn& log);

}  // namespace quern::model
