// The widgets of the window, and what they show.
#include <filesystem>

#include "examples/desktop/window.h"

namespace desktop {

namespace {

GtkWidget* icon_button(const char* icon, const char* name, const char* tooltip) {
  GtkWidget* button = gtk_button_new_from_icon_name(icon, GTK_ICON_SIZE_BUTTON);
  gtk_widget_set_tooltip_text(button, tooltip);
  name_widget(button, name);
  return button;
}

GtkWidget* status_label(float xalign) {
  GtkWidget* label = gtk_label_new("");
  gtk_label_set_ellipsize(GTK_LABEL(label), PANGO_ELLIPSIZE_END);
  gtk_label_set_xalign(GTK_LABEL(label), xalign);
  add_class(label, "dim-label");
  return label;
}

/// A text view that grows with its text up to `max_height`, then scrolls.
GtkWidget* growing(GtkWidget* view, int max_height) {
  GtkWidget* scroller = gtk_scrolled_window_new(nullptr, nullptr);
  gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(scroller), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_propagate_natural_height(GTK_SCROLLED_WINDOW(scroller), TRUE);
  gtk_scrolled_window_set_max_content_height(GTK_SCROLLED_WINDOW(scroller), max_height);
  gtk_container_add(GTK_CONTAINER(scroller), view);
  gtk_widget_set_hexpand(scroller, TRUE);
  return scroller;
}

template <void (Window::*Method)()>
void clicked(GtkWidget*, gpointer self) {
  (static_cast<Window*>(self)->*Method)();
}

void show_placeholder(GtkTextBuffer* buffer, gpointer placeholder) {
  gtk_widget_set_visible(GTK_WIDGET(placeholder), gtk_text_buffer_get_char_count(buffer) == 0);
}

}  // namespace

void Window::build() {
  gtk_window_set_default_size(GTK_WINDOW(window_), 780, 680);
  gtk_window_set_title(GTK_WINDOW(window_), "Quern");
  gtk_window_set_titlebar(GTK_WINDOW(window_), build_header());
  g_signal_connect(window_, "key-press-event", G_CALLBACK(on_window_key), this);

  error_bar_ = gtk_info_bar_new();
  gtk_info_bar_set_message_type(GTK_INFO_BAR(error_bar_), GTK_MESSAGE_ERROR);
  gtk_info_bar_set_show_close_button(GTK_INFO_BAR(error_bar_), TRUE);
  error_label_ = gtk_label_new("");
  gtk_label_set_line_wrap(GTK_LABEL(error_label_), TRUE);
  gtk_label_set_line_wrap_mode(GTK_LABEL(error_label_), PANGO_WRAP_WORD_CHAR);
  gtk_label_set_selectable(GTK_LABEL(error_label_), TRUE);
  gtk_label_set_xalign(GTK_LABEL(error_label_), 0);
  gtk_container_add(GTK_CONTAINER(gtk_info_bar_get_content_area(GTK_INFO_BAR(error_bar_))), error_label_);
  g_signal_connect(error_bar_, "response", G_CALLBACK(clicked<&Window::hide_error>), this);

  progress_ = gtk_progress_bar_new();
  add_class(progress_, "loading");
  name_widget(progress_, "Opening the model");

  GtkWidget* status = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);
  add_class(status, "statusbar");
  status_left_ = status_label(0);
  status_right_ = status_label(1);
  gtk_box_pack_start(GTK_BOX(status), status_left_, TRUE, TRUE, 0);
  gtk_box_pack_end(GTK_BOX(status), status_right_, FALSE, FALSE, 0);

  GtkWidget* body = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
  add_class(body, "body");
  for (GtkWidget* part : {progress_, error_bar_, build_prompt(), transcript_.widget(), build_input(), status}) {
    gtk_container_add(GTK_CONTAINER(body), part);
  }
  gtk_container_add(GTK_CONTAINER(window_), body);
  gtk_widget_show_all(body);
  gtk_widget_hide(error_bar_);
  fill_models();
}

GtkWidget* Window::build_header() {
  GtkWidget* header = gtk_header_bar_new();
  gtk_header_bar_set_show_close_button(GTK_HEADER_BAR(header), TRUE);
  new_ = icon_button("list-add-symbolic", "New conversation", "New conversation (Ctrl+N)");
  g_signal_connect(new_, "clicked", G_CALLBACK(clicked<&Window::new_chat>), this);
  gtk_header_bar_pack_start(GTK_HEADER_BAR(header), new_);
  gtk_header_bar_set_custom_title(GTK_HEADER_BAR(header), build_models());

  GtkWidget* copy = icon_button("edit-copy-symbolic", "Copy the conversation", "Copy the conversation (Ctrl+Shift+C)");
  g_signal_connect(copy, "clicked", G_CALLBACK(clicked<&Window::copy_conversation>), this);
  prompt_toggle_ = gtk_toggle_button_new();
  gtk_button_set_image(GTK_BUTTON(prompt_toggle_),
                       gtk_image_new_from_icon_name("document-edit-symbolic", GTK_ICON_SIZE_BUTTON));
  gtk_widget_set_tooltip_text(prompt_toggle_, "System prompt");
  name_widget(prompt_toggle_, "System prompt");
  gtk_header_bar_pack_end(GTK_HEADER_BAR(header), prompt_toggle_);
  gtk_header_bar_pack_end(GTK_HEADER_BAR(header), copy);
  gtk_widget_show_all(header);
  return header;
}

