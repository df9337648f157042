// A compiled template: instructions for a machine with a stack of values. Templates are not kept as trees, so neither
// running nor destroying one recurses, however deep it nests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/chat/template.h"

namespace quern::chat {

enum class Op : uint8_t {
  // What is popped and pushed is written (popped -- pushed). Jumps go `a` instructions on from their own place.
  constant,         ///< ( -- constants[a])
  name,             ///< ( -- value of names[a]); flag 1: only looked into, so a `loop` does not outlive its loop
  store,            ///< (value -- ) names[a] in the innermost scope
  store_attribute,  ///< (value -- ) attribute constants[b] of the namespace names[a]
  pop,              ///< (value -- )
  output,           ///< (value -- ) its text is written
  text,             ///< ( -- ) constants[a] is written
  attribute,        ///< (object -- object.constants[a])
  item,             ///< (object key -- object[key])
  slice,            ///< (object start stop step -- slice)
  make_list,        ///< (a items -- list)
  make_tuple,       ///< (a items -- tuple)
  make_dict,        ///< (a keys and values -- dict)
  negate,           ///< (number -- )
  plus,             ///< (number -- number)
  logical_not,      ///< (value -- bool)
  binary,           ///< (left right -- value); flag: the operator
  concatenate,      ///< (a values -- string)
  compare,          ///< (left right -- bool); flag: the comparison
  compare_chain,    ///< (left right -- right), or (left right -- False) and jump where it does not hold
  jump,
  jump_if_false,  ///< (value -- )
  jump_and,       ///< (value -- ), or stays and jumps if false
  jump_or,        ///< (value -- ), or stays and jumps if true
  filter,         ///< (input arguments -- value); a: number, or -1 - constant of an unknown name; b: call
  test,           ///< (input arguments -- bool); like filter; flag 1: negated
  call,           ///< (callee arguments -- result); b: call
  begin_capture,  ///< output goes to a buffer from here
  end_capture,    ///< ( -- string) the buffer
  push_scope,
  pop_scope,
  unpack,         ///< (sequence -- a items, the last first)
  loop_begin,     ///< (iterable -- ); flag 1: `loop` is not made known; 2: recursive, a: its entry
  loop_next,      ///< ( -- item) in a fresh scope, or jump
  loop_end,       ///< ends the loop; flag 1: ( -- bool) whether it had no item
  loop_keep,      ///< (bool -- ) if true the current item is kept
  loop_kept,      ///< ends the loop ( -- list of kept items)
  loop_return,    ///< ends a loop called as loop(...): ( -- text), back to the caller; a: its entry
  macro,          ///< ( -- macro macros[a] in the present scope)
  default_value,  ///< jumps if names[b] has a value in the innermost scope
  macro_return,   ///< ends a macro
  stop,
};

struct Instruction {
  Op op;
  uint8_t flag = 0;
  int32_t a = 0;
  uint32_t b = 0;
  uint32_t position = 0;  ///< byte in the source, for messages
};

/// How the arguments of a call lie on the stack.
struct CallShape {
  enum class Kind : uint8_t { positional, named, list, dict };  ///< the latter two: *x, **x
  struct Argument {
    Kind kind;
    uint32_t name = 0;  ///< constant
  };
  std::vector<Argument> arguments;
};

struct MacroCode {
  std::string name;
  std::vector<uint32_t> parameters;  ///< names
  uint32_t entry = 0;                ///< its first instruction, relative to the one that makes the macro
  bool takes_caller = false, takes_varargs = false, takes_kwargs = false;
};

struct Template::Program {
  std::string source;  ///< normalized
  std::vector<Instruction> code;
  std::vector<Value> constants;
  std::vector<std::string> names;
  std::vector<CallShape> calls;
  std::vector<MacroCode> macros;
  // Places in `names` that the machine knows.
  uint32_t name_loop = 0, name_caller = 0, name_varargs = 0, name_kwargs = 0;
};

/// "line 3, column 7" of a byte of the source.
std::string describe_position(std::string_view source, uint32_t position);

/// Lexes and parses.
Result<std::shared_ptr<const Template::Program>> compile_program(std::string_view source,
                                                                 const WhitespaceOptions& whitespace);

}  // namespace quern::chat
