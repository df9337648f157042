#include "lib/chat/json.h"

#include <nlohmann/json.hpp>

namespace quern::chat {

namespace {

// Builds values from the events of the parser, with the open containers on a stack of its own.
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return put(Value::none()); }
  bool boolean(bool b) override { return put(Value::boolean(b)); }
  bool number_integer(number_integer_t i) override { return put(Value::integer(i)); }
  bool number_unsigned(number_unsigned_t u) override {
    return put(u <= INT64_MAX ? Value::integer(static_cast<int64_t>(u)) : Value::real(static_cast<double>(u)));
  }
  bool number_float(number_float_t d, const string_t&) override { return put(Value::real(d)); }
  bool string(string_t& text) override { return put(Value::string(std::move(text))); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(); }
  bool start_array(size_t) override { return open(); }
  bool key(string_t& text) override {
    open_.back().key = Value::string(std::move(text));
    return true;
  }
  bool end_object() override {
    auto entries = std::move(open_.back().entries);
    open_.pop_back();
    return put(Value::object(std::move(entries)));
  }
  bool end_array() override {
    auto items = std::move(open_.back().items);
    open_.pop_back();
    return put(Value::list(std::move(items)));
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    error_ = cat("malformed JSON at byte ", position);
    return false;
  }

  const std::string& error() const { return error_; }
  Value take() { return std::move(result_); }

 private:
  struct Container {
    std::vector<Value> items;
    std::vector<Value::Entry> entries;
    Value key;
  };

  bool open() {
    if (open_.size() == kMaxValueDepth) {
      error_ = cat("JSON nested deeper than ", kMaxValueDepth);
      return false;
    }
    open_.emplace_back();
    return true;
  }

  bool put(Value value) {
    if (open_.empty()) {
      result_ = std::move(value);
    } else if (Container& container = open_.back(); container.key.is_string()) {
      container.entries.emplace_back(std::move(container.key), std::move(value));
      container.key = Value();
    } else {
      container.items.push_back(std::move(value));
    }
    return true;
  }

  std::vector<Container> open_;
  Value result_;
  std::string error_;
};

}  // namespace

Result<Value> parse_json(std::string_view text) {
  Builder builder;
  const bool parsed = nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  QUERN_ENSURE(parsed, Errc::format, builder.error().empty() ? std::string("malformed JSON") : builder.error());
  return builder.take();
}

}  // namespace quern::chat
