// The window: a bar with the model, the conversation, the line to write in, a line of status.
#pragma once

#include <gtk/gtk.h>

#include <memory>
#include <string>

#include "examples/desktop/engine.h"
#include "examples/desktop/settings.h"
#include "examples/desktop/transcript.h"

namespace desktop {

struct Arguments {
  std::string model;    // empty: the last one, or the demo
  std::string backend;  // empty: the usual one
  double temperature = 0.8;
};

class Window {
 public:
  Window(GtkApplication* application, const Arguments& arguments);
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  /// Ends the engine: what runs is stopped and waited for.
  void shut_down() { engine_.reset(); }

  // What the window does; its buttons and keys call these.
  void load(const std::string& path);
  void send();
  void stop();
  void new_chat();
  void open_file();
  void show_system_prompt(bool shown);
  void copy_conversation();

  bool busy() const { return state_ == State::loading || state_ == State::answering; }
  const Transcript& transcript() const { return transcript_; }
  GtkWidget* widget() const { return window_; }
  GtkWidget* input() const { return input_; }
  GtkWidget* send_button() const { return send_; }
  GtkWidget* stop_button() const { return stop_; }
  GtkWidget* new_button() const { return new_; }
  GtkWidget* model_button() const { return model_button_; }
  GtkTextBuffer* prompt_buffer() const;
  std::string status() const;
  /// The text of the bar of errors; empty while it is not shown.
  std::string error() const;

 private:
  enum class State { empty, loading, ready, answering };

  void build();
  GtkWidget* build_header();
  GtkWidget* build_models();
  GtkWidget* build_prompt();
  GtkWidget* build_input();
  void fill_models();
  void set_state(State state);
  void set_status(const std::string& left, const std::string& right);
  void show_error(const std::string& text);
  void hide_error();
  void on_event(const Event& event);
  void on_loaded(const Event& event);
  void on_finished(const Event& event);
  void on_failed(const Event& event);
  std::string input_text() const;
  void set_input(const std::string& text);

  static gboolean on_window_key(GtkWidget* widget, GdkEventKey* key, gpointer self);
  static gboolean on_input_key(GtkWidget* widget, GdkEventKey* key, gpointer self);
  static void on_apply_prompt(GtkButton* button, gpointer self);
  static void on_model_chosen(GtkButton* button, gpointer self);

  Settings settings_;
  double temperature_;
  State state_ = State::empty;
  std::string model_path_, model_name_, sent_;
  bool forget_answer_ = false;  // a new conversation was asked for: what still comes is of the old one

  Transcript transcript_;
  GtkWidget *window_ = nullptr, *model_button_ = nullptr, *model_label_ = nullptr, *models_ = nullptr, *new_ = nullptr;
  GtkWidget *error_bar_ = nullptr, *error_label_ = nullptr, *progress_ = nullptr;
  GtkWidget *prompt_revealer_ = nullptr, *prompt_view_ = nullptr, *prompt_toggle_ = nullptr;
  GtkWidget *input_ = nullptr, *send_ = nullptr, *stop_ = nullptr, *action_stack_ = nullptr;
  GtkWidget *status_left_ = nullptr, *status_right_ = nullptr;
  std::unique_ptr<Engine> engine_;  // the last member: it is gone before what its events need
};

}  // namespace desktop
