/* What the files of the client share. */
#ifndef QUERN_TESTS_CAPI_CLIENT_H
#define QUERN_TESTS_CAPI_CLIENT_H

#include <quern_c.h>

/* Counts a check, and prints it if it failed. */
void check(int condition, const char* text, const char* file, int line);
#define CHECK(condition) check((condition) ? 1 : 0, #condition, __FILE__, __LINE__)

/* Whether the last error's message has this part. */
int message_has(const char* text);

/* A quern_progress_fn that cancels. */
int stop_progress(void* user, const char* stage, uint64_t done, uint64_t total);

/* Evaluation, importance matrices, quantizing; the model is the one at `path`. */
void test_convert(const char* path, const quern_model* model);

/* Adapters. */
void test_adapter(const quern_model* model);

/* Embeddings. */
void test_embed(const quern_model* model);

/* Schedulers, and what is told of steps, windows and chunks. */
void test_scheduler(const quern_model* model);

#endif
