// Adapters merged into the weights of a model: W + scale * B A in W's place, made row by row when asked for, so that
// conversion and quantizing read a merged model as any other.
#pragma once

#include "lib/base/status.h"
#include "lib/io/adapter.h"
#include "lib/io/reader.h"

namespace quern::hf {

/// Changed tensors become F32, whatever they are in the file; scales that stand beside them go into them. Where the
/// table of embeddings serves as the output too and the adapter changes one of the two, the output becomes a tensor of
/// its own. Errors name file, tensor, what was expected and what was found; then the model is as it was.
Status merge_adapter(io::ModelFile& model, const io::AdapterFile& adapter, float scale = 1);

}  // namespace quern::hf
