// Writes the instructions of a program while it is parsed.
#pragma once

#include <map>
#include <memory>

#include "lib/chat/program.h"

namespace quern::chat {

class Emitter {
 public:
  using Code = std::vector<Instruction>;

  Emitter() : program_(std::make_shared<Template::Program>()) {}

  Template::Program& program() { return *program_; }
  std::shared_ptr<const Template::Program> finish() { return std::move(program_); }

  void at(uint32_t position) { position_ = position; }
  uint32_t position() const { return position_; }
  size_t here() const { return program_->code.size(); }
  Instruction& operator[](size_t place) { return program_->code[place]; }

  size_t emit(Op op, int32_t a = 0, uint32_t b = 0, uint8_t flag = 0) {
    program_->code.push_back({op, flag, a, b, position_});
    return here() - 1;
  }
  /// Makes the jump at `place` go to the next instruction to be written.
  void land(size_t place) { program_->code[place].a = static_cast<int32_t>(here() - place); }
  /// A jump back to `target`.
  void emit_back(Op op, size_t target) {
    const size_t place = emit(op);
    program_->code[place].a = static_cast<int32_t>(static_cast<int64_t>(target) - static_cast<int64_t>(place));
  }
  /// Takes away the code from `start` on. Jumps are relative, so code can be put back elsewhere in one piece.
  Code cut(size_t start) {
    Code out(program_->code.begin() + static_cast<std::ptrdiff_t>(start), program_->code.end());
    program_->code.resize(start, Instruction{Op::stop});
    return out;
  }
  void paste(const Code& code) { program_->code.insert(program_->code.end(), code.begin(), code.end()); }

  uint32_t constant(Value value) {
    program_->constants.push_back(std::move(value));
    return static_cast<uint32_t>(program_->constants.size() - 1);
  }
  /// A string, the same one for equal texts.
  uint32_t text(const std::string& text) {
    const auto [it, fresh] = texts_.try_emplace(text, 0);
    if (fresh) it->second = constant(Value::string(text));
    return it->second;
  }
  uint32_t name(const std::string& name) {
    const auto [it, fresh] = names_.try_emplace(name, 0);
    if (fresh) {
      program_->names.push_back(name);
      it->second = static_cast<uint32_t>(program_->names.size() - 1);
    }
    return it->second;
  }
  uint32_t call(CallShape shape) {
    program_->calls.push_back(std::move(shape));
    return static_cast<uint32_t>(program_->calls.size() - 1);
  }

 private:
  std::shared_ptr<Template::Program> program_;
  std::map<std::string, uint32_t, std::less<>> texts_, names_;
  uint32_t position_ = 0;
};

}  // namespace quern::chat
