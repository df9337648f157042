// The chat page that the server shows at `/`: one HTML document without any reference to another file, and the content
// security policy to send with it. Both are made from the sources in this folder when Quern is built; see README.md.
#pragma once

#include <string_view>

namespace quern::server {

// The document, UTF-8: to be sent as `text/html; charset=utf-8`. Lives as long as the program.
std::string_view chat_page();

// The value of its Content-Security-Policy header. It names the page's one script and one style sheet by their hashes,
// and lets the page speak with its own server alone.
std::string_view chat_page_policy();

}  // namespace quern::server
