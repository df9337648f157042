#include "lib/convert/new_checkpoint.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <string_view>
#include <system_error>
#include <utility>

#include "lib/base/file.h"
#include "lib/base/folder.h"
#include "lib/io/json_text.h"
#include "lib/io/names.h"

namespace quern::convert {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kConfig = "config.json", kQuantization = "quantization_config";
/// What holds weights, and is not copied.
constexpr std::string_view kWeightFiles[] = {".safetensors", ".safetensors.index.json",
                                             ".bin",         ".bin.index.json",
                                             ".pt",          ".pth",
                                             ".gguf",        ".h5",
                                             ".msgpack",     ".onnx",
                                             ".ckpt"};
/// Bytes of an array that are copied at a time.
constexpr uint64_t kCopyBytes = uint64_t{16} << 20;

Status write_text(const std::string& path, const std::string& text) {
  QUERN_TRY(auto file, base::AtomicFile::create(path));
  QUERN_CHECK(file.write(std::as_bytes(std::span(text))));
  return file.commit();
}

std::string method_of(const hf::Checkpoint& source) {
  const auto name = source.config_at()[kQuantization]["quant_method"].text();
  return name && *name != nullptr ? **name : "some method";
}

}  // namespace

Result<NewCheckpoint> NewCheckpoint::plan(const hf::Checkpoint& source, const arch::HfArch& table,
                                          const MatrixForm& form) {
  QUERN_ENSURE(!source.config_at()[kQuantization].present(), Errc::argument, source.path, ": is already quantized (",
               method_of(source), "): start from a checkpoint in F32, F16 or BF16");
  NewCheckpoint out(source, form);
  bool any = false;
  for (hf::LinearModule& module : hf::linear_modules(source, table)) {
    QUERN_TRY(auto matrix, hf::read_matrix(source, module.name));
    if (!matrix) continue;
    ModulePlan plan{std::move(module), std::move(*matrix), {}};
    const char* const fault = form.fault(plan.matrix.view.shape);
    if (plan.module.exact) {
      plan.left = "not a weight that is quantized";
    } else if (fault != nullptr) {
      plan.left = fault;
    }
    any = any || plan.quantized();
    out.modules_.push_back(std::move(plan));
  }
  QUERN_ENSURE(any, Errc::argument, source.path, ": has no matrix that can be stored as ", form.name());
  return out;
}

SourceMatrix NewCheckpoint::source_of(const ModulePlan& plan) const {
  SourceMatrix out;
  out.place = cat(source_->files[plan.matrix.file_index].path(), ": array ", io::quoted(plan.module.name + ".weight"));
  out.module = plan.module.name;
  out.view = plan.matrix.view;
  out.format = quant::find_format(plan.matrix.view.type);
  return out;
}

/// One call of write().
class NewCheckpoint::Run {
 public:
  Run(const NewCheckpoint& all, Work work)
      : all_(all),
        work_(std::move(work)),
        row_work_(work_.pool, [this](const auto& matrix, uint64_t begin, uint64_t end) {
          return matrix_rows_done(matrix, begin, end);
        }) {}

  Status add_arrays(io::SafeTensorsWriter& writer) {
    std::map<std::string, const ModulePlan*, std::less<>> plans;
    for (const ModulePlan& plan : all_.modules_) {
      if (plan.quantized()) plans[plan.module.name + ".weight"] = &plan;
    }
    for (const io::SafeTensor& array : all_.source_->arrays.entries()) {
      total_bytes_ += array.bytes.size();
      const auto plan = plans.find(array.name);
      if (plan == plans.end()) {
        QUERN_CHECK(writer.add({{array.name, array.type, array.shape}},
                               [this, &array](const io::ArraySink& sink) { return copy(array, sink); }));
      } else {
        const ModulePlan& module = *plan->second;
        QUERN_CHECK(writer.add(all_.arrays(module),
                               [this, &module](const io::ArraySink& sink) { return quantize(module, sink); }));
      }
    }
    return {};
  }

