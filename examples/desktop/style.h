// How the window looks: CSS over the colours of the system's theme, and whether that is light or dark.
#pragma once

namespace desktop {

/// Loads the style, and follows the desktop's choice of light or dark from then on.
void follow_system_style();

}  // namespace desktop
