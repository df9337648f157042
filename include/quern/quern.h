// Everything. See README.md for a tour; one noun per header.
#pragma once

#include <quern/adapter.h>
#include <quern/callbacks.h>
#include <quern/chat.h>
#include <quern/check.h>
#include <quern/context.h>
#include <quern/convert.h>
#include <quern/embed.h>
#include <quern/evaluate.h>
#include <quern/generate.h>
#include <quern/imatrix.h>
#include <quern/model.h>
#include <quern/quantize.h>
#include <quern/result.h>
#include <quern/runtime.h>
#include <quern/sampler.h>
#include <quern/scheduler.h>
#include <quern/tokenizer.h>
#include <quern/version.h>
