#include "examples/desktop/transcript.h"

#include <utility>

namespace desktop {

void name_widget(GtkWidget* widget, const char* name) { atk_object_set_name(gtk_widget_get_accessible(widget), name); }

void add_class(GtkWidget* widget, const char* name) {
  gtk_style_context_add_class(gtk_widget_get_style_context(widget), name);
}

void put_on_clipboard(const std::string& text) {
  gtk_clipboard_set_text(gtk_clipboard_get(GDK_SELECTION_CLIPBOARD), text.c_str(), static_cast<int>(text.size()));
}

Transcript::Transcript() {
  column_ = gtk_box_new(GTK_ORIENTATION_VERTICAL, 14);
  add_class(column_, "conversation");
  name_widget(column_, "Conversation");

  scroller_ = gtk_scrolled_window_new(nullptr, nullptr);
  gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(scroller_), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  gtk_container_add(GTK_CONTAINER(scroller_), column_);
  GtkAdjustment* adjustment = gtk_scrolled_window_get_vadjustment(GTK_SCROLLED_WINDOW(scroller_));
  g_signal_connect(adjustment, "changed", G_CALLBACK(on_resize), this);
  g_signal_connect(adjustment, "value-changed", G_CALLBACK(on_scroll), this);

  GtkWidget* welcome = gtk_box_new(GTK_ORIENTATION_VERTICAL, 10);
  gtk_widget_set_valign(welcome, GTK_ALIGN_CENTER);
  title_ = gtk_label_new("");
  add_class(title_, "welcome-title");
  hint_ = gtk_label_new("");
  gtk_label_set_justify(GTK_LABEL(hint_), GTK_JUSTIFY_CENTER);
  gtk_label_set_line_wrap(GTK_LABEL(hint_), TRUE);
  gtk_label_set_max_width_chars(GTK_LABEL(hint_), 52);
  add_class(hint_, "dim-label");
  gtk_container_add(GTK_CONTAINER(welcome), title_);
  gtk_container_add(GTK_CONTAINER(welcome), hint_);

  stack_ = gtk_stack_new();
  gtk_widget_set_vexpand(stack_, TRUE);
  gtk_stack_add_named(GTK_STACK(stack_), welcome, "welcome");
  gtk_stack_add_named(GTK_STACK(stack_), scroller_, "messages");
  gtk_widget_show_all(stack_);
}

void Transcript::set_welcome(const std::string& title, const std::string& text) {
  gtk_label_set_text(GTK_LABEL(title_), title.c_str());
  gtk_label_set_text(GTK_LABEL(hint_), text.c_str());
}

void Transcript::on_copy(GtkButton*, gpointer label) { put_on_clipboard(gtk_label_get_text(GTK_LABEL(label))); }

void Transcript::on_resize(GtkAdjustment* adjustment, gpointer user) {
  const auto* self = static_cast<Transcript*>(user);
  if (!self->follow_) return;
  gtk_adjustment_set_value(adjustment, gtk_adjustment_get_upper(adjustment));
}

void Transcript::on_scroll(GtkAdjustment* adjustment, gpointer user) {
  const double end = gtk_adjustment_get_upper(adjustment) - gtk_adjustment_get_page_size(adjustment);
  static_cast<Transcript*>(user)->follow_ = gtk_adjustment_get_value(adjustment) >= end - 4;
}

Transcript::Message& Transcript::add(bool question, const std::string& text) {
  Message message;
  message.question = question;
  message.text = text;
  message.row = gtk_box_new(GTK_ORIENTATION_VERTICAL, 2);
  gtk_widget_set_halign(message.row, question ? GTK_ALIGN_END : GTK_ALIGN_START);
  name_widget(message.row, question ? "You" : "Answer");

  message.label = gtk_label_new(text.c_str());
  gtk_label_set_line_wrap(GTK_LABEL(message.label), TRUE);
  gtk_label_set_line_wrap_mode(GTK_LABEL(message.label), PANGO_WRAP_WORD_CHAR);
  gtk_label_set_selectable(GTK_LABEL(message.label), TRUE);
  gtk_label_set_xalign(GTK_LABEL(message.label), 0);
  gtk_label_set_max_width_chars(GTK_LABEL(message.label), question ? 56 : 72);
  add_class(message.label, question ? "question" : "answer");
  gtk_container_add(GTK_CONTAINER(message.row), message.label);

  if (!question) {
    message.footer = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 4);
    GtkWidget* copy = gtk_button_new_from_icon_name("edit-copy-symbolic", GTK_ICON_SIZE_MENU);
    gtk_button_set_relief(GTK_BUTTON(copy), GTK_RELIEF_NONE);
    gtk_widget_set_tooltip_text(copy, "Copy this answer");
    name_widget(copy, "Copy this answer");
    add_class(copy, "small");
    g_signal_connect(copy, "clicked", G_CALLBACK(on_copy), message.label);
    message.note = gtk_label_new("");
    add_class(message.note, "dim-label");
    add_class(message.note, "note");
    gtk_container_add(GTK_CONTAINER(message.footer), copy);
    gtk_container_add(GTK_CONTAINER(message.footer), message.note);
    gtk_container_add(GTK_CONTAINER(message.row), message.footer);
  }
  gtk_container_add(GTK_CONTAINER(column_), message.row);
  gtk_widget_show_all(message.row);
  if (message.footer != nullptr) gtk_widget_set_opacity(message.footer, 0);  // keeps its place while the text grows
  messages_.push_back(std::move(message));
  gtk_stack_set_visible_child_name(GTK_STACK(stack_), "messages");
  return messages_.back();
}

void Transcript::add_question(const std::string& text) {
  follow_ = true;
  add(true, text);
}

void Transcript::begin_answer() { gtk_label_set_text(GTK_LABEL(add(false, "").label), "\u2026"); }

void Transcript::append_answer(const std::string& text) {
  if (messages_.empty() || messages_.back().question) return;
  Message& message = messages_.back();
  message.text += text;
  gtk_label_set_text(GTK_LABEL(message.label), message.text.c_str());
}

void Transcript::end_answer(const std::string& note) {
  if (messages_.empty() || messages_.back().question) return;
  Message& message = messages_.back();
  gtk_label_set_text(GTK_LABEL(message.label), message.text.c_str());
  gtk_label_set_text(GTK_LABEL(message.note), note.c_str());
  gtk_widget_set_opacity(message.footer, 1);
}

void Transcript::remove_last() {
  bool question = false;
  while (!messages_.empty() && !question) {
    question = messages_.back().question;
    gtk_widget_destroy(messages_.back().row);
    messages_.pop_back();
  }
  if (messages_.empty()) gtk_stack_set_visible_child_name(GTK_STACK(stack_), "welcome");
}

void Transcript::clear() {
  while (!messages_.empty()) remove_last();
}

const std::string& Transcript::last_answer() const {
  static const std::string none;
  for (auto message = messages_.rbegin(); message != messages_.rend(); ++message) {
    if (!message->question) return message->text;
  }
  return none;
}

std::string Transcript::as_text() const {
  std::string text;
  for (const Message& message : messages_) {
    if (!text.empty()) text += "\n\n";
    text += (message.question ? "You: " : "Answer: ") + message.text;
  }
  return text;
}

}  // namespace desktop
