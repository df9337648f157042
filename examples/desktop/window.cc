#include "examples/desktop/window.h"

#include <array>
#include <cstdio>
#include <filesystem>

namespace desktop {

namespace {

std::string file_name(const std::string& path) { return std::filesystem::path(path).filename().string(); }

/// "6.8M", "8.0B".
std::string short_count(uint64_t n) {
  std::array<char, 32> text{};
  const double count = static_cast<double>(n);
  if (n >= 1000000000) {
    std::snprintf(text.data(), text.size(), "%.1fB", count / 1e9);
  } else {
    std::snprintf(text.data(), text.size(), "%.1fM", count / 1e6);
  }
  return text.data();
}

std::string speed(const Event& event) {
  std::array<char, 64> text{};
  const char* plural = event.n_tokens == 1 ? "" : "s";
  if (event.tokens_per_second > 0) {
    std::snprintf(text.data(), text.size(), "%u token%s \u00b7 %.1f tokens/s", event.n_tokens, plural,
                  event.tokens_per_second);
  } else {
    std::snprintf(text.data(), text.size(), "%u token%s", event.n_tokens, plural);
  }
  return text.data();
}

}  // namespace

Window::Window(GtkApplication* application, const Arguments& arguments)
    : settings_(Settings::load()), temperature_(arguments.temperature) {
  window_ = gtk_application_window_new(application);
  build();
  engine_ = std::make_unique<Engine>(arguments.backend, [this](const Event& event) { on_event(event); });
  gtk_widget_show(window_);
  std::string path = arguments.model;
  if (path == "demo" || (path.empty() && settings_.recent.empty())) path = demo_model_path();
  if (path.empty() && !settings_.recent.empty()) path = settings_.recent.front();
  if (path.empty()) {
    set_state(State::empty);
    transcript_.set_welcome("No model yet", "Choose a model file (GGUF) above.");
  } else {
    load(path);
  }
  gtk_widget_grab_focus(input_);
}

void Window::load(const std::string& path) {
  hide_error();
  gtk_popover_popdown(GTK_POPOVER(models_));
  if (state_ == State::answering) transcript_.end_answer("Stopped");  // kept, should the new model not open
  forget_answer_ = state_ == State::answering;
  engine_->stop();
  set_state(State::loading);
  gtk_progress_bar_set_fraction(GTK_PROGRESS_BAR(progress_), 0);
  set_status("Opening " + file_name(path) + " \u2026", "");
  gtk_label_set_text(GTK_LABEL(model_label_), file_name(path).c_str());
  engine_->load(path, settings_.system_prompt);
}

void Window::send() {
  const std::string text = input_text();
  if (state_ != State::ready || text.find_first_not_of(" \n\t") == std::string::npos) return;
  hide_error();
  sent_ = text;
  set_input("");
  transcript_.add_question(text);
  transcript_.begin_answer();
  set_state(State::answering);
  set_status("Answering \u2026", "");
  engine_->send(text, temperature_);
}

void Window::stop() {
  if (busy()) engine_->stop();
}

void Window::new_chat() {
  hide_error();
  if (state_ == State::loading || state_ == State::empty) return;
  forget_answer_ = state_ == State::answering;
  engine_->stop();
  transcript_.clear();
  engine_->clear(settings_.system_prompt);
  gtk_widget_grab_focus(input_);
}

void Window::copy_conversation() {
  if (transcript_.n_messages() == 0) return;
  put_on_clipboard(transcript_.as_text());
  set_status("Copied the conversation", "");
}

void Window::open_file() {
  gtk_popover_popdown(GTK_POPOVER(models_));
  GtkFileChooserNative* chooser = gtk_file_chooser_native_new("Open a model", GTK_WINDOW(window_),
                                                              GTK_FILE_CHOOSER_ACTION_OPEN, "_Open", "_Cancel");
  GtkFileFilter* models = gtk_file_filter_new();
  gtk_file_filter_set_name(models, "Models (GGUF)");
  gtk_file_filter_add_pattern(models, "*.gguf");
  gtk_file_chooser_add_filter(GTK_FILE_CHOOSER(chooser), models);
  GtkFileFilter* all = gtk_file_filter_new();
  gtk_file_filter_set_name(all, "All files");
  gtk_file_filter_add_pattern(all, "*");
  gtk_file_chooser_add_filter(GTK_FILE_CHOOSER(chooser), all);
  if (gtk_native_dialog_run(GTK_NATIVE_DIALOG(chooser)) == GTK_RESPONSE_ACCEPT) {
    char* path = gtk_file_chooser_get_filename(GTK_FILE_CHOOSER(chooser));
    if (path != nullptr) load(path);
    g_free(path);
  }
  g_object_unref(chooser);
}

void Window::set_state(State state) {
  state_ = state;
  const bool ready = state == State::ready;
  gtk_widget_set_sensitive(send_, ready);
  gtk_widget_set_sensitive(new_, ready || state == State::answering);
  gtk_widget_set_visible(progress_, state == State::loading);
  gtk_stack_set_visible_child(GTK_STACK(action_stack_), busy() ? stop_ : send_);
}

void Window::on_event(const Event& event) {
  switch (event.kind) {
    case Event::Kind::loading:
      if (state_ == State::loading) gtk_progress_bar_set_fraction(GTK_PROGRESS_BAR(progress_), event.share);
      break;
    case Event::Kind::loaded:
      on_loaded(event);
      break;
    case Event::Kind::load_failed:
      set_state(model_path_.empty() ? State::empty : State::ready);
      forget_answer_ = false;
      gtk_label_set_text(GTK_LABEL(model_label_), model_name_.empty() ? "No model" : model_name_.c_str());
      if (event.status != QUERN_ERROR_CANCELLED) show_error(event.text);
      set_status(event.status == QUERN_ERROR_CANCELLED ? "Stopped" : "Could not open the model", "");
      if (model_path_.empty()) transcript_.set_welcome("No model yet", "Choose a model file above.");
      break;
    case Event::Kind::text:
      if (forget_answer_) break;
      transcript_.append_answer(event.text);
      set_status("Answering \u2026", speed(event));
      break;
    case Event::Kind::finished:
      on_finished(event);
      break;
    case Event::Kind::failed:
    case Event::Kind::clear_failed:
      on_failed(event);
      break;
    case Event::Kind::cleared:
      forget_answer_ = false;
      set_state(State::ready);
      set_status("New conversation", "");
      break;
  }
}

void Window::on_loaded(const Event& event) {
  forget_answer_ = false;
  model_path_ = event.model.path;
  settings_.add_recent(model_path_);
  settings_.save();
  fill_models();
  model_name_ = event.model.name.empty() ? file_name(model_path_) : event.model.name;
  gtk_label_set_text(GTK_LABEL(model_label_), model_name_.c_str());
  transcript_.clear();
  const std::string facts = event.model.architecture + " \u00b7 " + short_count(event.model.n_parameters) +
                            " parameters \u00b7 " + event.model.file_type + " \u00b7 context of " +
                            std::to_string(event.model.n_ctx) + " tokens";
  transcript_.set_welcome(model_name_, facts + "\nIt runs on this computer. Nothing is sent anywhere.");
  set_state(State::ready);
  set_status("Ready \u00b7 " + facts, "");
}

void Window::on_finished(const Event& event) {
  if (forget_answer_ || state_ != State::answering) return;
  std::string note;
  if (event.stop_reason == QUERN_STOP_CANCELLED) note = "Stopped";
  if (event.stop_reason == QUERN_STOP_CONTEXT_FULL) note = "The conversation is full: start a new one";
  transcript_.end_answer(note);
  set_state(State::ready);
  set_status(note.empty() ? "Ready" : note, speed(event));
}

void Window::on_failed(const Event& event) {
  if (forget_answer_ && event.kind == Event::Kind::failed) return;
  forget_answer_ = false;
  if (event.kind == Event::Kind::failed) {
    transcript_.remove_last();  // the question is not part of the conversation: it goes back to where it was written
    set_input(sent_);
  }
  set_state(State::ready);
  if (event.status == QUERN_ERROR_CANCELLED) {
    set_status("Stopped", "");
    return;
  }
  set_status("", "");
  const bool full = event.status == QUERN_ERROR_CONTEXT_FULL;
  show_error(full ? "The conversation is full. Start a new one (Ctrl+N).\n" + event.text : event.text);
}

gboolean Window::on_window_key(GtkWidget*, GdkEventKey* key, gpointer user) {
  auto* self = static_cast<Window*>(user);
  const bool control = (key->state & GDK_CONTROL_MASK) != 0;
  const bool shift = (key->state & GDK_SHIFT_MASK) != 0;
  if (key->keyval == GDK_KEY_Escape && self->busy()) {
    self->stop();
    return GDK_EVENT_STOP;
  }
  if (!control) return GDK_EVENT_PROPAGATE;
  switch (gdk_keyval_to_lower(key->keyval)) {
    case GDK_KEY_n:
      self->new_chat();
      return GDK_EVENT_STOP;
    case GDK_KEY_o:
      self->open_file();
      return GDK_EVENT_STOP;
    case GDK_KEY_l:
      gtk_widget_grab_focus(self->input_);
      return GDK_EVENT_STOP;
    case GDK_KEY_q:
      gtk_window_close(GTK_WINDOW(self->window_));
      return GDK_EVENT_STOP;
    case GDK_KEY_c:
      if (!shift) return GDK_EVENT_PROPAGATE;
      self->copy_conversation();
      return GDK_EVENT_STOP;
    default:
      return GDK_EVENT_PROPAGATE;
  }
}

gboolean Window::on_input_key(GtkWidget*, GdkEventKey* key, gpointer user) {
  const bool enter = key->keyval == GDK_KEY_Return || key->keyval == GDK_KEY_KP_Enter;
  if (!enter || (key->state & GDK_SHIFT_MASK) != 0) return GDK_EVENT_PROPAGATE;  // with Shift: a new line
  static_cast<Window*>(user)->send();
  return GDK_EVENT_STOP;
}

void Window::on_apply_prompt(GtkButton*, gpointer user) {
  auto* self = static_cast<Window*>(user);
  GtkTextIter begin, end;
  gtk_text_buffer_get_bounds(self->prompt_buffer(), &begin, &end);
  char* text = gtk_text_buffer_get_text(self->prompt_buffer(), &begin, &end, FALSE);
  self->settings_.system_prompt = text;
  g_free(text);
  self->settings_.save();
  self->show_system_prompt(false);
  self->new_chat();
}

void Window::show_system_prompt(bool shown) { gtk_toggle_button_set_active(GTK_TOGGLE_BUTTON(prompt_toggle_), shown); }

std::string Window::status() const {
  return std::string(gtk_label_get_text(GTK_LABEL(status_left_))) + " | " +
         gtk_label_get_text(GTK_LABEL(status_right_));
}

std::string Window::error() const {
  const bool shown = gtk_widget_get_visible(error_bar_) && gtk_info_bar_get_revealed(GTK_INFO_BAR(error_bar_));
  return shown ? gtk_label_get_text(GTK_LABEL(error_label_)) : "";
}

}  // namespace desktop
