// Keyword arguments into the options structs of the C interface.
#pragma once

#include <string>
#include <vector>

#include "calls.h"

namespace quern_python {

/// Keywords that are taken out one by one; what is left at the end is a mistake of the caller.
class Kwargs {
 public:
  Kwargs(const char* function, const py::kwargs& kwargs) : function_(function), left_(py::dict()) {
    for (const auto& item : kwargs) left_[item.first] = item.second;
  }

  /// Sets `out` where the keyword was given and is not None.
  template <class T>
  bool take(const char* name, T& out) {
    if (!left_.contains(name)) return false;
    const py::object value = left_.attr("pop")(name);
    if (value.is_none()) return false;
    try {
      out = value.cast<T>();
    } catch (const py::cast_error&) {
      throw py::type_error(std::string(function_) + "(): " + name + " does not take " +
                           std::string(py::repr(value.get_type().attr("__name__"))) + " (" +
                           std::string(py::repr(value)) + ")");
    }
    return true;
  }
  bool take_flag(const char* name, int32_t& out) {
    bool value = out != 0;
    const bool given = take(name, value);
    out = value ? 1 : 0;
    return given;
  }

  /// TypeError for what was not taken.
  void finish() const {
    for (const auto& item : left_) {
      throw py::type_error(std::string(function_) + "() got an unexpected keyword argument " +
                           std::string(py::repr(item.first)));
    }
  }

 private:
  const char* function_;
  py::dict left_;
};

/// Texts, and pointers to them as C wants them. Not to be moved once pointers() was called.
struct Texts {
  std::vector<std::string> texts;
  std::vector<const char*> pointers_;
  const char* const* pointers() {
    pointers_.clear();
    for (const auto& text : texts) pointers_.push_back(text.c_str());
    return pointers_.empty() ? nullptr : pointers_.data();
  }
  /// One text, or a list of them.
  void set(const py::object& value, const char* name);
};

struct SamplerArgs {
  quern_sampler_options options = QUERN_SAMPLER_OPTIONS_INIT;
  void read(Kwargs& kwargs);
  const quern_sampler_options* get();

 private:
  Texts breakers_;
  bool has_breakers_ = false;
  std::vector<quern_logit_bias> bias_;
  std::string order_;
};

struct ContextArgs {
  quern_context_options options = QUERN_CONTEXT_OPTIONS_INIT;
  void read(Kwargs& kwargs);
};

/// [(adapter, scale)] or [adapter].
struct AdapterArgs {
  bool given = false;
  std::vector<quern_adapter_use> uses;
  std::vector<std::shared_ptr<quern_adapter>> keep;
  void read(Kwargs& kwargs);
  void read(const py::object& value);
  /// Not NULL where some were given, be it none.
  const quern_adapter_use* get() const;
};

/// Options of a generation, without callbacks.
struct GenerateArgs {
  int32_t max_tokens = 0;
  bool nothing = false;  ///< max_tokens=0 was asked for
  SamplerArgs sampler;
  Texts stop;
  AdapterArgs adapters;
  std::optional<uint32_t> logprobs;
  LongCall call;
  void read(Kwargs& kwargs);
  /// Valid while this object is, and does not move.
  quern_generate_options get();
};

/// Token ids of a Python object: a sequence of integers, a NumPy array; where `model` is given also text, which is
/// tokenized with the tokens that the model wants around it.
std::vector<quern_token> tokens_of(const py::object& value, const quern_model* model = nullptr);

/// A path: str, bytes or os.PathLike.
std::string path_of(const py::object& value);

std::vector<quern_token> tokenize(const quern_model* model, const std::string& text, uint32_t flags);
std::string detokenize(const quern_model* model, const std::vector<quern_token>& tokens, bool special);

}  // namespace quern_python
