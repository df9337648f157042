// What a MODEL on the command line is: a path, `demo`, or a name of the model store, which is pulled where it is
// absent.
#pragma once

#include <quern/result.h>

#include <optional>
#include <string>

#include "examples/store/store.h"

namespace quern::cli {

struct ModelSource {
  std::string path;                          ///< For Model::open.
  std::optional<store::StoredModel> stored;  ///< Where it is a model of the store.
};

/// In this order: a file or folder of that name; `demo`; a model of the store; a model that can be pulled, with
/// progress on stderr, unless `offline`. The error says what was tried.
Result<ModelSource> find_model(const std::string& name, bool offline = false);

/// The file of `demo`: beside the installed program (../share/quern/models), or in the source tree it was built from.
Result<std::string> demo_path();

/// The store of this user (QUERN_MODELS).
Result<store::Store> open_store();

/// Pulls with a progress bar on stderr; Ctrl-C stops it. `quiet`: no bar and no lines.
Result<store::StoredModel> pull_model(store::Store& models, const store::Reference& reference,
                                      store::PullOptions options, bool quiet);

}  // namespace quern::cli
