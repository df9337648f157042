// Makes a model file smaller: its weights in fewer bits. Prints a line for each tensor, and how far it is.
//
//   05_quantize model-F16.gguf model-Q4_K_M.gguf Q4_K_M
//   05_quantize model-F16.gguf model-IQ3_XXS.gguf IQ3_XXS imatrix.gguf     the matrix is made by `quern imatrix`
#include <quern/quern.h>

#include <cstdio>

namespace {

void print_types() {
  std::fprintf(stderr, "types, from few bits to many:\n");
  for (const quern::QuantizationType& type : quern::quantization_types()) {
    std::fprintf(stderr, "  %-10s %s%s\n", type.name.c_str(), type.description.c_str(),
                 type.needs_imatrix ? " (needs an importance matrix)" : "");
  }
}

void print_tensor(const quern::QuantizedTensor& tensor) {
  std::printf("%-36s %-5s -> %-5s %11llu -> %11llu bytes", tensor.name.c_str(), tensor.from.c_str(), tensor.to.c_str(),
              static_cast<unsigned long long>(tensor.from_bytes), static_cast<unsigned long long>(tensor.to_bytes));
  // Types store rows in blocks of 32 or 256 weights; rows that are no multiple get another type.
  if (!tensor.fallback.empty()) std::printf("  (%s does not fit)", tensor.fallback.c_str());
  std::printf("\n");
}

quern::Status quantize(const char* from, const char* to, const char* type, const char* imatrix) {
  const auto runtime = quern::Runtime::create();
  if (!runtime) return runtime.error();
  quern::QuantizeOptions options;
  options.type = type;
  options.imatrix = imatrix;
  options.progress = [](const quern::Progress& progress) {
    std::fprintf(stderr, "\r%3.0f%%", 100.0 * static_cast<double>(progress.done) / static_cast<double>(progress.total));
    return true;  // false would cancel, and leave no file
  };
  const auto result = quern::quantize(*runtime, from, to, options);
  std::fprintf(stderr, "\r");
  if (!result) return result.error();
  for (const quern::QuantizedTensor& tensor : result->tensors) print_tensor(tensor);
  std::printf("%.1f MB -> %.1f MB, %.2f bits per weight\n", static_cast<double>(result->from_bytes) / 1e6,
              static_cast<double>(result->to_bytes) / 1e6, result->bits_per_weight);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4 || argc > 5) {
    std::fprintf(stderr, "usage: %s FROM.gguf TO.gguf TYPE [IMATRIX]\n", argv[0]);
    print_types();
    return 2;
  }
  const quern::Status status = quantize(argv[1], argv[2], argv[3], argc == 5 ? argv[4] : "");
  if (!status) std::fprintf(stderr, "%s: %s\n", quern::errc_name(status.error().code), status.error().message.c_str());
  return status ? 0 : 1;
}
