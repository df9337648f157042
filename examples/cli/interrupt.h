// Ctrl-C: the first stops what is running, one too many ends the program.
#pragma once

#include <quern/callbacks.h>

namespace quern::cli {

/// Catches SIGINT from now on. The signal raises the token; the `fatal`-th in a row (see forget_interrupts) ends the
/// program with code 130.
const CancelToken& catch_interrupts(int fatal = 2);

/// Ctrl-C presses since the last forget_interrupts().
int interrupts();
/// Readable from a press until it is drained: for poll(). -1 before catch_interrupts().
int interrupt_fd();
void drain_interrupt_fd();
/// Lowers the token and starts counting anew.
void forget_interrupts();

}  // namespace quern::cli
