// A checkpoint of another tool made from a plain one: matrices of linear modules in a form of its own, everything else
// as it was.
#pragma once

#include <quern/callbacks.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lib/arch/hf.h"
#include "lib/base/status.h"
#include "lib/base/thread_pool.h"
#include "lib/convert/matrix_form.h"
#include "lib/convert/quantize.h"
#include "lib/hf/checkpoint.h"
#include "lib/hf/linears.h"
#include "lib/hf/matrix.h"

namespace quern::convert {

/// What becomes of a linear module.
struct ModulePlan {
  hf::LinearModule module;
  hf::Matrix matrix;
  std::string left;  ///< why it stays as it is; empty where it does not
  bool quantized() const { return left.empty(); }
};

class NewCheckpoint {
 public:
  /// Refuses a checkpoint that is quantized already, and one of which nothing could be. Borrows both.
  static Result<NewCheckpoint> plan(const hf::Checkpoint& source, const arch::HfArch& table, const MatrixForm& form);

  const std::vector<ModulePlan>& modules() const { return modules_; }
  /// The arrays that a quantized module gets.
  std::vector<io::SafeArray> arrays(const ModulePlan& plan) const { return form_->arrays(source_of(plan)); }

  struct Work {
    base::ThreadPool& pool;
    MomentSource* moments = nullptr;  ///< asked in the order of modules(), by the names of GGUF tensors
    ProgressFn progress{};            ///< stage "quantize", in bytes of the source
    CancelToken cancel{};
  };
  /// The folder appears whole or not at all. Returns the files in it that hold arrays.
  Result<std::vector<std::string>> write(const std::string& folder, Work work) const;

 private:
  class Run;
  NewCheckpoint(const hf::Checkpoint& source, const MatrixForm& form) : source_(&source), form_(&form) {}
  SourceMatrix source_of(const ModulePlan& plan) const;
  Status write_config(const std::string& folder) const;
  Status copy_files(const std::string& folder) const;

  const hf::Checkpoint* source_;
  const MatrixForm* form_;
  std::vector<ModulePlan> modules_;
};

}  // namespace quern::convert
