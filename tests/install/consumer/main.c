/* Links the shared library and lets it fail: a model that does not exist is a status, and a message with the file's
 * name. Asks something of the second header, too, which quern_c.h includes. */
#include <quern_c.h>

#include <stdio.h>
#include <string.h>

int main(void) {
  quern_model* model = NULL;
  const quern_status status = quern_model_open("no_such_model.gguf", NULL, &model);
  if (status == QUERN_OK || model != NULL || strstr(quern_last_error_message(), "no_such_model.gguf") == NULL) {
    puts("expected an error that names the file");
    return 1;
  }
  if (quern_n_quantization_types() == 0) {
    puts("expected types to quantize to");
    return 1;
  }
  printf("quern %s: %s: %s\n", quern_version(), quern_status_name(status), quern_last_error_message());
  return 0;
}
