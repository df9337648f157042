// --script FILE: drives the widgets as a person would, and holds what they show to what the file expects. For tests,
// and to make pictures of the window. A line is a command:
//
//   type TEXT          writes into the message box
//   erase              empties it
//   key NAME           presses a key: Return, Escape, ctrl+n
//   click NAME         a button: send, stop, new, model
//   open PATH          opens a model
//   prompt TEXT        shows the system prompt, and writes it
//   wait               until nothing is being opened or answered
//   wait-text N        until the answer has N bytes
//   sleep MS
//   answer TEXT        the last answer is this
//   answer-shorter N   it has fewer than N bytes
//   messages N         so many messages are shown
//   status PART        the status line has this in it
//   error PART         the bar of errors is shown, with this in it
//   no-error           it is not shown
//   clipboard PART     the clipboard has this in it
//   picture FILE       makes a picture of the window (PNG)
//
// At the end, or at the first line that does not hold, the window closes; the exit status tells which.
#pragma once

#include <gtk/gtk.h>

#include <memory>
#include <string>
#include <vector>

#include "examples/desktop/window.h"

namespace desktop {

class Script {
 public:
  /// Begins with the main loop. `*exit_status` is set when the script has ended.
  static std::unique_ptr<Script> start(const std::string& path, Window& window, int* exit_status);
  ~Script();

 private:
  Script(Window& window, int* exit_status) : window_(window), exit_status_(exit_status) {}
  static gboolean on_tick(gpointer self);
  enum class Result { done, wait, failed };
  Result step(const std::string& command, const std::string& rest);
  Result look(const std::string& command, const std::string& rest);
  Result expect(bool holds, const std::string& got);
  Result click(const std::string& name);
  void press(const std::string& name);
  void type(const std::string& text);
  bool picture(const std::string& path);

  Window& window_;
  int* exit_status_;
  std::vector<std::string> lines_;
  size_t next_ = 0;
  int64_t since_us_ = 0;  // when the line that waits began
  guint source_ = 0;
};

}  // namespace desktop
