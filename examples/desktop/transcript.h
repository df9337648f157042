// The conversation as it is shown: a column of messages that scrolls, and what is there before the first one.
#pragma once

#include <gtk/gtk.h>

#include <string>
#include <vector>

namespace desktop {

class Transcript {
 public:
  Transcript();
  GtkWidget* widget() const { return stack_; }

  void add_question(const std::string& text);
  /// An empty answer, which append_answer fills.
  void begin_answer();
  void append_answer(const std::string& text);
  /// Marks the answer as whole; `note` is shown under it ("stopped").
  void end_answer(const std::string& note);
  /// Takes back the last question and its answer.
  void remove_last();
  void clear();
  void set_welcome(const std::string& title, const std::string& text);

  const std::string& last_answer() const;
  std::string as_text() const;
  size_t n_messages() const { return messages_.size(); }

 private:
  struct Message {
    bool question = false;
    std::string text;
    GtkWidget *row = nullptr, *label = nullptr, *footer = nullptr, *note = nullptr;
  };
  Message& add(bool question, const std::string& text);
  static void on_copy(GtkButton* button, gpointer label);
  static void on_resize(GtkAdjustment* adjustment, gpointer self);
  static void on_scroll(GtkAdjustment* adjustment, gpointer self);

  GtkWidget *stack_, *scroller_, *column_, *title_, *hint_;
  bool follow_ = true;  // the end is in sight, and stays so
  std::vector<Message> messages_;
};

/// An accessible name for a widget that shows none.
void name_widget(GtkWidget* widget, const char* name);
void add_class(GtkWidget* widget, const char* name);
void put_on_clipboard(const std::string& text);

}  // namespace desktop