GtkWidget* Window::build_models() {
  model_button_ = gtk_menu_button_new();
  GtkWidget* content = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
  model_label_ = gtk_label_new("No model");
  gtk_label_set_ellipsize(GTK_LABEL(model_label_), PANGO_ELLIPSIZE_MIDDLE);
  gtk_label_set_max_width_chars(GTK_LABEL(model_label_), 36);
  gtk_container_add(GTK_CONTAINER(content), model_label_);
  gtk_container_add(GTK_CONTAINER(content), gtk_image_new_from_icon_name("pan-down-symbolic", GTK_ICON_SIZE_MENU));
  gtk_container_add(GTK_CONTAINER(model_button_), content);
  gtk_widget_set_tooltip_text(model_button_, "Choose a model");
  name_widget(model_button_, "Model");
  models_ = gtk_popover_new(model_button_);
  add_class(models_, "models");
  gtk_menu_button_set_popover(GTK_MENU_BUTTON(model_button_), models_);
  return model_button_;
}

void Window::on_model_chosen(GtkButton* button, gpointer user) {
  const char* path = static_cast<const char*>(g_object_get_data(G_OBJECT(button), "path"));
  static_cast<Window*>(user)->load(std::string(path));
}

void Window::fill_models() {
  if (GtkWidget* before = gtk_bin_get_child(GTK_BIN(models_))) gtk_widget_destroy(before);
  GtkWidget* list = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
  const auto add = [&](const std::string& title, const std::string& path) {
    GtkWidget* item = gtk_model_button_new();
    g_object_set(item, "text", title.c_str(), nullptr);
    gtk_widget_set_tooltip_text(item, path.c_str());
    g_object_set_data_full(G_OBJECT(item), "path", g_strdup(path.c_str()), g_free);
    g_signal_connect(item, "clicked", G_CALLBACK(on_model_chosen), this);
    gtk_container_add(GTK_CONTAINER(list), item);
  };
  const std::string demo = demo_model_path();
  if (!demo.empty()) add("Demo model", demo);
  for (const std::string& path : settings_.recent) {
    if (path != demo) add(std::filesystem::path(path).filename().string(), path);
  }
  gtk_container_add(GTK_CONTAINER(list), gtk_separator_new(GTK_ORIENTATION_HORIZONTAL));
  GtkWidget* open = gtk_model_button_new();
  g_object_set(open, "text", "Open a file \u2026", nullptr);
  gtk_widget_set_tooltip_text(open, "Ctrl+O");
  g_signal_connect(open, "clicked", G_CALLBACK(clicked<&Window::open_file>), this);
  gtk_container_add(GTK_CONTAINER(list), open);
  gtk_container_add(GTK_CONTAINER(models_), list);
  gtk_widget_show_all(list);
}

GtkWidget* Window::build_prompt() {
  GtkWidget* box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 8);
  add_class(box, "prompt");
  GtkWidget* label = gtk_label_new_with_mnemonic("_System prompt: what the model is told before each conversation");
  gtk_label_set_xalign(GTK_LABEL(label), 0);
  add_class(label, "dim-label");
  prompt_view_ = gtk_text_view_new();
  gtk_text_view_set_wrap_mode(GTK_TEXT_VIEW(prompt_view_), GTK_WRAP_WORD_CHAR);
  gtk_text_view_set_accepts_tab(GTK_TEXT_VIEW(prompt_view_), FALSE);
  gtk_label_set_mnemonic_widget(GTK_LABEL(label), prompt_view_);
  name_widget(prompt_view_, "System prompt");
  gtk_text_buffer_set_text(prompt_buffer(), settings_.system_prompt.c_str(), -1);
  GtkWidget* frame = growing(prompt_view_, 140);
  gtk_widget_set_size_request(frame, -1, 64);
  add_class(frame, "prompt-text");
  GtkWidget* apply = gtk_button_new_with_mnemonic("_Use, in a new conversation");
  gtk_widget_set_halign(apply, GTK_ALIGN_END);
  g_signal_connect(apply, "clicked", G_CALLBACK(on_apply_prompt), this);
  for (GtkWidget* part : {label, frame, apply}) gtk_container_add(GTK_CONTAINER(box), part);

  prompt_revealer_ = gtk_revealer_new();
  gtk_container_add(GTK_CONTAINER(prompt_revealer_), box);
  g_object_bind_property(prompt_toggle_, "active", prompt_revealer_, "reveal-child", G_BINDING_DEFAULT);
  return prompt_revealer_;
}

