// A chat window over libquern_c.
//
//   quern-desktop [--temperature T] [--backend NAME] [--script FILE] [MODEL]
#include <gtk/gtk.h>

#include <cstdio>
#include <memory>
#include <string>

#include "examples/desktop/script.h"
#include "examples/desktop/style.h"
#include "examples/desktop/window.h"

namespace {

struct Program {
  desktop::Arguments arguments;
  std::string script_path;
  int exit_status = 0;
  std::unique_ptr<desktop::Window> window;
  std::unique_ptr<desktop::Script> script;
};

// The widgets go after this. What they call while they do is still there; it is freed after the main loop.
void on_destroy(GtkWidget*, gpointer user) {
  auto* program = static_cast<Program*>(user);
  program->script.reset();
  program->window->shut_down();
}

void on_activate(GtkApplication* application, gpointer user) {
  auto* program = static_cast<Program*>(user);
  if (program->window != nullptr) {
    gtk_window_present(GTK_WINDOW(program->window->widget()));
    return;
  }
  desktop::follow_system_style();
  program->window = std::make_unique<desktop::Window>(application, program->arguments);
  g_signal_connect(program->window->widget(), "destroy", G_CALLBACK(on_destroy), program);
  if (!program->script_path.empty()) {
    program->script = desktop::Script::start(program->script_path, *program->window, &program->exit_status);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Program program;
  char *script = nullptr, *backend = nullptr, **files = nullptr;
  GOptionEntry entries[] = {
      {"temperature", 0, 0, G_OPTION_ARG_DOUBLE, &program.arguments.temperature, "0 always takes the likeliest token",
       "T"},
      {"backend", 0, 0, G_OPTION_ARG_STRING, &backend, "cpu, or reference: scalar and slow", "NAME"},
      {"script", 0, 0, G_OPTION_ARG_FILENAME, &script, "Drive the window by a file, and quit", "FILE"},
      {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &files, nullptr, "[MODEL]"},
      {},
  };
  GError* error = nullptr;
  if (!gtk_init_with_args(&argc, &argv, "- a chat window for models on this computer", entries, nullptr, &error)) {
    std::fprintf(stderr, "quern-desktop: %s\n", error != nullptr ? error->message : "there is no display");
    if (error != nullptr) g_error_free(error);
    return 2;
  }
  if (script != nullptr) program.script_path = script;
  if (backend != nullptr) program.arguments.backend = backend;
  if (files != nullptr && files[0] != nullptr) program.arguments.model = files[0];

  GtkApplication* application = gtk_application_new(nullptr, GApplicationFlags(0));
  g_signal_connect(application, "activate", G_CALLBACK(on_activate), &program);
  const int status = g_application_run(G_APPLICATION(application), 0, nullptr);
  g_object_unref(application);
  g_free(script);
  g_free(backend);
  g_strfreev(files);
  return status != 0 ? status : program.exit_status;
}
