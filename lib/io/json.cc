#include "lib/io/json.h"

#include <nlohmann/json.hpp>

#include "lib/io/names.h"

namespace quern::io {
namespace {

// Builds the value from the parser's events, with the open containers on a stack of its own.
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return put(Json()); }
  bool boolean(bool b) override { return put(Json(b)); }
  bool number_integer(number_integer_t i) override { return put(Json(int64_t{i})); }
  bool number_unsigned(number_unsigned_t u) override {
    return put(u <= INT64_MAX ? Json(static_cast<int64_t>(u)) : Json(static_cast<double>(u)));
  }
  bool number_float(number_float_t d, const string_t&) override { return put(Json(d)); }
  bool string(string_t& text) override { return put(Json(std::move(text))); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(true); }
  bool start_array(size_t) override { return open(false); }
  bool key(string_t& text) override {
    open_.back().members.push_back({std::move(text), Json()});
    return true;
  }
  bool end_object() override {
    Json value(std::move(open_.back().members));
    open_.pop_back();
    return put(std::move(value));
  }
  bool end_array() override {
    Json value(std::move(open_.back().elements));
    open_.pop_back();
    return put(std::move(value));
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    error_ = cat("malformed JSON at byte ", position);
    return false;
  }

  const std::string& error() const { return error_; }
  Json take() { return std::move(result_); }

 private:
  struct Container {
    bool is_object;
    Json::Array elements;
    Json::Object members;
  };

  bool open(bool is_object) {
    if (open_.size() == kMaxJsonDepth) {
      error_ = cat("nested deeper than ", kMaxJsonDepth);
      return false;
    }
    open_.push_back({is_object, {}, {}});
    return true;
  }

  bool put(Json value) {
    if (open_.empty()) {
      result_ = std::move(value);
    } else if (open_.back().is_object) {
      open_.back().members.back().value = std::move(value);
    } else {
      open_.back().elements.push_back(std::move(value));
    }
    return true;
  }

  std::vector<Container> open_;
  Json result_;
  std::string error_;
};

}  // namespace

const Json* Json::find(std::string_view name) const {
  const auto* members = get<Object>();
  if (members == nullptr) return nullptr;
  for (auto member = members->rbegin(); member != members->rend(); ++member) {
    if (member->name == name) return member->value.is_null() ? nullptr : &member->value;
  }
  return nullptr;
}

std::string Json::describe() const {
  if (is_null()) return "null";
  if (const auto* b = get<bool>()) return *b ? "true" : "false";
  if (const auto* i = get<int64_t>()) return cat("the number ", *i);
  if (const auto* d = get<double>()) return cat("the number ", *d);
  if (const auto* text = get<std::string>()) return cat("the string ", io::quoted(*text));
  if (const auto* elements = get<Array>()) return cat("an array of ", elements->size(), " elements");
  return cat("an object of ", get<Object>()->size(), " members");
}

Result<Json> parse_json(std::span<const std::byte> bytes, std::string_view file) {
  Builder builder;
  const char* begin = reinterpret_cast<const char*>(bytes.data());
  const bool parsed = nlohmann::json::sax_parse(begin, begin + bytes.size(), &builder);
  QUERN_ENSURE(parsed, Errc::format, file, ": ", builder.error().empty() ? "malformed JSON" : builder.error());
  return builder.take();
}

JsonAt JsonAt::operator[](std::string_view name) const {
  JsonAt out(value_ ? value_->find(name) : nullptr, file_);
  out.key_ = key_.empty() ? std::string(name) : cat(key_, ".", name);
  return out;
}

JsonAt JsonAt::operator[](size_t index) const {
  const auto* elements = get<Json::Array>();
  JsonAt out(elements && index < elements->size() ? &(*elements)[index] : nullptr, file_);
  out.key_ = cat(key_, "[", index, "]");
  return out;
}

size_t JsonAt::size() const {
  if (const auto* elements = get<Json::Array>()) return elements->size();
  if (const auto* members = get<Json::Object>()) return members->size();
  return 0;
}

std::string JsonAt::place() const { return key_.empty() ? std::string(file_) : cat(file_, ": ", io::quoted(key_)); }

bool JsonAt::is(std::string_view text) const {
  const auto* own = get<std::string>();
  return own != nullptr && *own == text;
}

Error JsonAt::mismatch(std::string_view expected) const {
  return fail(Errc::format, place(), ": expected ", expected, ", found ", value_ ? value_->describe() : "nothing");
}

Result<std::optional<bool>> JsonAt::boolean() const {
  if (!present()) return std::optional<bool>();
  const bool* b = get<bool>();
  if (b == nullptr) return mismatch("true or false");
  return std::optional<bool>(*b);
}

Result<std::optional<int64_t>> JsonAt::integer() const {
  if (!present()) return std::optional<int64_t>();
  const int64_t* i = get<int64_t>();
  if (i == nullptr) return mismatch("an integer");
  return std::optional<int64_t>(*i);
}

Result<const std::string*> JsonAt::text() const {
  const auto* text = get<std::string>();
  if (present() && text == nullptr) return mismatch("a string");
  return text;
}

Result<const Json::Array*> JsonAt::array() const {
  const auto* elements = get<Json::Array>();
  if (present() && elements == nullptr) return mismatch("an array");
  return elements;
}

Result<const Json::Object*> JsonAt::object() const {
  const auto* members = get<Json::Object>();
  if (present() && members == nullptr) return mismatch("an object");
  return members;
}

Result<std::string> JsonAt::need_text() const {
  if (get<std::string>() == nullptr) return mismatch("a string");
  return *get<std::string>();
}

Result<const Json::Array*> JsonAt::need_array() const {
  if (get<Json::Array>() == nullptr) return mismatch("an array");
  return get<Json::Array>();
}

Result<const Json::Object*> JsonAt::need_object() const {
  if (get<Json::Object>() == nullptr) return mismatch("an object");
  return get<Json::Object>();
}

}  // namespace quern::io
