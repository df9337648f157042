// The machine's calls: filters, tests, methods, functions, macros, loop(...).
#include "lib/chat/filters.h"
#include "lib/chat/globals.h"
#include "lib/chat/machine.h"
#include "lib/chat/methods.h"
#include "lib/chat/operators.h"
#include "lib/chat/tests.h"

namespace quern::chat {

Result<Arguments> Machine::take_arguments(const CallShape& shape) {
  using Kind = CallShape::Kind;
  Arguments out;
  const auto values = top(shape.arguments.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const CallShape::Argument& argument = shape.arguments[i];
    if (argument.kind == Kind::positional) {
      out.positional.push_back(values[i]);
    } else if (argument.kind == Kind::named) {
      out.named.emplace_back(program_.constants[argument.name].as_string(), values[i]);
    } else if (argument.kind == Kind::list) {
      QUERN_TRY(const auto items, iterate(work_, values[i]));
      out.positional.insert(out.positional.end(), items.begin(), items.end());
    } else {
      QUERN_ENSURE(values[i].is_object(), Errc::format, "** needs a dict, found ", values[i].type_name());
      QUERN_CHECK(work_.spend_bytes(values[i].as_object().size() * sizeof(Value::Entry)));
      for (const auto& [key, value] : values[i].as_object().entries()) {
        QUERN_ENSURE(key.is_string(), Errc::format, "** needs a dict whose keys are strings");
        out.named.emplace_back(key.as_string(), value);
      }
    }
  }
  // The names above live in constants and in values that the caller still holds.
  return out;
}

Status Machine::filter(const Instruction& i) {
  const CallShape& shape = program_.calls[i.b];
  if (i.a < 0) {
    return fail(Errc::format, "no filter named '", program_.constants[static_cast<size_t>(-1 - i.a)].as_string(), "'");
  }
  QUERN_TRY(const Arguments arguments, take_arguments(shape));
  const size_t n = shape.arguments.size();
  QUERN_TRY(Value result, call_filter(work_, static_cast<uint32_t>(i.a), stack_[stack_.size() - n - 1], arguments));
  drop(n);
  stack_.back() = std::move(result);
  return {};
}

Status Machine::test(const Instruction& i) {
  const CallShape& shape = program_.calls[i.b];
  if (i.a < 0) {
    return fail(Errc::format, "no test named '", program_.constants[static_cast<size_t>(-1 - i.a)].as_string(), "'");
  }
  QUERN_TRY(const Arguments arguments, take_arguments(shape));
  const size_t n = shape.arguments.size();
  QUERN_TRY(const bool holds, call_test(work_, static_cast<uint32_t>(i.a), stack_[stack_.size() - n - 1], arguments));
  drop(n);
  stack_.back() = Value::boolean(holds != (i.flag == 1));
  return {};
}

Status Machine::call(const Instruction& i) {
  const CallShape& shape = program_.calls[i.b];
  QUERN_TRY(Arguments arguments, take_arguments(shape));
  const std::vector<Value> operands(top(shape.arguments.size() + 1).begin(), top(shape.arguments.size() + 1).end());
  drop(operands.size());
  const Value& callee = operands[0];
  switch (callee.kind()) {
    case Value::Kind::macro:
      return call_macro(*callee.as_macro(), std::move(arguments));
    case Value::Kind::loop:
      return call_loop(*callee.as_loop(), arguments);
    case Value::Kind::method: {
      QUERN_TRY(Value result, call_method(work_, callee.as_method(), arguments));
      push(std::move(result));
      return {};
    }
    case Value::Kind::function: {
      QUERN_TRY(Value result, call_function(work_, callee.as_function(), arguments));
      push(std::move(result));
      return {};
    }
    case Value::Kind::undefined:
      return undefined_error(callee);
    default:
      return fail(Errc::format, "a ", callee.type_name(), " cannot be called");
  }
}

Status Machine::enter_frame(size_t entry, std::shared_ptr<Scope> scope, size_t loop_entry, uint32_t nesting) {
  QUERN_ENSURE(frames_.size() < work_.options().limits.depth, Errc::memory, "calls are nested deeper than ",
               work_.options().limits.depth);
  frames_.push_back({at_, std::move(scope_), loop_entry, nesting});
  scope_ = std::move(scope);
  captures_.emplace_back();
  at_ = entry;
  return {};
}

void Machine::leave_frame() {
  at_ = frames_.back().return_to;
  scope_ = std::move(frames_.back().scope);
  frames_.pop_back();
}

Status Machine::call_macro(const Macro& macro, Arguments arguments) {
  const MacroCode& code = *macro.code;
  QUERN_CHECK(work_.spend(code.parameters.size() * (arguments.named.size() + 1) / 16));
  auto scope = std::make_shared<Scope>();
  scope->parent = macro.scope;
  const size_t given = std::min(arguments.positional.size(), code.parameters.size());
  for (size_t p = 0; p < code.parameters.size(); ++p) {
    scope->set(code.parameters[p], p < given ? arguments.positional[p] : Value());
  }
  Value caller;
  std::vector<Value::Entry> extra;
  for (auto& [name, value] : arguments.named) {
    size_t p = 0;
    while (p < code.parameters.size() && program_.names[code.parameters[p]] != name) ++p;
    if (p < code.parameters.size()) {
      QUERN_ENSURE(p >= given, Errc::format, "macro '", code.name, "': argument '", name, "' is given twice");
      *scope->find(code.parameters[p]) = std::move(value);
    } else if (name == "caller" && code.takes_caller) {
      caller = std::move(value);
    } else {
      QUERN_ENSURE(code.takes_kwargs, Errc::format, "macro '", code.name, "' has no argument '", name, "'");
      extra.emplace_back(work_.string(name), std::move(value));
    }
  }
  QUERN_ENSURE(arguments.positional.size() == given || code.takes_varargs, Errc::format, "macro '", code.name,
               "' takes at most ", code.parameters.size(), " arguments, found ", arguments.positional.size());
  if (code.takes_caller) scope->set(program_.name_caller, caller);
  if (code.takes_varargs) {
    QUERN_TRY(Value rest, work_.tuple({arguments.positional.begin() + static_cast<std::ptrdiff_t>(given),
                                       arguments.positional.end()}));
    scope->set(program_.name_varargs, std::move(rest));
  }
  if (code.takes_kwargs) {
    QUERN_TRY(Value rest, work_.object(std::move(extra)));
    scope->set(program_.name_kwargs, std::move(rest));
  }
  for (size_t p = 0; p < code.parameters.size(); ++p) {
    Value& value = *scope->find(code.parameters[p]);
    if (value.is_undefined() && value.undefined_name().empty()) {
      value = Value::undefined(Value::string(program_.names[code.parameters[p]]));
    }
  }
  return enter_frame(macro.entry, std::move(scope));
}

// ---- loops ----

Status Machine::call_loop(LoopState& loop, const Arguments& arguments) {
  QUERN_ENSURE(loop.recursive, Errc::format, "only a loop marked 'recursive' can be called");
  QUERN_TRY(const auto a, arguments.bind("loop", {"iterable"}));
  QUERN_CHECK(enter_frame(loop.entry, loop.outer, loop.entry, loop.nesting + 1));
  push(a[0]);
  return {};
}

Status Machine::loop_return(const Instruction& i) {
  const size_t entry = at_ - 1 + static_cast<size_t>(static_cast<int64_t>(i.a));
  if (frames_.empty() || frames_.back().loop_entry != entry) return {};
  Value text = end_capture();
  leave_frame();
  push(std::move(text));
  return {};
}

void Machine::keep_if_escaped(std::unique_ptr<LoopState> loop) {
  if (!loop->escaped) return;
  work_.meter()->live_bytes += loop->items.size() * sizeof(Value) + sizeof(LoopState);
  kept_loops_.push_back(std::move(loop));
}

Result<Value> loop_attribute(Work& work, const Value& value, const Value& name) {
  LoopState& loop = *value.as_loop();
  const std::string_view text = name.as_string();
  const auto turn = static_cast<int64_t>(loop.turn), size = static_cast<int64_t>(loop.items.size());
  if (text == "index") return Value::integer(turn);
  if (text == "index0") return Value::integer(turn - 1);
  if (text == "revindex") return Value::integer(size - turn + 1);
  if (text == "revindex0") return Value::integer(size - turn);
  if (text == "first") return Value::boolean(turn == 1);
  if (text == "last") return Value::boolean(turn == size);
  if (text == "length") return Value::integer(size);
  if (text == "depth") return Value::integer(loop.nesting + 1);
  if (text == "depth0") return Value::integer(loop.nesting);
  if (text == "previtem") return loop.turn > 1 ? loop.items[loop.turn - 2] : Value::undefined(name);
  if (text == "nextitem") return loop.turn < loop.items.size() ? loop.items[loop.turn] : Value::undefined(name);
  if (const auto method = find_method(Value::Kind::loop, text)) {
    loop.escaped = true;
    return work.method(value, *method);
  }
  return Value::undefined(name);
}

Result<Value> call_loop_cycle(Work&, const Value& loop, const Arguments& arguments) {
  QUERN_ENSURE(!arguments.positional.empty(), Errc::format, "loop.cycle needs values");
  return arguments.positional[(loop.as_loop()->turn - 1) % arguments.positional.size()];
}

Result<Value> call_loop_changed(Work& work, const Value& loop, const Arguments& arguments) {
  QUERN_TRY(Value seen, work.tuple(arguments.positional));
  std::optional<Value>& last = loop.as_loop()->last_seen;
  if (last) {
    QUERN_TRY(const bool same, equal(work, *last, seen));
    if (same) return Value::boolean(false);
  }
  last = std::move(seen);
  return Value::boolean(true);
}

}  // namespace quern::chat
