// What signals do to the program: it stops, says so in one line, and leaves no unfinished output behind.
#pragma once

namespace cli {

/// Before there is a second thread. SIGINT, SIGTERM and SIGHUP (unless the caller has it ignored, as nohup does) set
/// `interrupted`, so that the job stops and cleans up, and at the second one the program ends at once. SIGPIPE and
/// SIGXFSZ are ignored: the write that caused them fails and says why. SIGBUS, which a mapped file that became shorter
/// raises, ends the program with exit status 1.
void catch_signals();

/// From now on SIGINT sets `interrupted`, however often it comes, for a command that clears it and goes on; SIGTERM and
/// SIGHUP end the program at once.
void survive_interrupts();

/// `task` runs before the program ends at once, in a thread of its own: what has to be put right outside of the
/// program.
void at_sudden_end(void (*task)());

}  // namespace cli
