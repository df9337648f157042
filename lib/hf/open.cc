#include "lib/hf/open.h"

namespace quern::hf {

Result<io::ModelFile> open_model(const std::string& path, const io::OpenOptions& options) {
  return io::open_model_file(path, options);
}

}  // namespace quern::hf