 private:
  Status quantize(const ModulePlan& plan, const io::ArraySink& sink) {
    SourceMatrix matrix = all_.source_of(plan);
    if (work_.moments != nullptr) {
      io::TensorEntry entry;
      entry.name = plan.module.tensor;
      QUERN_TRY(matrix.moments, work_.moments->moments_of(entry));
      if (matrix.moments != nullptr && matrix.moments->n_cols() != matrix.view.shape.cols()) matrix.moments = nullptr;
    }
    return all_.form_->write(matrix, row_work_, sink);
  }

  Status copy(const io::SafeTensor& array, const io::ArraySink& sink) {
    for (std::span<const std::byte> rest = array.bytes; !rest.empty();) {
      const auto piece = rest.first(std::min<size_t>(rest.size(), kCopyBytes));
      rest = rest.subspan(piece.size());
      QUERN_CHECK(sink(0, piece));
      QUERN_CHECK(done(piece));
    }
    return {};
  }

  Status matrix_rows_done(const SourceMatrix& matrix, uint64_t begin, uint64_t end) {
    return done({matrix.view.row(begin), (end - begin) * matrix.view.row_bytes});
  }

  /// These bytes of the source will not be read again.
  Status done(std::span<const std::byte> bytes) {
    for (const base::FileBytes& file : all_.source_->files) file.release(bytes);
    done_bytes_ += bytes.size();
    const bool go_on = !work_.progress || work_.progress(Progress{"quantize", done_bytes_, total_bytes_});
    QUERN_ENSURE(go_on && !work_.cancel.cancelled(), Errc::cancelled, "quantizing was cancelled");
    return {};
  }

  const NewCheckpoint& all_;
  Work work_;
  RowWork row_work_;
  uint64_t done_bytes_ = 0, total_bytes_ = 0;
};

Result<std::vector<std::string>> NewCheckpoint::write(const std::string& folder, Work work) const {
  QUERN_TRY(auto made, base::AtomicFolder::create(folder));
  Run run(*this, std::move(work));
  io::SafeTensorsWriter writer;
  QUERN_CHECK(run.add_arrays(writer));
  QUERN_TRY(std::vector<std::string> files, writer.write_checkpoint(made.temporary_path()));
  QUERN_CHECK(copy_files(made.temporary_path()));
  QUERN_CHECK(write_config(made.temporary_path()));
  QUERN_CHECK(made.commit());
  for (std::string& file : files) file = cat(folder, folder.ends_with('/') ? "" : "/", file);
  return files;
}

Status NewCheckpoint::write_config(const std::string& folder) const {
  const auto* const members = source_->config.get<io::Json::Object>();
  QUERN_ENSURE(members != nullptr, Errc::format, source_->config_path, ": expected an object");
  std::vector<std::string> left;
  std::string_view type = "float16";
  for (const ModulePlan& plan : modules_) {
    if (!plan.quantized()) left.push_back(plan.module.name);
    if (plan.quantized()) type = torch_type(plan.matrix.view.type);
  }
  io::Json quantization = form_->config(left, type);
  if (!form_->config_file().empty())
    QUERN_CHECK(write_text(cat(folder, "/", form_->config_file()), io::json_text(quantization, 2) + "\n"));
  io::Json::Object config = *members;
  config.push_back({std::string(kQuantization), std::move(quantization)});
  return write_text(cat(folder, "/", kConfig), io::json_text(io::Json(std::move(config)), 2) + "\n");
}

Status NewCheckpoint::copy_files(const std::string& folder) const {
  std::error_code error;
  fs::recursive_directory_iterator entry(source_->path, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const bool hidden = name.starts_with('.');
    if (entry->is_directory(error)) {
      if (hidden) entry.disable_recursion_pending();
      continue;
    }
    const bool weights = std::any_of(std::begin(kWeightFiles), std::end(kWeightFiles),
                                     [&](std::string_view end) { return name.ends_with(end); });
    const fs::path place = entry->path().lexically_relative(source_->path);
    if (hidden || weights || place == kConfig || !entry->is_regular_file(error)) continue;
    const fs::path to = fs::path(folder) / place;
    fs::create_directories(to.parent_path(), error);
    QUERN_CHECK(base::copy_file(entry->path().string(), to.string()));
  }
  QUERN_ENSURE(!error, Errc::io, source_->path, ": cannot copy its files: ", error.message());
  return {};
}

}  // namespace quern::convert
