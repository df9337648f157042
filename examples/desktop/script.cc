#include "examples/desktop/script.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace desktop {

namespace {
constexpr int64_t kTimeoutUs = 60 * 1000000;
constexpr guint kTickMs = 10;
}  // namespace

std::unique_ptr<Script> Script::start(const std::string& path, Window& window, int* exit_status) {
  std::unique_ptr<Script> script(new Script(window, exit_status));
  std::ifstream file(path);
  if (!file) {
    std::fprintf(stderr, "%s: cannot be read\n", path.c_str());
    *exit_status = 2;
    gtk_window_close(GTK_WINDOW(window.widget()));
    return script;
  }
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.front() != '#') script->lines_.push_back(line);
  }
  *exit_status = 1;  // until its end is reached
  script->source_ = g_timeout_add(kTickMs, on_tick, script.get());
  return script;
}

Script::~Script() {
  if (source_ != 0) g_source_remove(source_);
}

gboolean Script::on_tick(gpointer user) {
  auto* self = static_cast<Script*>(user);
  if (self->next_ < self->lines_.size()) {
    const std::string& line = self->lines_[self->next_];
    const size_t blank = line.find(' ');
    const int64_t now = g_get_monotonic_time();
    if (self->since_us_ == 0) self->since_us_ = now;
    const Result result = self->step(line.substr(0, blank), blank == std::string::npos ? "" : line.substr(blank + 1));
    if (result == Result::wait && now - self->since_us_ < kTimeoutUs) return G_SOURCE_CONTINUE;
    if (result == Result::done) {
      self->since_us_ = 0;
      ++self->next_;
      return G_SOURCE_CONTINUE;
    }
    std::fprintf(stderr, "line %zu does not hold%s: %s\n", self->next_ + 1, result == Result::wait ? " in time" : "",
                 line.c_str());
  } else {
    *self->exit_status_ = 0;
  }
  self->source_ = 0;
  gtk_window_close(GTK_WINDOW(self->window_.widget()));
  return G_SOURCE_REMOVE;
}

Script::Result Script::expect(bool holds, const std::string& got) {
  if (!holds) std::fprintf(stderr, "got: %s\n", got.c_str());
  return holds ? Result::done : Result::failed;
}

Script::Result Script::step(const std::string& command, const std::string& rest) {
  const size_t number = static_cast<size_t>(std::strtoul(rest.c_str(), nullptr, 10));
  if (command == "type") {
    type(rest);
  } else if (command == "erase") {
    g_signal_emit_by_name(window_.input(), "select-all", TRUE);
    g_signal_emit_by_name(window_.input(), "backspace");
  } else if (command == "key") {
    press(rest);
  } else if (command == "click") {
    return click(rest);
  } else if (command == "open") {
    window_.load(rest);
  } else if (command == "prompt") {
    window_.show_system_prompt(true);
    gtk_text_buffer_set_text(window_.prompt_buffer(), rest.c_str(), -1);
  } else if (command == "wait") {
    return window_.busy() ? Result::wait : Result::done;
  } else if (command == "wait-text") {
    return window_.transcript().last_answer().size() < number ? Result::wait : Result::done;
  } else if (command == "sleep") {
    const auto elapsed = static_cast<size_t>(g_get_monotonic_time() - since_us_);
    return elapsed < number * 1000 ? Result::wait : Result::done;
  } else if (command == "picture") {
    return expect(picture(rest), "no picture");
  } else {
    return look(command, rest);
  }
  return Result::done;
}

Script::Result Script::look(const std::string& command, const std::string& rest) {
  const size_t number = static_cast<size_t>(std::strtoul(rest.c_str(), nullptr, 10));
  const std::string& answer = window_.transcript().last_answer();
  if (command == "answer") return expect(answer == rest, answer);
  if (command == "answer-shorter") return expect(answer.size() < number, answer);
  if (command == "messages") {
    const size_t n = window_.transcript().n_messages();
    return expect(n == number, std::to_string(n));
  }
  if (command == "status") return expect(window_.status().find(rest) != std::string::npos, window_.status());
  if (command == "error") {
    const std::string error = window_.error();
    return expect(!error.empty() && error.find(rest) != std::string::npos, error);
  }
  if (command == "no-error") return expect(window_.error().empty(), window_.error());
  if (command == "clipboard") {
    char* text = gtk_clipboard_wait_for_text(gtk_clipboard_get(GDK_SELECTION_CLIPBOARD));
    const std::string got = text != nullptr ? text : "";
    g_free(text);
    return expect(got.find(rest) != std::string::npos, got);
  }
  return expect(false, "no such command");
}

Script::Result Script::click(const std::string& name) {
  GtkWidget* button = name == "send"    ? window_.send_button()
                      : name == "stop"  ? window_.stop_button()
                      : name == "new"   ? window_.new_button()
                      : name == "model" ? window_.model_button()
                                        : nullptr;
  if (button == nullptr || !gtk_widget_get_mapped(button)) return expect(false, "no such button is shown");
  if (!gtk_widget_is_sensitive(button)) return Result::wait;
  gtk_button_clicked(GTK_BUTTON(button));
  return Result::done;
}

/// Sends the event to the window, which hands it to the widget that has the focus.
void Script::press(const std::string& name) {
  guint keyval = 0;
  GdkModifierType state = GdkModifierType(0);
  std::string accelerator = name;
  const auto replace = [&](const char* from, const char* to) {
    const size_t at = accelerator.find(from);
    if (at != std::string::npos) accelerator.replace(at, std::string(from).size(), to);
  };
  replace("ctrl+", "<Control>");
  replace("shift+", "<Shift>");
  gtk_accelerator_parse(accelerator.c_str(), &keyval, &state);
  GdkEvent* event = gdk_event_new(GDK_KEY_PRESS);
  event->key.window = GDK_WINDOW(g_object_ref(gtk_widget_get_window(window_.widget())));
  event->key.send_event = TRUE;
  event->key.time = GDK_CURRENT_TIME;
  event->key.state = state;
  event->key.keyval = keyval;
  gdk_event_set_device(event, gdk_seat_get_keyboard(gdk_display_get_default_seat(gdk_display_get_default())));
  gtk_main_do_event(event);
  gdk_event_free(event);
}

void Script::type(const std::string& text) { g_signal_emit_by_name(window_.input(), "insert-at-cursor", text.c_str()); }

bool Script::picture(const std::string& path) {
  GdkWindow* window = gtk_widget_get_window(window_.widget());
  const int width = gdk_window_get_width(window), height = gdk_window_get_height(window);
  GdkPixbuf* pixels = gdk_pixbuf_get_from_window(window, 0, 0, width, height);
  if (pixels == nullptr) return false;
  const bool saved = gdk_pixbuf_save(pixels, path.c_str(), "png", nullptr, nullptr) != FALSE;
  g_object_unref(pixels);
  return saved;
}

}  // namespace desktop
