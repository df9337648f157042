#include "lib/chat/machine.h"

#include "lib/chat/globals.h"
#include "lib/chat/operators.h"
#include "lib/chat/print.h"

namespace quern::chat {

namespace {
constexpr size_t kScanLimit = 16;  // variables up to which a scan beats the index
}

Value* Scope::find(uint32_t name) {
  if (!places.empty()) {
    const auto found = places.find(name);
    return found == places.end() ? nullptr : &variables[found->second].second;
  }
  for (auto& [number, value] : variables) {
    if (number == name) return &value;
  }
  return nullptr;
}

void Scope::set(uint32_t name, Value value) {
  if (Value* const old = find(name)) {
    *old = std::move(value);
    return;
  }
  variables.emplace_back(name, std::move(value));
  if (variables.size() <= kScanLimit) return;
  for (auto i = static_cast<uint32_t>(places.size()); i < variables.size(); ++i) places.emplace(variables[i].first, i);
}

Machine::Machine(const Template::Program& program, const Value& variables, const RenderOptions& options)
    : program_(program), work_(options), captures_(1), scope_(std::make_shared<Scope>()) {
  context_.reserve(program.names.size());
  for (const std::string& name : program.names) {
    const Value* const given = variables.is_object() ? variables.as_object().find(name) : nullptr;
    if (given) {
      context_.push_back(*given);
    } else if (const auto function = find_function(name)) {
      context_.push_back(Value::function(*function));
    } else {
      context_.push_back(Value::undefined(Value::string(name)));
    }
  }
}

Result<std::string> Machine::run() {
  while (true) {
    const Instruction& instruction = program_.code[at_++];
    if (instruction.op == Op::stop) return std::move(captures_[0]);
    Status status = work_.spend(1);
    if (status) status = step(instruction);
    if (!status) {
      return fail(status.error().code, describe_position(program_.source, instruction.position), ": ",
                  status.error().message);
    }
  }
}

Status Machine::step(const Instruction& i) {
  switch (i.op) {
    case Op::constant:
      push(program_.constants[static_cast<size_t>(i.a)]);
      return {};
    case Op::name: {
      QUERN_TRY(Value value, load(i));
      push(std::move(value));
      return {};
    }
    case Op::store:
      scope_->set(static_cast<uint32_t>(i.a), pop());
      return {};
    case Op::store_attribute:
      return store_attribute(i);
    case Op::pop:
      drop(1);
      return {};
    case Op::output:
      return write_value();
    case Op::text:
      return write(program_.constants[static_cast<size_t>(i.a)].as_string());
    case Op::jump:
      jump(i);
      return {};
    case Op::jump_if_false:
      if (!truthy(pop())) jump(i);
      return {};
    case Op::jump_and:
    case Op::jump_or:
      if (truthy(stack_.back()) == (i.op == Op::jump_or)) {
        jump(i);
      } else {
        drop(1);
      }
      return {};
    case Op::filter:
      return filter(i);
    case Op::test:
      return test(i);
    case Op::call:
      return call(i);
    default:
      return i.op < Op::begin_capture ? step_expression(i) : step_block(i);
  }
}

Status Machine::step_expression(const Instruction& i) {
  const size_t n = static_cast<size_t>(i.a);
  switch (i.op) {
    case Op::attribute: {
      QUERN_TRY(stack_.back(), attribute(work_, stack_.back(), program_.constants[n]));
      return {};
    }
    case Op::item: {
      const Value key = pop();
      QUERN_TRY(stack_.back(), item(work_, stack_.back(), key));
      return {};
    }
    case Op::slice:
      return slice_top();
    case Op::make_list:
    case Op::make_tuple: {
      std::vector<Value> items(top(n).begin(), top(n).end());
      drop(n);
      QUERN_TRY(Value made, i.op == Op::make_list ? work_.list(std::move(items)) : work_.tuple(std::move(items)));
      push(std::move(made));
      return {};
    }
    case Op::make_dict:
      return make_dict(n);
    case Op::negate: {
      QUERN_TRY(stack_.back(), negate(stack_.back()));
      return {};
    }
    case Op::plus:
      QUERN_ENSURE(stack_.back().is_number(), Errc::format, "a ", stack_.back().type_name(), " is not a number");
      if (stack_.back().is_integral()) stack_.back() = Value::integer(stack_.back().as_integer());
      return {};
    case Op::logical_not:
      stack_.back() = Value::boolean(!truthy(stack_.back()));
      return {};
    case Op::binary: {
      const Value right = pop();
      QUERN_TRY(stack_.back(), binary(work_, static_cast<Binary>(i.flag), stack_.back(), right));
      return {};
    }
    case Op::concatenate:
      return concatenate(n);
    case Op::compare: {
      const Value right = pop();
      QUERN_TRY(const bool holds, compare(work_, static_cast<Compare>(i.flag), stack_.back(), right));
      stack_.back() = Value::boolean(holds);
      return {};
    }
    case Op::compare_chain:
      return compare_chain(i);
    default:
      return fail(Errc::internal, "unknown instruction");
  }
}

Status Machine::step_block(const Instruction& i) {
  switch (i.op) {
    case Op::begin_capture:
      captures_.emplace_back();
      return {};
    case Op::end_capture:
      push(end_capture());
      return {};
    case Op::push_scope: {
      auto inner = std::make_shared<Scope>();
      inner->parent = std::move(scope_);
      scope_ = std::move(inner);
      return {};
    }
    case Op::pop_scope: {
      auto outer = scope_->parent;
      scope_ = std::move(outer);
      return {};
    }
    case Op::unpack:
      return unpack(static_cast<size_t>(i.a));
    case Op::loop_begin:
      return loop_begin(i);
    case Op::loop_next:
      return loop_next(i);
    case Op::loop_end: {
      auto loop = end_loop();
      const bool empty = loop->items.empty();
      keep_if_escaped(std::move(loop));
      if (i.flag) push(Value::boolean(empty));
      return {};
    }
    case Op::loop_keep:
      if (truthy(pop())) loops_.back()->kept.push_back(loops_.back()->items[loops_.back()->turn - 1]);
      return {};
    case Op::loop_kept: {
      QUERN_TRY(Value kept, work_.list(std::move(end_loop()->kept)));
      push(std::move(kept));
      return {};
    }
    case Op::loop_return:
      return loop_return(i);
    case Op::macro: {
      const MacroCode& code = program_.macros[static_cast<size_t>(i.a)];
      QUERN_CHECK(work_.room(512));
      work_.meter()->live_bytes += 512;  // macros, and the scopes they keep, live to the end
      macros_.push_back(std::make_unique<Macro>(Macro{&code, at_ - 1 - code.entry, scope_}));
      for (const auto& loop : loops_) loop->escaped = true;
      push(Value::macro(macros_.back().get()));
      return {};
    }
    case Op::default_value: {
      const Value* const given = scope_->find(i.b);
      if (given && !given->is_undefined()) jump(i);
      return {};
    }
    case Op::macro_return: {
      Value text = end_capture();
      leave_frame();
      push(std::move(text));
      return {};
    }
    default:
      return fail(Errc::internal, "unknown instruction");
  }
}

// ---- names and output ----

Result<Value> Machine::load(const Instruction& i) {
  const auto name = static_cast<uint32_t>(i.a);
  uint64_t seen = 0;
  for (Scope* scope = scope_.get(); scope; scope = scope->parent.get()) {
    if (const Value* const found = scope->find(name)) {
      if (found->is(Value::Kind::loop) && !i.flag) found->as_loop()->escaped = true;
      return *found;
    }
    seen += 4 + std::min(scope->variables.size(), kScanLimit);
  }
  QUERN_CHECK(work_.spend(seen / 64));
  return context_[name];
}

Status Machine::store_attribute(const Instruction& i) {
  QUERN_TRY(const Value space, load(i));
  QUERN_ENSURE(space.is(Value::Kind::space), Errc::format, "'", program_.names[static_cast<size_t>(i.a)],
               "' is not a namespace, so it has no attributes to set");
  return work_.set_attribute(*space.as_space(), program_.constants[i.b].as_string(), pop());
}

Status Machine::write(std::string_view text) {
  QUERN_CHECK(work_.spend_bytes(text.size()));
  const uint64_t limit = work_.options().limits.output_bytes;
  QUERN_ENSURE(text.size() <= limit && captures_.back().size() <= limit - text.size(), Errc::memory,
               "the template writes more than ", limit, " bytes");
  captures_.back().append(text);
  work_.add_buffered(text.size());
  return {};
}

Status Machine::write_value() {
  const Value value = pop();
  if (value.is_string()) return write(value.as_string());
  QUERN_TRY(const std::string text, str(work_, value));
  return write(text);
}

Value Machine::end_capture() {
  work_.drop_buffered(captures_.back().size());
  Value text = work_.string(std::move(captures_.back()));
  captures_.pop_back();
  return text;
}

void Machine::truncate_captures(size_t n) {
  while (captures_.size() > n) {
    work_.drop_buffered(captures_.back().size());
    captures_.pop_back();
  }
}

// ---- values ----

Status Machine::concatenate(size_t n) {
  std::string out;
  for (const Value& part : top(n)) {
    QUERN_TRY(const std::string text, str(work_, part));
    QUERN_CHECK(work_.room(out.size() + text.size()));
    out.append(text);
  }
  drop(n);
  push(work_.string(std::move(out)));
  return {};
}

Status Machine::compare_chain(const Instruction& i) {
  Value right = pop();
  QUERN_TRY(const bool holds, compare(work_, static_cast<Compare>(i.flag), stack_.back(), right));
  stack_.back() = holds ? std::move(right) : Value::boolean(false);
  if (!holds) jump(i);
  return {};
}

Status Machine::make_dict(size_t n) {
  std::vector<Value::Entry> entries;
  entries.reserve(n);
  const auto parts = top(2 * n);
  for (size_t i = 0; i < n; ++i) entries.emplace_back(parts[2 * i], parts[2 * i + 1]);
  drop(2 * n);
  QUERN_TRY(Value made, work_.object(std::move(entries)));
  push(std::move(made));
  return {};
}

Status Machine::slice_top() {
  const Value step = pop(), stop = pop(), start = pop();
  QUERN_TRY(stack_.back(), slice(work_, stack_.back(), start, stop, step));
  return {};
}

Status Machine::unpack(size_t n) {
  const Value value = pop();
  QUERN_TRY(std::vector<Value> items, iterate(work_, value));
  QUERN_ENSURE(items.size() == n, Errc::format, "cannot assign ", items.size(), " values to ", n, " names");
  for (size_t i = n; i-- > 0;) push(std::move(items[i]));
  return {};
}

// ---- loops ----

Status Machine::loop_begin(const Instruction& i) {
  auto loop = std::make_unique<LoopState>();
  const Value iterable = pop();
  QUERN_TRY(loop->items, iterate(work_, iterable));
  loop->shows_loop = i.flag != 1;
  loop->recursive = i.flag == 2;
  if (loop->recursive) {
    loop->entry = at_ - 1 + static_cast<size_t>(static_cast<int64_t>(i.a));
    if (!frames_.empty() && frames_.back().loop_entry == loop->entry) loop->nesting = frames_.back().nesting;
  }
  loop->stack_size = stack_.size();
  loop->captures = captures_.size();
  loop->outer = scope_;
  work_.add_buffered(loop->items.size() * sizeof(Value) + sizeof(LoopState));
  loops_.push_back(std::move(loop));
  return {};
}

Status Machine::loop_next(const Instruction& i) {
  LoopState& loop = *loops_.back();
  stack_.resize(loop.stack_size);
  truncate_captures(loop.captures);
  if (loop.turn == loop.items.size()) {
    jump(i);
    return {};
  }
  push(loop.items[loop.turn++]);
  // The scope of the turn before is used again unless a macro keeps it.
  if (scope_ != loop.outer && scope_.use_count() == 1 && scope_->parent == loop.outer) {
    scope_->variables.clear();
    scope_->places.clear();
  } else {
    scope_ = std::make_shared<Scope>();
    scope_->parent = loop.outer;
  }
  if (loop.shows_loop) scope_->set(program_.name_loop, Value::loop(&loop));
  return {};
}

std::unique_ptr<LoopState> Machine::end_loop() {
  std::unique_ptr<LoopState> loop = std::move(loops_.back());
  loops_.pop_back();
  stack_.resize(loop->stack_size);
  truncate_captures(loop->captures);
  scope_ = loop->outer;
  work_.drop_buffered(loop->items.size() * sizeof(Value) + sizeof(LoopState));
  return loop;
}

}  // namespace quern::chat
