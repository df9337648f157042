#include "examples/desktop/style.h"

#include <gtk/gtk.h>

namespace desktop {

namespace {

// Colours are those of the theme, so that both of its variants fit.
constexpr const char* kCss = R"(
.conversation { padding: 18px 22px; }
.question {
  background-color: @theme_selected_bg_color;
  color: @theme_selected_fg_color;
  border-radius: 16px 16px 4px 16px;
  padding: 9px 14px;
}
.answer {
  background-color: mix(@theme_base_color, @theme_fg_color, 0.06);
  color: @theme_text_color;
  border-radius: 16px 16px 16px 4px;
  padding: 9px 14px;
}
.question selection { background-color: @theme_fg_color; color: @theme_bg_color; }
.note { font-size: smaller; }
button.small { padding: 2px 6px; min-height: 20px; min-width: 20px; }
.welcome-title { font-size: 160%; font-weight: bold; }
.conversation, scrolledwindow, .body { background-color: @theme_base_color; }
.composer {
  background-color: @theme_base_color;
  border: 1px solid @borders;
  border-radius: 14px;
  padding: 1px 8px 1px 14px;
  margin: 4px 18px 12px 18px;
}
.composer textview, .composer textview text { background-color: transparent; color: @theme_text_color; font-size: 105%; }
.composer button { border-radius: 10px; margin-bottom: 6px; }
.composer .placeholder { opacity: 0.5; }
.statusbar { padding: 4px 20px; border-top: 1px solid @borders; font-size: 92%; }
.statusbar label { font-feature-settings: "tnum"; }
.prompt { padding: 12px 20px; border-bottom: 1px solid @borders; }
.prompt-text { border: 1px solid @borders; border-radius: 8px; padding: 4px; }
progressbar.loading, progressbar.loading trough, progressbar.loading progress { min-height: 3px; border: none; }
infobar.error > revealer > box {
  background-color: mix(@theme_base_color, @error_color, 0.22);
  border-bottom: 1px solid @borders;
  padding: 4px 10px;
}
infobar.error label { color: @theme_text_color; }
popover.models { padding: 6px; }
)";

constexpr const char* kPortal = "org.freedesktop.portal.Desktop";
constexpr const char* kPortalPath = "/org/freedesktop/portal/desktop";
constexpr const char* kPortalSettings = "org.freedesktop.portal.Settings";
constexpr const char* kAppearance = "org.freedesktop.appearance";

/// The portal's value, possibly in boxes: 1 asks for dark.
void apply(GVariant* value) {
  g_autoptr(GVariant) inner = g_variant_ref(value);
  while (g_variant_is_of_type(inner, G_VARIANT_TYPE_VARIANT)) {
    GVariant* boxed = g_variant_get_variant(inner);
    g_variant_unref(inner);
    inner = boxed;
  }
  if (!g_variant_is_of_type(inner, G_VARIANT_TYPE_UINT32)) return;
  const gboolean dark = g_variant_get_uint32(inner) == 1;
  g_object_set(gtk_settings_get_default(), "gtk-application-prefer-dark-theme", dark, nullptr);
}

void on_read(GObject* bus, GAsyncResult* result, gpointer) {
  g_autoptr(GVariant) reply = g_dbus_connection_call_finish(G_DBUS_CONNECTION(bus), result, nullptr);
  if (reply == nullptr) return;  // a desktop without the portal: its theme is as it is
  g_autoptr(GVariant) value = g_variant_get_child_value(reply, 0);
  apply(value);
}

void on_changed(GDBusConnection*, const char*, const char*, const char*, const char*, GVariant* parameters, gpointer) {
  const char *group = nullptr, *key = nullptr;
  g_autoptr(GVariant) value = nullptr;
  if (!g_variant_is_of_type(parameters, G_VARIANT_TYPE("(ssv)"))) return;
  g_variant_get(parameters, "(&s&sv)", &group, &key, &value);
  if (g_strcmp0(group, kAppearance) == 0 && g_strcmp0(key, "color-scheme") == 0) apply(value);
}

void on_bus(GObject*, GAsyncResult* result, gpointer) {
  GDBusConnection* bus = g_bus_get_finish(result, nullptr);  // kept: the subscription is for as long as the program
  if (bus == nullptr) return;
  g_dbus_connection_call(bus, kPortal, kPortalPath, kPortalSettings, "Read",
                         g_variant_new("(ss)", kAppearance, "color-scheme"), G_VARIANT_TYPE("(v)"),
                         G_DBUS_CALL_FLAGS_NO_AUTO_START, 1000, nullptr, on_read, nullptr);
  g_dbus_connection_signal_subscribe(bus, kPortal, kPortalSettings, "SettingChanged", kPortalPath, kAppearance,
                                     G_DBUS_SIGNAL_FLAGS_NONE, on_changed, nullptr, nullptr);
}

}  // namespace

void follow_system_style() {
  g_autoptr(GtkCssProvider) provider = gtk_css_provider_new();
  gtk_css_provider_load_from_data(provider, kCss, -1, nullptr);
  gtk_style_context_add_provider_for_screen(gdk_screen_get_default(), GTK_STYLE_PROVIDER(provider),
                                            GTK_STYLE_PROVIDER_PRIORITY_APPLICATION);
  g_bus_get(G_BUS_TYPE_SESSION, nullptr, on_bus, nullptr);
}

}  // namespace desktop
