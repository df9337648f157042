/* A model that does not exist is a status, and a message with the file's name. */
#include <quern_c.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  quern_model* model = NULL;
  const quern_status status = quern_model_open("no_such_model.gguf", NULL, &model);
  printf("quern %s: %s\n", quern_version(), quern_last_error_message());
  return status == QUERN_ERROR_NOT_FOUND && strstr(quern_last_error_message(), "no_such_model.gguf") != NULL ? 0 : 1;
}
