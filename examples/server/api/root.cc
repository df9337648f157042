// GET /: the chat page for browsers; for programs what Ollama says there, as its clients look for it.
#include "examples/server/api/handlers.h"
#include "examples/server/page/page.h"

namespace quern::server {

void root_page(const std::shared_ptr<Call>& call) {
  HttpResponse response;
  const std::string* accept = call->request().header("accept");
  if (accept != nullptr && accept->find("text/html") != std::string::npos) {
    response.content_type = "text/html; charset=utf-8";
    response.body = std::string(chat_page());
    response.headers = {{"Vary", "Accept"},
                        {"Content-Security-Policy", std::string(chat_page_policy())},
                        {"X-Content-Type-Options", "nosniff"},
                        {"X-Frame-Options", "DENY"},
                        {"Referrer-Policy", "no-referrer"},
                        {"Cache-Control", "no-cache"}};
  } else {
    response.content_type = "text/plain; charset=utf-8";
    response.body = "Ollama is running";
  }
  call->exchange->send(std::move(response));
}

}  // namespace quern::server
