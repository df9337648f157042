// Runs a compiled template: a loop over its instructions, with its stacks on the heap.
#pragma once

#include <memory>
#include <span>
#include <unordered_map>

#include "lib/chat/program.h"
#include "lib/chat/work.h"

namespace quern::chat {

/// The variables of a block, in the block around it.
struct Scope {
  std::shared_ptr<Scope> parent;
  std::vector<std::pair<uint32_t, Value>> variables;  ///< by name number
  std::unordered_map<uint32_t, uint32_t> places;      ///< in `variables`; empty while these are few

  Value* find(uint32_t name);
  void set(uint32_t name, Value value);
};

/// A macro in the place where it was defined.
struct Macro {
  const MacroCode* code = nullptr;
  size_t entry = 0;
  std::shared_ptr<Scope> scope;
};

/// One running for loop, and the variable `loop`.
struct LoopState {
  std::vector<Value> items;
  size_t turn = 0;  ///< of the item in hand, from 1; 0 before the first
  uint32_t nesting = 0;
  std::vector<Value> kept;         ///< of a loop that filters
  std::optional<Value> last_seen;  ///< by loop.changed()
  // What is restored when a turn or the loop ends.
  size_t stack_size = 0, captures = 0;
  std::shared_ptr<Scope> outer;
  bool shows_loop = true, recursive = false;
  bool escaped = false;  ///< a value may refer to it after its end
  size_t entry = 0;      ///< of recursive loops: where loop(...) goes to
};

Result<Value> loop_attribute(Work& work, const Value& loop, const Value& name);
Result<Value> call_loop_cycle(Work& work, const Value& loop, const Arguments& arguments);
Result<Value> call_loop_changed(Work& work, const Value& loop, const Arguments& arguments);

class Machine {
 public:
  Machine(const Template::Program& program, const Value& variables, const RenderOptions& options);
  Result<std::string> run();

 private:
  static constexpr size_t kNoLoop = SIZE_MAX;

  // What a call goes back to.
  struct Frame {
    size_t return_to = 0;
    std::shared_ptr<Scope> scope;
    size_t loop_entry = kNoLoop;  ///< of a call loop(...)
    uint32_t nesting = 0;
  };

  Status step(const Instruction& instruction);
  Status step_expression(const Instruction& instruction);
  Status step_block(const Instruction& instruction);
  void jump(const Instruction& instruction) {
    at_ = at_ - 1 + static_cast<size_t>(static_cast<int64_t>(instruction.a));
  }

  void push(Value value) { stack_.push_back(std::move(value)); }
  Value pop() {
    Value out = std::move(stack_.back());
    stack_.pop_back();
    return out;
  }
  std::span<const Value> top(size_t n) const { return std::span(stack_).last(n); }
  void drop(size_t n) { stack_.resize(stack_.size() - n); }

  Result<Value> load(const Instruction& instruction);
  Status store_attribute(const Instruction& instruction);
  Status write(std::string_view text);
  Status write_value();
  Status concatenate(size_t n);
  Status compare_chain(const Instruction& instruction);
  Status make_dict(size_t n);
  Status slice_top();
  Status unpack(size_t n);

  Status loop_begin(const Instruction& instruction);
  Status loop_next(const Instruction& instruction);
  std::unique_ptr<LoopState> end_loop();
  void keep_if_escaped(std::unique_ptr<LoopState> loop);
  void truncate_captures(size_t n);
  Status loop_return(const Instruction& instruction);

  /// Takes the arguments of a call off the stack; the callee or input is then on top.
  Result<Arguments> take_arguments(const CallShape& shape);
  Status filter(const Instruction& instruction);
  Status test(const Instruction& instruction);
  Status call(const Instruction& instruction);
  Status call_macro(const Macro& macro, Arguments arguments);
  Status call_loop(LoopState& loop, const Arguments& arguments);
  Status enter_frame(size_t entry, std::shared_ptr<Scope> scope, size_t loop_entry = kNoLoop, uint32_t nesting = 0);
  void leave_frame();
  Value end_capture();

  const Template::Program& program_;
  Work work_;                   // before everything that holds values
  std::vector<Value> context_;  ///< the given variables and the globals, by name number
  std::vector<Value> stack_;
  std::vector<std::string> captures_;  ///< the first is the output
  std::vector<Frame> frames_;
  std::vector<std::unique_ptr<LoopState>> loops_, kept_loops_;
  std::vector<std::unique_ptr<Macro>> macros_;
  std::shared_ptr<Scope> scope_;
  size_t at_ = 0;
};

}  // namespace quern::chat