GtkWidget* Window::build_input() {
  GtkWidget* composer = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 8);
  add_class(composer, "composer");
  input_ = gtk_text_view_new();
  gtk_text_view_set_wrap_mode(GTK_TEXT_VIEW(input_), GTK_WRAP_WORD_CHAR);
  gtk_text_view_set_accepts_tab(GTK_TEXT_VIEW(input_), FALSE);  // Tab goes on to the next widget
  gtk_text_view_set_top_margin(GTK_TEXT_VIEW(input_), 13);
  gtk_text_view_set_bottom_margin(GTK_TEXT_VIEW(input_), 13);
  name_widget(input_, "Message");
  g_signal_connect(input_, "key-press-event", G_CALLBACK(on_input_key), this);

  GtkWidget* overlay = gtk_overlay_new();
  GtkWidget* placeholder = gtk_label_new("Write a message. Enter sends it, Shift+Enter begins a new line.");
  gtk_label_set_ellipsize(GTK_LABEL(placeholder), PANGO_ELLIPSIZE_END);
  gtk_widget_set_halign(placeholder, GTK_ALIGN_START);
  gtk_widget_set_valign(placeholder, GTK_ALIGN_CENTER);
  add_class(placeholder, "placeholder");
  gtk_container_add(GTK_CONTAINER(overlay), growing(input_, 160));
  gtk_overlay_add_overlay(GTK_OVERLAY(overlay), placeholder);
  gtk_overlay_set_overlay_pass_through(GTK_OVERLAY(overlay), placeholder, TRUE);
  g_signal_connect(gtk_text_view_get_buffer(GTK_TEXT_VIEW(input_)), "changed", G_CALLBACK(show_placeholder),
                   placeholder);
  gtk_widget_set_valign(overlay, GTK_ALIGN_CENTER);
  gtk_widget_set_hexpand(overlay, TRUE);
  gtk_container_add(GTK_CONTAINER(composer), overlay);

  send_ = gtk_button_new_with_label("Send");
  add_class(send_, "suggested-action");
  g_signal_connect(send_, "clicked", G_CALLBACK(clicked<&Window::send>), this);
  stop_ = gtk_button_new_with_label("Stop");
  gtk_widget_set_tooltip_text(stop_, "Stop (Escape)");
  add_class(stop_, "destructive-action");
  g_signal_connect(stop_, "clicked", G_CALLBACK(clicked<&Window::stop>), this);
  action_stack_ = gtk_stack_new();
  gtk_widget_set_valign(action_stack_, GTK_ALIGN_END);
  gtk_container_add(GTK_CONTAINER(action_stack_), send_);
  gtk_container_add(GTK_CONTAINER(action_stack_), stop_);
  gtk_container_add(GTK_CONTAINER(composer), action_stack_);
  return composer;
}

GtkTextBuffer* Window::prompt_buffer() const { return gtk_text_view_get_buffer(GTK_TEXT_VIEW(prompt_view_)); }

std::string Window::input_text() const {
  GtkTextBuffer* buffer = gtk_text_view_get_buffer(GTK_TEXT_VIEW(input_));
  GtkTextIter begin, end;
  gtk_text_buffer_get_bounds(buffer, &begin, &end);
  char* text = gtk_text_buffer_get_text(buffer, &begin, &end, FALSE);
  std::string result(text);
  g_free(text);
  return result;
}

void Window::set_input(const std::string& text) {
  GtkTextBuffer* buffer = gtk_text_view_get_buffer(GTK_TEXT_VIEW(input_));
  gtk_text_buffer_set_text(buffer, text.c_str(), static_cast<int>(text.size()));
}

void Window::set_status(const std::string& left, const std::string& right) {
  gtk_label_set_text(GTK_LABEL(status_left_), left.c_str());
  gtk_label_set_text(GTK_LABEL(status_right_), right.c_str());
}

void Window::show_error(const std::string& text) {
  gtk_label_set_text(GTK_LABEL(error_label_), text.c_str());
  gtk_widget_show(error_bar_);
  gtk_info_bar_set_revealed(GTK_INFO_BAR(error_bar_), TRUE);
}

void Window::hide_error() { gtk_widget_hide(error_bar_); }

}  // namespace desktop
